//! The disk under etcd: cut while the cluster is paused, waited for after it runs again.

use std::error::Error as _;
use std::time::Duration;

use provider::{CutRequest, Notices, Owner, SnapshotId, SnapshotState, SnapshotStatus};
use tokio::time::Instant;

use crate::cluster::rights::Rights;
use crate::cluster::{Cluster, etcd_of_pod};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Artifact, EventKind, Events, Step};
use crate::job::{OpenedVolume, ReadyLimits, SnapshotService, SnapshotSettings, Stores, VolumePolicy};
use crate::manifest::{Artifacts, EtcdVolumeRecord, VolumeArtifact};
use crate::run_id::RunId;

/// A volume under a member of etcd, and whatever snapshots it.
#[derive(Clone)]
pub(super) struct EtcdVolume {
    record: EtcdVolumeRecord,
    opened: OpenedVolume,
}

impl EtcdVolume {
    /// The volume and its source, for people.
    pub(super) fn describe(&self) -> String {
        format!("{} ({})", self.record.volume, self.record.source)
    }
}

/// The volumes under etcd that a provider snapshots, each looked at. Without any, what that means is in the warnings, and so
/// is what the snapshots don't survive.
///
/// # Errors
/// `Configuration` when a snapshot is required and none can be taken; `Denied` when rights are missing; those of the provider.
pub(super) async fn open(
    cluster: &Cluster,
    settings: &SnapshotSettings,
    stores: &dyn Stores,
    warnings: &mut Vec<String>,
) -> Result<Vec<EtcdVolume>> {
    if settings.volume == VolumePolicy::Skip {
        warnings.push(
            "the disk under etcd is not snapshotted, as the configuration says: etcd's own snapshot stands for it"
                .to_owned(),
        );
        return Ok(Vec::new());
    }
    let (mut volumes, mut without, mut cautions) = (Vec::new(), Vec::new(), Vec::new());
    for record in &cluster.record.etcd_volumes {
        match stores.open_volume(&cluster.kubernetes, cluster.namespace(), record)? {
            Some(opened) => match opened.snapshots.inspect(&opened.volume).await {
                Ok(facts) => {
                    cautions.extend(facts.cautions);
                    volumes.push(EtcdVolume { record: record.clone(), opened });
                }
                Err(error) if error.kind() == provider::ErrorKind::Unsupported => {
                    let why = error.source().map_or_else(|| error.to_string(), ToString::to_string);
                    without.push(format!("{} ({}): {why}", record.volume, record.source));
                }
                Err(error) => return Err(unusable(error, opened.service)),
            },
            None => without.push(format!("{} ({}): no provider for it is configured", record.volume, record.source)),
        }
    }
    if !volumes.is_empty() && without.is_empty() {
        if volumes.iter().any(|volume: &EtcdVolume| volume.opened.service == SnapshotService::Cluster) {
            Rights::of_volume_snapshots(cluster.namespace()).check(&cluster.kubernetes).await?;
        }
        // Better known now than in the pause. Another one may lead by then.
        leaders(cluster, &volumes).await?;
        warnings.append(&mut cautions);
        return Ok(volumes);
    }
    let why = match without.as_slice() {
        [] => "no volume was found under etcd".to_owned(),
        names => format!("no snapshot can be made of {}", names.join("; ")),
    };
    if settings.volume == VolumePolicy::Require {
        return Err(Error::new(ErrorKind::Configuration, why)
            .advise("set snapshot.volume to \"auto\" or \"skip\": etcd's own snapshot then stands for the disk"));
    }
    warnings.push(format!("{why}: etcd's own snapshot stands for the disk"));
    Ok(Vec::new())
}

fn unusable(error: provider::Error, service: SnapshotService) -> Error {
    let advice = match (error.kind(), service) {
        (provider::ErrorKind::Denied, SnapshotService::Cloud) => {
            "grant that right to the credentials that are used for the cloud, or set snapshot.volume to \"skip\": etcd's own snapshot \
             then stands for the disk"
        }
        (provider::ErrorKind::Denied, SnapshotService::Cluster) => {
            "`pachsnap rbac --for snapshot` prints the rights that are needed; or set snapshot.volume to \"skip\": etcd's own \
             snapshot then stands for the disk"
        }
        _ => "mend it, or set snapshot.volume to \"skip\": etcd's own snapshot then stands for the disk",
    };
    Error::from(error).advise(advice)
}

/// Fixes the point in time of the snapshot. Of several members the leader's volume is cut: everything that was
/// acknowledged is in it.
pub(super) async fn cut(
    cluster: &Cluster,
    volumes: &[EtcdVolume],
    settings: &SnapshotSettings,
    run: &RunId,
    events: &Events,
) -> Result<Option<VolumeArtifact>> {
    let Some(volume) = leaders(cluster, volumes).await? else { return Ok(None) };
    let request = CutRequest {
        volume: volume.opened.volume.clone(),
        identity: format!("pachsnap-{run}-etcd"),
        owner: owner(&settings.cluster_name, run),
        description: format!("etcd of Pachyderm cluster {}, recovery point {run}", settings.cluster_name),
        limit: settings.stall,
        notices: Notices::to({
            let events = events.clone();
            move |sentence| events.warn(sentence)
        }),
    };
    let cutting = async {
        volume.opened.snapshots.cut(&request).await.map_err(|error| {
            Error::from(error).advise(
                "find out why by the snapshot service's own log and events, or set snapshot.volume to \"skip\": etcd's own \
                 snapshot then stands for the disk",
            )
        })
    };
    let change = events.change("snapshot volume", volume.record.volume.clone(), cutting);
    let snapshot = events.artifact(Artifact::Volume, change).await?;
    Ok(Some(VolumeArtifact {
        of: volume.record.clone(),
        snapshot: snapshot.id.0,
        cut_at: snapshot.cut_at,
        size: snapshot.size,
        details: snapshot.details,
    }))
}

fn owner(cluster: &str, run: &RunId) -> Owner {
    Owner { cluster: cluster.to_owned(), run: run.to_string() }
}

/// The volume under etcd's leader; the only one of a single member.
async fn leaders<'a>(cluster: &Cluster, volumes: &'a [EtcdVolume]) -> Result<Option<&'a EtcdVolume>> {
    if let [] | [_] = volumes {
        return Ok(volumes.first());
    }
    let mut silent = None;
    for volume in volumes {
        match etcd_of_pod(cluster.pods.named(&volume.record.pod, cluster.etcd_port)).await {
            Ok(status) if status.header.as_ref().is_some_and(|header| header.member_id == status.leader) => {
                return Ok(Some(volume));
            }
            Ok(_) => {}
            // A member may be away as long as another one leads.
            Err(error) => {
                let unasked = format!("pod {} can't be asked", volume.record.pod);
                silent = Some(Error::new(ErrorKind::Unreachable, unasked).because(error));
            }
        }
    }
    let unknown = Error::new(ErrorKind::Unreachable, "none of etcd's pods says that it is the leader, whose disk is the one to cut")
        .advise(
            "etcd may be electing one: see `etcdctl endpoint status` and run again; or set snapshot.volume to \"skip\": etcd's own \
             snapshot then stands for the disk",
        );
    Err(match silent {
        Some(cause) => unknown.because(cause),
        None => unknown,
    })
}

/// Deletes what a run that failed had cut, so that nobody pays for it. What can't be deleted is named in a warning.
pub(super) async fn discard(volumes: &[EtcdVolume], cluster_name: &str, run: &RunId, events: &Events) {
    let owner = owner(cluster_name, run);
    for volume in volumes {
        let found = match volume.opened.snapshots.list(&owner).await {
            Ok(found) => found,
            Err(error) => {
                events.warn(format!(
                    "a snapshot of {} may be left: it could not be looked for ({error})",
                    volume.record.volume
                ));
                continue;
            }
        };
        for snapshot in found {
            let deleting = async { volume.opened.snapshots.delete(&snapshot.id).await };
            if let Err(error) = events.change("delete snapshot", snapshot.id.0.clone(), deleting).await {
                events.warn(format!("snapshot {} is left and could not be deleted: {error}", snapshot.id.0));
            }
        }
    }
}

/// Waits until every snapshot can be used.
///
/// # Errors
/// `Incomplete` when one failed for good, `Deadline` when the limit passes; the run can be finished later.
pub(super) async fn await_ready(
    artifacts: &Artifacts,
    namespace: &str,
    kubernetes: Option<&kube::Client>,
    stores: &dyn Stores,
    limits: ReadyLimits,
    events: &Events,
) -> Result<()> {
    if artifacts.volumes.is_empty() {
        return Ok(());
    }
    events
        .step(Step::Await, async {
            for volume in &artifacts.volumes {
                let kubernetes = kubernetes.ok_or_else(|| {
                    Error::new(ErrorKind::Configuration, format!("snapshot {} is in a cluster", volume.snapshot))
                        .advise("name the cluster with --kubeconfig and --context")
                })?;
                let opened = stores.open_volume(kubernetes, namespace, &volume.of)?.ok_or_else(|| {
                    Error::new(
                        ErrorKind::Configuration,
                        format!("this build has no provider for snapshots of {}", volume.of.source),
                    )
                })?;
                wait(&opened, volume, limits, events).await?;
            }
            Ok::<_, Error>(((), format!("{} snapshots can be used", artifacts.volumes.len())))
        })
        .await
}

async fn wait(opened: &OpenedVolume, volume: &VolumeArtifact, limits: ReadyLimits, events: &Events) -> Result<()> {
    let id = SnapshotId(volume.snapshot.clone());
    let ends = Instant::now() + limits.longest;
    let mut told = None;
    loop {
        let answer = opened.snapshots.status(&id).await;
        if let Ok(SnapshotStatus { trouble: trouble @ Some(_), .. }) = &answer
            && *trouble != told
        {
            told.clone_from(trouble);
            let trouble = trouble.as_deref().unwrap_or_default();
            events.warn(format!("snapshot {} is not ready, and is tried again: {trouble}", volume.snapshot));
        }
        match answer {
            Ok(status) => match status.state {
                SnapshotState::Ready => return Ok(()),
                SnapshotState::Failed { reason } => {
                    return Err(Error::new(
                        ErrorKind::Incomplete,
                        format!("snapshot {} failed: {reason}", volume.snapshot),
                    )
                    .advise("take a new snapshot; this run has no manifest"));
                }
                SnapshotState::Pending { percent } => {
                    let done = u64::from(percent.unwrap_or_default());
                    let total = percent.map(|_| 100);
                    events.emit(EventKind::Progress {
                        artifact: Artifact::Volume,
                        done,
                        total,
                        bytes: status.stored_bytes,
                    });
                }
            },
            Err(error) if error.retry() != provider::Retry::Never => {
                events.warn(format!("asking for snapshot {}: {error}", volume.snapshot))
            }
            Err(error) => return Err(error.into()),
        }
        if Instant::now() >= ends {
            return Err(Error::new(
                ErrorKind::Deadline,
                format!("snapshot {} is not ready after {} s", volume.snapshot, limits.longest.as_secs()),
            )
            .advise("it goes on by itself: `pachsnap finish` completes the run when it is ready"));
        }
        tokio::time::sleep(limits.poll.max(Duration::from_millis(10))).await;
    }
}
