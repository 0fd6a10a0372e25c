//! Capture: the content of every artifact is fixed, in parallel, while nothing writes.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use pachyderm::etcd::snapshot_file::SnapshotSummary;
use tokio::fs::File;

use super::bucket::BucketClone;
use super::extract::{ExtractOptions, Extracted, extract_to_file};
use super::gate;
use super::movement::Movement;
use super::recount::recount;
use super::staging::Staging;
use super::witness;
use crate::clone::ClonePass;
use crate::cluster::{Cluster, etcd_error};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Artifact, EventKind, Events, Step};
use crate::manifest::{QuietProof, StreamWitness, VolumeArtifact};
use crate::pause::{Hold, Paused, check_fence};
use crate::verify::stream_against_etcd::Witnesses;

/// Where a capture goes.
pub(super) struct Destination<'a> {
    pub(super) clone: &'a BucketClone,
    pub(super) staging: &'a Staging,
    /// What the clone and all else that is captured tell of their progress.
    pub(super) movement: &'a Movement,
    /// Longest time in which nothing moves.
    pub(super) stall: Duration,
    /// Largest etcd snapshot that the stream will be compared with, in bytes.
    pub(super) largest_comparison: u64,
}

/// What was captured; the files are in staging.
pub(super) struct Content {
    pub(super) captured: Timestamp,
    pub(super) proof: QuietProof,
    pub(super) etcd: Option<EtcdContent>,
    pub(super) volume: Option<VolumeArtifact>,
    pub(super) metadata: Extracted,
    pub(super) metadata_path: PathBuf,
    pub(super) witness: Option<StreamWitness>,
    pub(super) clone: ClonePass,
    pub(super) clone_url: String,
    pub(super) work: crate::cluster::Work,
    pub(super) checkpoint: crate::manifest::Checkpoint,
}

impl Content {
    /// What the metadata is checked by.
    pub(super) fn witnesses(&self) -> Witnesses {
        Witnesses { stream: self.metadata_path.clone(), etcd: self.etcd.as_ref().map(|etcd| etcd.path.clone()) }
    }
}

/// etcd's own snapshot, checked.
pub(super) struct EtcdContent {
    pub(super) path: PathBuf,
    pub(super) size: u64,
    pub(super) revision: i64,
    pub(super) keys: u64,
}

/// Captures everything. The first failure ends the others. Answers only when quiet is proven, the hold and the fence
/// still stand, and every object that the stream names is in the clone.
pub(super) async fn capture(
    cluster: &Cluster,
    paused: Paused,
    hold: &Hold,
    destination: Destination<'_>,
    cut: impl Future<Output = Result<Option<VolumeArtifact>>>,
    events: &Events,
) -> Result<Content> {
    let Paused { work, checkpoint, quiet, .. } = paused;
    let Destination { clone, staging, movement, stall, largest_comparison } = destination;
    let metadata_path = staging.file("metadata.pachd");
    let etcd_path = staging.file("etcd.snapshot.db");
    let artifacts = events.step(Step::Capture, async {
        let all = async {
            tokio::try_join!(
                cut,
                events.artifact(Artifact::Etcd, snapshot_etcd(cluster, etcd_path.clone(), events, movement)),
                events.artifact(
                    Artifact::Metadata,
                    extract_to_file(&cluster.pachd, ExtractOptions::default(), &metadata_path, events, movement)
                ),
                events.artifact(Artifact::Bucket, clone.final_pass()),
            )
        };
        let (volume, etcd, metadata, clone) = tokio::select! {
            biased;
            disturbed = quiet.disturbed() => return Err(disturbed),
            all = movement.limit(stall, all) => all?,
        };
        let summary = format!("{} ops, {} objects", metadata.summary.ops.total(), clone.report.objects);
        Ok::<_, Error>(((volume, etcd, metadata, clone), summary))
    });
    let (volume, etcd, metadata, clone_pass) = artifacts.await?;
    let captured = Timestamp::now();
    // Without a second witness the stream is counted against what pachd lists, as long as nothing moves.
    let witness = if witness::is_expected(cluster, etcd.as_ref().map(|etcd| etcd.size), largest_comparison) {
        None
    } else {
        movement.limit(stall, recount(&cluster.pachd, &metadata.summary.ops, movement)).await?;
        Some(StreamWitness::Recount)
    };
    let proof = quiet.finish(cluster).await?;
    check_revision(&proof, etcd.as_ref())?;
    hold.check().await?;
    check_fence(cluster, hold.record()).await?;
    let layout = &cluster.location.layout;
    events
        .step(Step::Gate, async {
            let named = gate::check(&metadata_path, &clone_pass.inventory, layout).await?;
            Ok::<_, Error>(((), format!("all {named} objects that the metadata names are in the clone")))
        })
        .await?;
    Ok(Content {
        captured,
        proof,
        etcd,
        volume,
        metadata,
        metadata_path,
        witness,
        clone: clone_pass,
        clone_url: clone.url().to_owned(),
        work,
        checkpoint,
    })
}

/// A snapshot is one member's: one that lags behind holds an older state than the one that was proven quiet.
fn check_revision(proof: &QuietProof, etcd: Option<&EtcdContent>) -> Result<()> {
    match (proof, etcd) {
        (QuietProof::EtcdWatch { from_revision, .. }, Some(etcd)) if etcd.revision < *from_revision => Err(Error::new(
            ErrorKind::Incomplete,
            format!("etcd's snapshot is of revision {}, the cluster came to rest at {from_revision}", etcd.revision),
        )
        .advise("the member that answered lags behind its leader: see `etcdctl endpoint status`, then run again")),
        _ => Ok(()),
    }
}

/// Streams etcd's snapshot to disk, checks its trailer, and reads its revision from the file itself.
async fn snapshot_etcd(
    cluster: &Cluster,
    path: PathBuf,
    events: &Events,
    movement: &Movement,
) -> Result<Option<EtcdContent>> {
    let Some(etcd) = &cluster.etcd else { return Ok(None) };
    let total = cluster.record.etcd.as_ref().map(|etcd| etcd.db_size);
    let report = |bytes: u64| {
        movement.moved();
        events.emit(EventKind::Progress { artifact: Artifact::Etcd, done: bytes, total, bytes: Some(bytes) });
    };
    let disk = |cause| Error::new(ErrorKind::Failed, "writing etcd's snapshot to disk").because(cause);
    let mut file = File::create_new(&path).await.map_err(disk)?;
    let stream = etcd.snapshot().await.map_err(|error| etcd_error("the snapshot", error))?;
    stream.copy_to(&mut file, report).await.map_err(|error| etcd_error("the snapshot", error))?;
    file.sync_all().await.map_err(disk)?;
    let size = file.metadata().await.map_err(disk)?.len();
    let reading = path.clone();
    movement.works_on(size);
    let summary = tokio::task::spawn_blocking(move || SnapshotSummary::open(&reading))
        .await
        .map_err(|cause| Error::new(ErrorKind::Failed, "reading etcd's snapshot ended early").because(cause))?
        .map_err(|cause| {
            Error::new(ErrorKind::Incomplete, "etcd's snapshot can't be read back").because(cause).advise("run again")
        })?;
    let revision = summary.revision;
    let keys = etcd.count(revision).await.map_err(|error| etcd_error("counting keys", error))?;
    Ok(Some(EtcdContent { path, size, revision, keys }))
}
