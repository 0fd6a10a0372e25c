//! Checking a recovery point from vault and clone alone.

use std::path::PathBuf;

use serde::Serialize;

use crate::clone::{Inventory, KeyMap, verify_clone};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Events, Step};
use crate::job::Stores;
use crate::manifest::{Artifacts, Manifest};
use crate::retry::RetryPolicy;
use crate::run_id::RunId;
use crate::snapshot::Superseded;
use crate::vault::{Part, PartState, RunState, Vault, VaultError, layout};

/// How far to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Depth {
    /// Schema and digests of every part in the vault, the stream read op by op.
    Quick,
    /// Also a fresh listing of the clone against the inventory.
    Full,
}

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was checked: a part or a property.
    pub name: String,
    /// Whether it is as it has to be.
    pub ok: bool,
    /// What was found.
    pub detail: String,
}

/// The results of all checks.
#[derive(Clone, Debug, Serialize)]
pub struct VerifyReport {
    /// The run.
    pub run: RunId,
    /// How far it was looked.
    pub depth: Depth,
    /// Each check.
    pub checks: Vec<Check>,
}

impl VerifyReport {
    /// Whether everything is as it has to be.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.checks.iter().all(|check| check.ok)
    }
}

/// Checks a recovery point.
///
/// # Errors
/// `NotFound` without a manifest; those of the stores. Damage is an answer, not an error.
pub async fn verify(
    vault: &Vault,
    run: &RunId,
    stores: &dyn Stores,
    depth: Depth,
    events: &Events,
) -> Result<VerifyReport> {
    events.step(Step::Verify, verify_all(vault, run, stores, depth)).await
}

async fn verify_all(vault: &Vault, run: &RunId, stores: &dyn Stores, depth: Depth) -> Result<(VerifyReport, String)> {
    let state = vault.list_runs().await?.into_iter().find(|entry| entry.run == *run).map(|entry| entry.state);
    if state == Some(RunState::Superseded) {
        let superseded: Superseded = vault.get_json(run, layout::SUPERSEDED).await?;
        let message = format!("run {run} is no recovery point any more: run {} writes to its clone", superseded.by);
        return Err(Error::new(ErrorKind::NotFound, message).advise("`pachsnap list` shows those that are"));
    }
    if state != Some(RunState::Complete) {
        return Err(Error::new(ErrorKind::NotFound, format!("run {run} has no manifest: it is no recovery point"))
            .advise(match state {
                Some(RunState::Captured) => format!("`pachsnap finish {run}` can still make it one"),
                _ => "`pachsnap list` shows the runs".to_owned(),
            }));
    }
    let mut checks = Vec::new();
    match crate::manifest::read(&vault.read_manifest(run).await?) {
        Ok(manifest) => {
            checks.push(identity(&manifest, run));
            checks.push(check_captured(vault, run, &manifest).await?);
            checks.extend(check_parts(vault, run, &manifest.artifacts).await?);
            checks.push(check_stream(vault, run, &manifest.artifacts).await?);
            if depth == Depth::Full {
                checks.extend(check_clone(vault, run, &manifest.artifacts, stores).await?);
            }
        }
        Err(error) if error.kind() == ErrorKind::Damaged => {
            checks.push(Check {
                name: "manifest.json".to_owned(),
                ok: false,
                detail: crate::cluster::discover_chain(&error),
            });
        }
        Err(error) => return Err(error),
    }
    let report = VerifyReport { run: run.clone(), depth, checks };
    let bad = report.checks.iter().filter(|check| !check.ok).count();
    let summary = format!("{} checks, {bad} failed", report.checks.len());
    Ok((report, summary))
}

fn identity(manifest: &Manifest, run: &RunId) -> Check {
    let ok = manifest.run == run.as_str();
    let detail = if ok {
        format!("format {}.{}", manifest.format.major, manifest.format.minor)
    } else {
        format!("it is that of run {}", manifest.run)
    };
    Check { name: "manifest.json".to_owned(), ok, detail }
}

/// Compares `captured.json` with the manifest: both say the same of everything that they share.
async fn check_captured(vault: &Vault, run: &RunId, manifest: &Manifest) -> Result<Check> {
    let name = layout::CAPTURED.to_owned();
    let captured: serde_json::Value = match vault.get_json(run, layout::CAPTURED).await {
        Ok(captured) => captured,
        Err(error @ (VaultError::Json { .. } | VaultError::Missing { .. })) => {
            return Ok(Check { name, ok: false, detail: crate::cluster::discover_chain(&error) });
        }
        Err(error) => return Err(error.into()),
    };
    let manifest = serde_json::to_value(manifest)
        .map_err(|cause| Error::new(ErrorKind::Failed, "reading the manifest as JSON").because(cause))?;
    let fields = captured.as_object().into_iter().flatten();
    let different: Vec<&str> = fields
        .filter(|(field, value)| match field.as_str() {
            // The manifest adds what came later.
            "steps" => !is_part_of(value, &manifest["steps"]),
            "witness" => !value.is_null() && **value != manifest["witness"],
            field => manifest.get(field) != Some(value),
        })
        .map(|(field, _)| field.as_str())
        .collect();
    let ok = different.is_empty() && captured.is_object();
    let detail =
        if ok { "as the manifest".to_owned() } else { format!("differs from the manifest: {}", different.join(", ")) };
    Ok(Check { name, ok, detail })
}

fn is_part_of(part: &serde_json::Value, whole: &serde_json::Value) -> bool {
    part.as_object().is_some_and(|part| part.iter().all(|(name, value)| whole.get(name) == Some(value)))
}

/// Reads back every file in the vault and compares size and SHA-256.
pub(crate) async fn check_parts(vault: &Vault, run: &RunId, artifacts: &Artifacts) -> Result<Vec<Check>> {
    let mut checks = Vec::new();
    for part in parts(artifacts) {
        let (ok, detail) = match vault.check_part(run, part).await? {
            PartState::Whole => (true, format!("{} bytes, SHA-256 as recorded", part.size)),
            PartState::Missing => (false, "missing".to_owned()),
            PartState::Different { size, sha256 } => (
                false,
                format!(
                    "damaged: {size} bytes with SHA-256 {sha256}, recorded are {} bytes with {}",
                    part.size, part.sha256
                ),
            ),
        };
        checks.push(Check { name: part.name.clone(), ok, detail });
    }
    Ok(checks)
}

fn parts(artifacts: &Artifacts) -> impl Iterator<Item = &Part> {
    [&artifacts.metadata.file, &artifacts.cluster_objects]
        .into_iter()
        .chain(artifacts.etcd.as_ref().map(|etcd| &etcd.file))
        .chain(&artifacts.bucket.inventory)
}

/// Reads the stream op by op and compares the counts.
async fn check_stream(vault: &Vault, run: &RunId, artifacts: &Artifacts) -> Result<Check> {
    let name = "metadata stream".to_owned();
    let folder = scratch()?;
    let path = folder.path().join("metadata.pachd");
    if let Err(error) = vault.get_file_to_path(run, &artifacts.metadata.file.name, &path).await {
        return Ok(Check { name, ok: false, detail: crate::cluster::discover_chain(&error) });
    }
    let recorded = artifacts.metadata.ops.clone();
    let result = tokio::task::spawn_blocking(move || count_ops(path))
        .await
        .map_err(|cause| Error::new(ErrorKind::Failed, "reading the stream ended early").because(cause))?;
    Ok(match result {
        Ok(counts) if counts == recorded => {
            Check { name, ok: true, detail: format!("{} ops as recorded", counts.values().sum::<u64>()) }
        }
        Ok(counts) => Check { name, ok: false, detail: format!("ops {counts:?}, recorded are {recorded:?}") },
        Err(error) => Check { name, ok: false, detail: crate::cluster::discover_chain(&error) },
    })
}

fn count_ops(path: PathBuf) -> Result<std::collections::BTreeMap<String, u64>, pachyderm::stream::StreamError> {
    let mut reader = pachyderm::stream::Reader::new(std::io::BufReader::new(std::fs::File::open(path)?));
    let mut counts = std::collections::BTreeMap::new();
    while let Some(op) = reader.next_op()? {
        *counts.entry(op.kind.to_string()).or_default() += 1;
    }
    Ok(counts)
}

/// Lists the clone and compares it with the inventory.
pub(crate) async fn check_clone(
    vault: &Vault,
    run: &RunId,
    artifacts: &Artifacts,
    stores: &dyn Stores,
) -> Result<Vec<Check>> {
    let folder = scratch()?;
    let mut paths = Vec::new();
    for (number, part) in artifacts.bucket.inventory.iter().enumerate() {
        let path = folder.path().join(format!("part-{number:05}.parquet"));
        vault.get_file_to_path(run, &part.name, &path).await?;
        paths.push(path);
    }
    let name = format!("clone {}", artifacts.bucket.url);
    let inventory = match Inventory::open(&paths).await {
        Ok(inventory) => inventory,
        Err(error) => {
            return Ok(vec![Check {
                name: "inventory".to_owned(),
                ok: false,
                detail: crate::cluster::discover_chain(&error),
            }]);
        }
    };
    let clone = stores.open_url(&artifacts.bucket.url)?;
    let found = verify_clone(clone.bucket, &inventory, &KeyMap::default(), RetryPolicy::default()).await?;
    let mut detail = format!("{} objects, {} bytes", found.objects, found.bytes);
    for (what, differences) in [("missing", &found.missing), ("extra", &found.extra), ("changed", &found.changed)] {
        if differences.count > 0 {
            detail.push_str(&format!("; {} {what}: {}", differences.count, differences.first.join(", ")));
        }
    }
    let counts_agree = found.objects == artifacts.bucket.objects && found.bytes == artifacts.bucket.bytes;
    if !counts_agree {
        detail.push_str(&format!(
            "; recorded are {} objects, {} bytes",
            artifacts.bucket.objects, artifacts.bucket.bytes
        ));
    }
    Ok(vec![Check { name, ok: found.is_exact() && counts_agree, detail }])
}

fn scratch() -> Result<tempfile::TempDir> {
    tempfile::tempdir().map_err(|cause| Error::new(ErrorKind::Failed, "making a temporary folder").because(cause))
}
