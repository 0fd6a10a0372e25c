//! Snapshots of CSI volumes, as the configuration says.

use std::sync::Arc;

use orchestrator::job::{OpenedVolume, SnapshotService};
use orchestrator::manifest::EtcdVolumeRecord;
use provider::VolumeId;
use provider_onprem::{CsiOptions, CsiSnapshots, DeletionPolicy};

use crate::config::Config;

/// The cluster's own snapshots of a volume, which its claim names.
pub(super) fn open(
    config: &Config,
    kubernetes: &kube::Client,
    namespace: &str,
    volume: &EtcdVolumeRecord,
) -> Option<OpenedVolume> {
    let options = CsiOptions {
        class: config.text("snapshot.volume-class").map(str::to_owned),
        deletion: match config.text("snapshot.volume-deletion-policy") {
            Some("retain") => DeletionPolicy::Retain,
            _ => DeletionPolicy::OfClass,
        },
        poll: config.span("snapshot.poll"),
        ..CsiOptions::default()
    };
    let snapshots = Arc::new(CsiSnapshots::new(kubernetes, namespace, options));
    Some(OpenedVolume { snapshots, volume: VolumeId(volume.claim.clone()), service: SnapshotService::Cluster })
}
