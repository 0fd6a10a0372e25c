//! What came back, held against what the recovery point says.

use pachyderm::client::{Client, Unreadable};

use super::presence::Presence;
use super::stream_content::StreamContent;
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::Checkpoint;

/// Names that are told.
const NAMED: usize = 20;
/// The repo of pipelines' specifications, which no listing of repos shows.
const SPEC_REPO: &str = "__spec__";

/// How much has to be the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fidelity {
    /// Everything, and nothing else is there.
    Exact,
    /// Everything is there; pachd has made new output commits, and may have moved heads of output branches.
    WithNewOutputs,
}

/// Compares repos, commits, branches, heads, pipelines and jobs with a stream, and the heads of input branches with the
/// checkpoint.
///
/// # Errors
/// `Incomplete` naming what is missing, surplus or different; those of pachd.
pub(super) async fn compare(
    pachd: &Client,
    expected: &StreamContent,
    checkpoint: Option<&Checkpoint>,
    fidelity: Fidelity,
) -> Result<((), String)> {
    let present = Presence::read(pachd, Unreadable::Refuse).await.map_err(|error| {
        Error::new(ErrorKind::Incomplete, "the restored cluster can't be listed")
            .because(error)
            .advise("a pipeline whose specification can't be read means that the bucket lacks objects: see pachd's log")
    })?;
    let exact = fidelity == Fidelity::Exact;
    let mut found = Vec::new();
    let repos = expected.repos.iter().filter(|name| *name != SPEC_REPO).collect::<Vec<_>>();
    note(&mut found, "repo missing", repos.iter().filter(|name| !present.repos.contains(**name)));
    note(&mut found, "commit missing", expected.commits.iter().filter(|name| !present.commits.contains(*name)));
    note(&mut found, "branch missing", expected.branches.keys().filter(|name| !present.branches.contains_key(*name)));
    note(&mut found, "pipeline missing", expected.pipelines.iter().filter(|name| !present.pipelines.contains(*name)));
    if exact {
        note(&mut found, "repo surplus", present.repos.iter().filter(|name| !expected.repos.contains(*name)));
        note(&mut found, "commit surplus", present.commits.iter().filter(|name| !expected.commits.contains(*name)));
        note(&mut found, "branch surplus", present.branches.keys().filter(|it| !expected.branches.contains_key(*it)));
        let heads = expected.branches.iter().filter(|(name, head)| present.branches.get(*name) != Some(*head));
        note(&mut found, "other head of branch", heads.map(|(name, _)| name));
    }
    note(&mut found, "pipeline surplus", present.pipelines.iter().filter(|name| !expected.pipelines.contains(*name)));
    let heads = checkpoint.iter().flat_map(|checkpoint| &checkpoint.heads);
    let moved = heads.map(|head| (format!("{}@{}", head.repo, head.branch), &head.commit));
    let moved: Vec<String> =
        moved.filter(|(name, head)| present.branches.get(name) != Some(*head)).map(|(name, _)| name).collect();
    note(&mut found, "input branch with another head than in the checkpoint:", moved.iter());
    if present.jobs < expected.jobs || (exact && present.jobs != expected.jobs) {
        found.push(format!("{} jobs, {} are recorded", present.jobs, expected.jobs));
    }
    if !found.is_empty() {
        found.truncate(NAMED);
        return Err(Error::new(
            ErrorKind::Incomplete,
            format!("what came back is not what the recovery point says: {}", found.join("; ")),
        ));
    }
    let new = present.commits.len() - expected.commits.len().min(present.commits.len());
    let mut text = format!(
        "{} repos, {} commits, {} branches, {} pipelines, {} jobs are back",
        repos.len(),
        expected.commits.len(),
        expected.branches.len(),
        expected.pipelines.len(),
        expected.jobs
    );
    if new > 0 {
        text.push_str(&format!("; pachd made {new} new output commits"));
    }
    Ok(((), text))
}

fn note<T: std::fmt::Display>(found: &mut Vec<String>, what: &str, names: impl Iterator<Item = T>) {
    let mut names: Vec<String> = names.map(|name| name.to_string()).collect();
    if names.is_empty() {
        return;
    }
    names.sort();
    let (count, more) = (names.len(), if names.len() > NAMED { ", …" } else { "" });
    names.truncate(NAMED);
    found.push(format!("{what} ({count}): {}{more}", names.join(", ")));
}
