//! From `captured.json` to the manifest: everything is read back, then the manifest is written, last, create-only.

use jiff::Timestamp;

use super::captured::Captured;
use super::staging::Staging;
use super::volume;
use super::witness;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{EventKind, Events, Step};
use crate::job::{FinishSettings, Stores};
use crate::manifest::{Manifest, StreamWitness, sealed};
use crate::pause;
use crate::run_id::RunId;
use crate::vault::{RunState, Vault, layout};
use crate::verify;
use crate::verify::stream_against_etcd::Witnesses;

/// A recovery point that exists.
#[derive(Debug)]
pub struct Finished {
    /// Its manifest.
    pub manifest: Manifest,
    /// Where the manifest is.
    pub manifest_url: String,
    /// Why the cluster could not be put back, if it could not.
    pub still_paused: Option<Error>,
}

impl Finished {
    /// The recovery point, after its event was told.
    pub(super) fn told(
        vault: &Vault,
        run: &RunId,
        manifest: Manifest,
        still_paused: Option<Error>,
        events: &Events,
    ) -> Self {
        let manifest_url = format!("{}/{}", vault.location().trim_end_matches('/'), vault.key(run, layout::MANIFEST));
        events.emit(EventKind::RunFinished {
            manifest: Some(manifest_url.clone()),
            cluster_running: still_paused.is_none(),
        });
        Self { manifest, manifest_url, still_paused }
    }
}

/// Finishes a run that was captured and whose machine is gone, from any machine. A finished run is answered as it is. The
/// cluster is needed only where it holds a snapshot of the volume.
///
/// # Errors
/// `NotFound` for a run that never was captured; `Damaged` naming the part that is not as it was written.
pub async fn finish(
    vault: &Vault,
    run: &RunId,
    kubernetes: Option<&kube::Client>,
    stores: &dyn Stores,
    settings: &FinishSettings,
    events: &Events,
) -> Result<Finished> {
    events.emit(EventKind::RunStarted { run: run.to_string(), cluster: vault.cluster().to_owned() });
    let known = vault.list_runs().await?.into_iter().find(|entry| entry.run == *run);
    let state = known.map(|entry| entry.state).ok_or_else(|| {
        Error::new(ErrorKind::NotFound, format!("the vault has no run {run} of cluster {}", vault.cluster()))
            .advise("`pachsnap list` shows the runs")
    })?;
    let manifest = match state {
        RunState::Complete | RunState::Superseded => crate::manifest::read(&vault.read_manifest(run).await?)?,
        RunState::Captured => {
            let captured: Captured = vault.get_json(run, layout::CAPTURED).await?;
            let staging = Staging::create(&settings.staging, run)?;
            let files = fetch(vault, &captured, &staging).await?;
            let witness = check(vault, &captured, files, kubernetes, stores, settings, events).await?;
            commit(vault, &captured, witness, events).await?
        }
        RunState::Deleting => {
            return Err(Error::new(ErrorKind::NotFound, format!("the removal of run {run} was begun"))
                .advise("`pachsnap prune` goes on with it"));
        }
        RunState::Incomplete => {
            return Err(Error::new(ErrorKind::NotFound, format!("run {run} died before it had captured everything"))
                .advise("take a new snapshot; if the cluster is still paused: `pachsnap resume`"));
        }
    };
    let still_paused = still_paused(&manifest, kubernetes).await;
    Ok(Finished::told(vault, run, manifest, still_paused, events))
}

/// Why the cluster may still be paused: the run's undo record is in it, or the run did not see the end of its pause and nobody
/// can be asked.
async fn still_paused(manifest: &Manifest, kubernetes: Option<&kube::Client>) -> Option<Error> {
    if manifest.consistency.pause_ended.is_some() {
        return None;
    }
    let asked = match kubernetes {
        Some(kubernetes) => pause::paused_by(kubernetes, &manifest.cluster.namespace).await,
        None => Err(Error::new(ErrorKind::Unreachable, "the cluster can't be asked")),
    };
    match asked {
        Ok(Some(run)) if run == manifest.run => {
            Some(Error::new(ErrorKind::Failed, "the run's undo record is still in the cluster"))
        }
        Ok(_) => None,
        Err(cause) => {
            let what =
                "the run did not see the end of its pause, and whether somebody resumed the cluster can't be told";
            Some(Error::new(ErrorKind::Unreachable, what).because(cause))
        }
    }
}

/// Brings the parts that the comparison reads from the vault to this machine.
async fn fetch(vault: &Vault, captured: &Captured, staging: &Staging) -> Result<Witnesses> {
    let run = &captured.run;
    let stream = staging.file(layout::METADATA);
    vault.get_file_to_path(run, &captured.artifacts.metadata.file.name, &stream).await?;
    let etcd = match &captured.artifacts.etcd {
        Some(etcd) => {
            let path = staging.file(layout::ETCD_SNAPSHOT);
            vault.get_file_to_path(run, &etcd.file.name, &path).await?;
            Some(path)
        }
        None => None,
    };
    Ok(Witnesses { stream, etcd })
}

/// Everything that has to hold before the manifest is written: the metadata is whole, the snapshots can be used, the parts
/// and the clone are as they were written.
///
/// # Errors
/// `Incomplete` when the metadata lacks something, `Damaged` naming a part that is not as it was written.
pub(super) async fn check(
    vault: &Vault,
    captured: &Captured,
    files: Witnesses,
    kubernetes: Option<&kube::Client>,
    stores: &dyn Stores,
    settings: &FinishSettings,
    events: &Events,
) -> Result<StreamWitness> {
    let (artifacts, namespace) = (&captured.artifacts, &captured.cluster.namespace);
    let clone = stores.open_url(&artifacts.bucket.url)?.bucket;
    let witness = witness::compare(captured, files, clone, settings.largest_comparison, events).await?;
    volume::await_ready(artifacts, namespace, kubernetes, stores, settings.ready, events).await?;
    read_back(vault, captured, stores, events).await?;
    Ok(witness)
}

/// Reads back every part and lists the clone.
async fn read_back(vault: &Vault, captured: &Captured, stores: &dyn Stores, events: &Events) -> Result<()> {
    let artifacts = &captured.artifacts;
    events
        .step(Step::ReadBack, async {
            let parts = verify::check_parts(vault, &captured.run, artifacts).await?;
            let clone = verify::check_clone(vault, &captured.run, artifacts, stores).await?;
            let bad: Vec<_> = parts.iter().chain(&clone).filter(|check| !check.is_good()).collect();
            match bad.first() {
                None => {
                    Ok(((), format!("{} parts and {} objects are as written", parts.len(), artifacts.bucket.objects)))
                }
                Some(check) => Err(Error::new(ErrorKind::Damaged, format!("{}: {}", check.name, check.detail))
                    .advise("no manifest was written; take a new snapshot")),
            }
        })
        .await
}

/// Writes the manifest. Not to be cancelled: whoever is told that a run was cancelled must not find a manifest of it.
pub(super) async fn commit(
    vault: &Vault,
    captured: &Captured,
    witness: StreamWitness,
    events: &Events,
) -> Result<Manifest> {
    let manifest = Manifest {
        format: captured.format,
        digest: String::new(),
        tool: captured.tool.clone(),
        run: captured.run.to_string(),
        cluster_name: captured.cluster_name.clone(),
        started: captured.started,
        captured: captured.captured,
        committed: Timestamp::now(),
        steps: captured.steps.clone().into_iter().chain(events.steps()).collect(),
        cluster: captured.cluster.clone(),
        consistency: captured.consistency.clone(),
        pipelines: captured.pipelines.clone(),
        open_work: captured.open_work.clone(),
        checkpoint: captured.checkpoint.clone(),
        artifacts: captured.artifacts.clone(),
        witness,
        services: captured.services.clone(),
        warnings: captured.warnings.clone(),
    };
    events
        .step(Step::Commit, async {
            let (manifest, file) = sealed(manifest)?;
            let file = file.into();
            let written = vault.put_bytes_create_only(&captured.run, layout::MANIFEST, &file);
            events.change("write", layout::MANIFEST, written).await?;
            Ok::<_, Error>((manifest, "the recovery point exists".to_owned()))
        })
        .await
}
