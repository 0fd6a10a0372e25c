//! The plan: what a snapshot would do, and how long the pause would be. Changes nothing.

use serde::Serialize;

use super::preflight::{self, Writes};
use super::volume::EtcdVolume;
use crate::cluster::{ClusterDescription, discover};
use crate::error::Result;
use crate::event::{Events, Step};
use crate::job::{SnapshotSettings, Stores, Target};
use crate::pause::{UndoRecord, check_fence_is_possible};

/// Seconds that pachd's pipeline master takes for each pipeline, whatever the parallelism: measured on 1.13.4.
const SECONDS_PER_PIPELINE: f64 = 2.8;
/// Bytes of etcd's snapshot per second: a cautious figure for a busy node.
const ETCD_BYTES_PER_SECOND: f64 = 50e6;

/// What a snapshot would do.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// The cluster.
    pub cluster: ClusterDescription,
    /// Where the parts would go.
    pub vault: String,
    /// Under which URL the clone would get a prefix of its own.
    pub clone: String,
    /// How traffic would be kept out.
    pub fence: String,
    /// Services that would be fenced.
    pub fenced_services: Vec<String>,
    /// Pipelines that would be stopped and started.
    pub pipelines_to_stop: Vec<String>,
    /// Disks under etcd that would be snapshotted: PersistentVolume and its source.
    pub volumes: Vec<String>,
    /// Loaders that would be paused.
    pub loaders: usize,
    /// The predicted pause, part by part.
    pub pause: Vec<PausePart>,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// A part of the predicted pause.
#[derive(Clone, Debug, Serialize)]
pub struct PausePart {
    /// Seconds; absent where nothing can be said.
    pub seconds: Option<f64>,
    /// Why.
    pub reason: String,
}

impl Plan {
    /// The predicted pause in seconds, what can't be predicted left out.
    #[must_use]
    pub fn pause_seconds(&self) -> f64 {
        self.pause.iter().filter_map(|part| part.seconds).sum()
    }

    /// The plan for people.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let cluster = &self.cluster.cluster;
        let mut lines = vec![
            format!(
                "cluster    {} in namespace {}, pachd {}",
                cluster.cluster_id, cluster.namespace, cluster.pachd_version
            ),
            format!(
                "bucket     {} (root {}{})",
                cluster.bucket,
                cluster.root,
                if cluster.reversed_keys { ", reversed keys" } else { "" }
            ),
            format!("vault      {}", self.vault),
            format!("clone      a new prefix under {}", self.clone),
            format!("fence      {} ({})", self.fence, self.fenced_services.join(", ")),
            format!("stop       {} pipelines: {}", self.pipelines_to_stop.len(), self.pipelines_to_stop.join(", ")),
        ];
        if !self.volumes.is_empty() {
            lines.push(format!("disk       a snapshot of {}", self.volumes.join(", ")));
        }
        if self.loaders > 0 {
            lines.push(format!("loaders    {} are paused and put back", self.loaders));
        }
        lines.push(format!("pause      about {:.0} s", self.pause_seconds()));
        lines.extend(self.pause.iter().map(|part| match part.seconds {
            Some(seconds) => format!("           {seconds:.0} s {}", part.reason),
            None => format!("           ? s {}", part.reason),
        }));
        lines.extend(self.warnings.iter().map(|warning| format!("warning    {warning}")));
        lines
    }
}

/// Discovers and checks everything, and says what a snapshot would do. Writes nothing, anywhere.
///
/// # Errors
/// Those that a snapshot would end with before its first change.
pub async fn plan(target: &Target, settings: &SnapshotSettings, stores: &dyn Stores, events: &Events) -> Result<Plan> {
    let cluster = events
        .step(Step::Discover, async {
            let cluster = discover(target, stores, events).await?;
            Ok::<_, crate::Error>((cluster, "the cluster is what it seems".to_owned()))
        })
        .await?;
    let checked =
        events.step(Step::Preflight, preflight::preflight(&cluster, settings, stores, Writes::Forbidden)).await?;
    let record = UndoRecord::of(&cluster, settings, "plan", checked.loaders).await?;
    let mut warnings = checked.warnings;
    warnings.extend(check_fence_is_possible(&cluster, settings, &record).await?);
    let to_stop: Vec<String> =
        record.pipelines.iter().filter(|pipeline| pipeline.to_stop).map(|pipeline| pipeline.name.clone()).collect();
    let settling = SECONDS_PER_PIPELINE * to_stop.len() as f64;
    let mut pause = vec![
        PausePart {
            seconds: (cluster.work.draining() == 0).then_some(0.0),
            reason: format!("{} commits and jobs have to end first", cluster.work.draining()),
        },
        PausePart { seconds: Some(settling), reason: format!("{} pipelines stop one after another", to_stop.len()) },
        PausePart { seconds: Some(settling), reason: format!("{} pipelines start one after another", to_stop.len()) },
    ];
    if !checked.volumes.is_empty() {
        pause.push(PausePart { seconds: None, reason: "the snapshot of the disk is cut".to_owned() });
    }
    if let Some(etcd) = &cluster.record.etcd {
        pause.push(PausePart {
            seconds: Some(etcd.db_size as f64 / ETCD_BYTES_PER_SECOND),
            reason: format!("etcd's snapshot of {} bytes", etcd.db_size),
        });
    }
    pause.push(PausePart {
        seconds: None,
        reason: "one listing of the bucket, and what changed since the copy before the pause".to_owned(),
    });
    Ok(Plan {
        vault: settings.vault.clone(),
        clone: settings.clone.clone(),
        fence: preflight::fence_in_words(&settings.fence).to_owned(),
        fenced_services: record.services.iter().map(|service| service.name.clone()).collect(),
        pipelines_to_stop: to_stop,
        volumes: checked.volumes.iter().map(EtcdVolume::describe).collect(),
        loaders: record.loaders.len(),
        pause,
        warnings,
        cluster: cluster.describe(),
    })
}
