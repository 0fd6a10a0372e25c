//! What came back, held against the source itself, where that still answers.
//!
//! A commit's trees are named by the hash of their content, and hold the hash of every file: equal trees are equal files.

use std::collections::HashMap;

use futures::TryStreamExt;
use pachyderm::client::Client;
use pachyderm::proto::pfs::CommitInfo;
use prost::Message;
use sha2::{Digest, Sha256};

use super::failed_check;
use super::plan::Prepared;
use crate::cluster::{connect_pachd, pachd_error};
use crate::error::{Error, ErrorKind, Result};
use crate::job::Target;
use crate::verify::Check;

/// Name of the check.
const NAME: &str = "source";
/// Commits that are named.
const NAMED: usize = 10;

/// Compares every commit of the recovery point at the scratch cluster with the same one at the source: trees, parent, size,
/// and provenance. Commits that were open at the source have none.
///
/// # Errors
/// Those of the scratch cluster. A source that does not answer, or is another cluster, makes the check a warning.
pub(super) async fn compare(home: &Target, scratch: &Target, prepared: &Prepared) -> Result<(Check, String)> {
    let source = match connect_source(home, prepared).await {
        Ok(source) => source,
        Err(error) => {
            let why = failed_check(NAME, &error).detail;
            let text = format!("not compared with the source: {why}");
            return Ok((Check::warning(NAME, text.clone()), text));
        }
    };
    let here = facts(&connect_pachd(scratch).await?, prepared).await?;
    let there = match facts(&source, prepared).await {
        Ok(there) => there,
        Err(error) => {
            let text = format!("not compared with the source: {}", crate::error::chain(&error));
            return Ok((Check::warning(NAME, text.clone()), text));
        }
    };
    let (mut equal, mut gone, mut different) = (0, 0, Vec::new());
    for (commit, found) in &here {
        match there.get(commit) {
            None => gone += 1,
            Some(same) if same == found => equal += 1,
            Some(_) => different.push(commit.as_str()),
        }
    }
    different.sort_unstable();
    let mut text = format!("{equal} commits have the trees, parents and provenance that they have at the source");
    if gone > 0 {
        text.push_str(&format!("; {gone} are gone there"));
    }
    let check = if different.is_empty() {
        Check::ok(NAME, text.clone())
    } else {
        let named = different.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
        Check::failed(NAME, format!("{text}; {} differ: {named}", different.len()))
    };
    Ok((check, text))
}

async fn connect_source(home: &Target, prepared: &Prepared) -> Result<Client> {
    let source = connect_pachd(home).await?;
    let info = source.inspect_cluster().await.map_err(|error| pachd_error("asking for the cluster's id", error))?;
    let expected = &prepared.manifest.cluster.cluster_id;
    if info.id == *expected {
        return Ok(source);
    }
    let message =
        format!("the cluster in namespace {:?} has id {}, the source had {expected}", home.namespace, info.id);
    Err(Error::new(ErrorKind::WrongCluster, message))
}

/// A digest of what must be equal, for each commit of the recovery point that was finished.
async fn facts(pachd: &Client, prepared: &Prepared) -> Result<HashMap<String, [u8; 32]>> {
    let failed = |error| pachd_error("listing commits", error);
    let open = &prepared.manifest.open_work;
    let is_open = |id: &str| open.user_commits.iter().chain(&open.pipeline_commits).any(|open| open.id == id);
    let mut found = HashMap::new();
    let mut commits = pachd.all_commits().await.map_err(failed)?;
    while let Some(info) = commits.try_next().await.map_err(failed)? {
        let Some(commit) = &info.commit else { continue };
        let repo = commit.repo.as_ref().map(|repo| repo.name.as_str()).unwrap_or_default();
        let name = format!("{repo}@{}", commit.id);
        if prepared.stream.commits.contains(&name) && !is_open(&commit.id) {
            found.insert(name, digest(info));
        }
    }
    Ok(found)
}

/// Everything of a commit that both paths of a restore bring back.
fn digest(info: CommitInfo) -> [u8; 32] {
    let mut provenance = info.provenance;
    provenance.sort_by_cached_key(|one| one.encode_to_vec());
    let kept = CommitInfo {
        commit: info.commit,
        parent_commit: info.parent_commit,
        tree: info.tree,
        trees: info.trees,
        datums: info.datums,
        size_bytes: info.size_bytes,
        provenance,
        ..CommitInfo::default()
    };
    Sha256::digest(kept.encode_to_vec()).into()
}
