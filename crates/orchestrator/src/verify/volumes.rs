//! The snapshots of the disk under etcd: there, and usable.

use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use provider::{ErrorKind, SnapshotId, SnapshotState};

use super::Check;
use crate::job::Stores;
use crate::manifest::{Manifest, VolumeArtifact};

/// Longest wait for one answer: nobody should wait long for a cluster that is gone.
const PATIENCE: Duration = Duration::from_secs(15);

/// Asks for each snapshot. Without a cluster, or where it doesn't answer, that is said and no damage.
pub(super) async fn check(manifest: &Manifest, kubernetes: Option<&kube::Client>, stores: &dyn Stores) -> Vec<Check> {
    let mut checks = Vec::new();
    for volume in &manifest.artifacts.volumes {
        let name = format!("volume snapshot {}", volume.snapshot);
        checks.push(match kubernetes {
            None => Check::warning(name, "not looked for: no cluster is configured that holds it"),
            Some(kubernetes) => match tokio::time::timeout(PATIENCE, ask(manifest, volume, kubernetes, stores)).await {
                Ok(Answer::Ready(detail)) => Check::ok(name, detail),
                Ok(Answer::Unknown(why)) => Check::warning(name, format!("not looked for: {why}")),
                Ok(Answer::Unusable(why)) => Check::failed(name, why),
                Err(_) => Check::warning(name, "not looked for: the cluster doesn't answer"),
            },
        });
    }
    checks
}

enum Answer {
    Ready(String),
    Unknown(String),
    Unusable(String),
}

async fn ask(manifest: &Manifest, volume: &VolumeArtifact, kubernetes: &kube::Client, stores: &dyn Stores) -> Answer {
    let namespace = &manifest.cluster.namespace;
    let opened = match stores.open_volume(kubernetes, namespace, &volume.of) {
        Ok(Some(opened)) => opened,
        Ok(None) => return Answer::Unknown(format!("this build has no provider for {}", volume.of.source)),
        Err(error) => return Answer::Unknown(crate::error::chain(&error)),
    };
    match opened.snapshots.status(&SnapshotId(volume.snapshot.clone())).await {
        Ok(status) => match status.state {
            SnapshotState::Ready => Answer::Ready(format!("of {}, can be used", volume.of.volume)),
            SnapshotState::Pending { percent } => {
                let far = percent.map_or(String::new(), |percent| format!(" ({percent} %)"));
                Answer::Unusable(format!("was ready once, and is not now{far}"))
            }
            SnapshotState::Failed { reason } => Answer::Unusable(format!("can't be used: {reason}")),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => {
            if is_its_cluster(manifest, kubernetes).await {
                Answer::Unusable("is gone: a restore needs etcd's own snapshot or the metadata".to_owned())
            } else {
                Answer::Unknown(format!("the configured cluster is not the one that namespace {namespace} was in"))
            }
        }
        Err(error) => Answer::Unknown(crate::error::chain(&error)),
    }
}

/// Whether the namespace that the recovery point was taken of is in this cluster.
async fn is_its_cluster(manifest: &Manifest, kubernetes: &kube::Client) -> bool {
    let namespaces: Api<Namespace> = Api::all(kubernetes.clone());
    match namespaces.get(&manifest.cluster.namespace).await {
        Ok(found) => found.metadata.uid.as_deref() == Some(&manifest.cluster.namespace_uid),
        Err(_) => false,
    }
}
