//! `captured.json`: what a run has captured, written before the manifest so that any machine can finish it.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::capture::Content;
use super::cluster_objects;
use super::staging::Staging;
use crate::cluster::Cluster;
use crate::error::Result;
use crate::event::{Events, Step};
use crate::job::SnapshotSettings;
use crate::manifest::{
    Artifacts, BucketArtifact, Checkpoint, ClusterRecord, Consistency, ConsistencyMode, EtcdArtifact, FormatVersion,
    MetadataArtifact, OpenWork, PipelineRecord, ServiceRecord, StreamWitness,
};
use crate::pause::Undone;
use crate::run_id::RunId;
use crate::vault::{ClusterIdentity, Vault, layout};

/// Everything that the manifest will say, but for its own time and what the metadata is compared with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Captured {
    /// Format of this file.
    pub format: FormatVersion,
    /// Version of the tool.
    pub tool: String,
    /// The run.
    pub run: RunId,
    /// Name of the cluster in the vault.
    pub cluster_name: String,
    /// When the run began.
    pub started: Timestamp,
    /// When the content was fixed.
    pub captured: Timestamp,
    /// The cluster.
    pub cluster: ClusterRecord,
    /// How consistency was reached and proven.
    pub consistency: Consistency,
    /// Pipelines.
    pub pipelines: Vec<PipelineRecord>,
    /// Open work.
    pub open_work: OpenWork,
    /// For external loaders.
    pub checkpoint: Checkpoint,
    /// The parts.
    pub artifacts: Artifacts,
    /// What proves that the metadata stream is whole, if it was counted while the cluster was paused; else it has to be compared.
    pub witness: Option<StreamWitness>,
    /// Services.
    pub services: Vec<ServiceRecord>,
    /// Seconds that each step took until here.
    pub steps: BTreeMap<Step, f64>,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// What the run knows beside the content.
pub(super) struct Facts<'a> {
    pub(super) run: RunId,
    pub(super) started: Timestamp,
    pub(super) pause_began: Timestamp,
    pub(super) pause_ended: Option<Timestamp>,
    pub(super) resumed: Option<&'a Undone>,
    pub(super) warnings: &'a [String],
    pub(super) steps: BTreeMap<Step, f64>,
}

/// Writes the parts and `captured.json` to the vault, create-only.
pub(super) async fn store(
    cluster: &Cluster,
    vault: &Vault,
    settings: &SnapshotSettings,
    content: Content,
    staging: &Staging,
    facts: Facts<'_>,
    events: &Events,
) -> Result<(Captured, String)> {
    let run = &facts.run;
    let identity = ClusterIdentity::new(
        &cluster.record.namespace_uid,
        &cluster.record.cluster_id,
        cluster.record.deployment_id.clone().unwrap_or_default(),
    );
    events.change("write", layout::CLUSTER, vault.pin_cluster(&identity)).await?;
    let put =
        async |name: &str, path: &Path| events.change("write", name, vault.put_file_from_path(run, name, path)).await;
    let objects = cluster_objects::read(cluster).await?;
    let objects_path = staging.file(layout::CLUSTER_OBJECTS);
    tokio::fs::write(&objects_path, objects)
        .await
        .map_err(|cause| crate::Error::new(crate::ErrorKind::Failed, "writing to the staging folder").because(cause))?;
    let cluster_objects = put(layout::CLUSTER_OBJECTS, &objects_path).await?;
    let metadata = put(layout::METADATA, &content.metadata_path).await?;
    let etcd = match &content.etcd {
        Some(etcd) => Some(EtcdArtifact {
            file: put(layout::ETCD_SNAPSHOT, &etcd.path).await?,
            revision: etcd.revision,
            keys: etcd.keys,
        }),
        None => None,
    };
    let mut inventory = Vec::new();
    for (number, part) in content.clone.inventory.parts().iter().enumerate() {
        inventory.push(put(&layout::inventory_part(number), &part.path).await?);
    }
    let summary = &content.metadata.summary;
    let mut warnings = facts.warnings.to_vec();
    warnings.extend(facts.resumed.iter().flat_map(|undone| undone.differences.clone()));
    let captured = Captured {
        format: crate::manifest::FORMAT,
        tool: format!("pachsnap {}", env!("CARGO_PKG_VERSION")),
        run: run.clone(),
        cluster_name: settings.cluster_name.clone(),
        started: facts.started,
        captured: content.captured,
        cluster: cluster.record.clone(),
        consistency: Consistency {
            mode: ConsistencyMode::Paused,
            proof: content.proof,
            pause_started: facts.pause_began,
            pause_ended: facts.pause_ended,
            pause_seconds: facts.pause_ended.map(|ended| super::seconds_between(facts.pause_began, ended)),
            fence: format!("{:?}", settings.fence).to_lowercase(),
        },
        pipelines: pipeline_records(cluster, facts.resumed),
        open_work: content.work.lasting,
        checkpoint: content.checkpoint,
        artifacts: Artifacts {
            volumes: content.volume.into_iter().collect(),
            etcd,
            bucket: BucketArtifact {
                url: content.clone_url,
                objects: content.clone.report.objects,
                bytes: content.clone.report.bytes,
                inventory,
            },
            metadata: MetadataArtifact {
                file: metadata,
                op_version: summary.version.map(|version| version.to_string()),
                ops: summary.ops.iter().map(|(kind, count)| (kind.to_string(), count)).collect(),
                largest_op: summary.largest_frame,
            },
            cluster_objects,
        },
        witness: content.witness,
        services: cluster
            .services
            .iter()
            .map(|service| service.record(settings.fence != crate::job::FenceMode::None))
            .collect(),
        steps: facts.steps,
        warnings,
    };
    let part =
        events.change("write", layout::CAPTURED, vault.put_json_create_only(run, layout::CAPTURED, &captured)).await?;
    let summary = format!("parts and {} are in the vault", part.name);
    Ok((captured, summary))
}

fn pipeline_records(cluster: &Cluster, resumed: Option<&Undone>) -> Vec<PipelineRecord> {
    let after: BTreeMap<&str, &str> =
        resumed.iter().flat_map(|undone| &undone.states).map(|(name, state)| (name.as_str(), state.as_str())).collect();
    cluster
        .pipelines
        .iter()
        .map(|pipeline| PipelineRecord {
            name: pipeline.name.clone(),
            version: pipeline.version,
            state: pipeline.state_name(),
            stopped: pipeline.stopped,
            stopped_by_run: pipeline.has_to_stop(),
            state_after: after.get(pipeline.name.as_str()).map(|state| (*state).to_owned()),
        })
        .collect()
}
