//! Snapshots of the disk that belong to runs.

use provider::{Owner, SnapshotId};
use serde::{Deserialize, Serialize};

use super::{Disks, Places};
use crate::error::{Error, ErrorKind, Result};
use crate::job::OpenedVolume;
use crate::manifest::EtcdVolumeRecord;

/// A snapshot of a volume under etcd.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiskSnapshot {
    /// The provider's name of it.
    pub id: String,
    /// The volume that it was cut from.
    pub of: EtcdVolumeRecord,
}

/// Every snapshot with our tags, with the run that it belongs to; empty without a cluster.
pub(super) async fn tagged(places: &Places<'_>) -> Result<Vec<(String, DiskSnapshot)>> {
    let Some(disks) = places.disks else { return Ok(Vec::new()) };
    let owner = Owner { cluster: places.vault.cluster().to_owned(), run: String::new() };
    let mut found = Vec::new();
    for record in &disks.volumes {
        let Some(opened) = places.stores.open_volume(&disks.kubernetes, &disks.namespace, record)? else { continue };
        for snapshot in opened.snapshots.list(&owner).await? {
            let tagged = (snapshot.owner.run.clone(), DiskSnapshot { id: snapshot.id.0.clone(), of: record.clone() });
            // Two members of etcd may have their volumes from one service, which lists all of them.
            if !found.iter().any(|(_, known): &(String, DiskSnapshot)| known.id == tagged.1.id) {
                found.push(tagged);
            }
        }
    }
    Ok(found)
}

/// Deletes one.
pub(super) async fn delete(places: &Places<'_>, snapshot: &DiskSnapshot) -> Result<()> {
    let disks = needed(places, snapshot)?;
    let opened = open(places, disks, snapshot)?;
    Ok(opened.snapshots.delete(&SnapshotId(snapshot.id.clone())).await?)
}

/// The cluster that a snapshot is in.
///
/// # Errors
/// `Configuration` when none can be reached.
pub(super) fn needed<'a>(places: &Places<'a>, snapshot: &DiskSnapshot) -> Result<&'a Disks> {
    places.disks.ok_or_else(|| {
        Error::new(ErrorKind::Configuration, format!("snapshot {} is in a cluster that isn't reached", snapshot.id))
            .advise("name the cluster with --kubeconfig and --context, so that nothing is left that costs money")
    })
}

fn open(places: &Places<'_>, disks: &Disks, snapshot: &DiskSnapshot) -> Result<OpenedVolume> {
    places.stores.open_volume(&disks.kubernetes, &disks.namespace, &snapshot.of)?.ok_or_else(|| {
        let source = &snapshot.of.source;
        Error::new(ErrorKind::Configuration, format!("this build has no provider for snapshots of {source}"))
    })
}
