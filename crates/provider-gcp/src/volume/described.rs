//! What Compute Engine tells of snapshots, in the contract's words.

use google_cloud_compute_v1::model::Snapshot;
use jiff::Timestamp;
use provider::{ErrorKind, Result, SnapshotId, VolumeId, VolumeSnapshot};

use super::clients::SnapshotName;
use super::disk_id::DiskId;
use super::problem::PdProblem;
use super::record::Record;
use super::refusal;

/// Bytes of a disk's unit of size.
pub(super) const GIB: u64 = 1 << 30;

/// The name of a snapshot that was answered.
pub(super) fn name_of(snapshot: &Snapshot) -> Option<SnapshotName> {
    SnapshotName::of(DiskId::path_in(snapshot.self_link.as_deref()?))
}

/// The path of the disk that a snapshot was cut from.
pub(super) fn disk_of(snapshot: &Snapshot) -> Option<&str> {
    snapshot.source_disk.as_deref().map(DiskId::path_in)
}

/// The record of a snapshot; `None` for one that this program did not make.
pub(super) fn record_of(snapshot: &Snapshot) -> Option<Record> {
    Record::read(snapshot.description.as_ref(), &snapshot.labels)
}

/// Size in bytes of the disk that a snapshot was cut from.
pub(super) fn size_of(snapshot: &Snapshot) -> Option<u64> {
    Some(u64::try_from(snapshot.disk_size_gb?).ok()? * GIB)
}

/// A snapshot and its record.
///
/// # Errors
/// `Corrupt` when the answer leaves out what every snapshot has.
pub(super) fn told(snapshot: &Snapshot, record: Record) -> Result<VolumeSnapshot> {
    let name = name_of(snapshot);
    let missing = |what| {
        let resource = format!("snapshot {}", snapshot.name.as_deref().unwrap_or("(without name)"));
        refusal::own(ErrorKind::Corrupt, "snapshots.get", resource, PdProblem::Contradiction(what))
    };
    let name = name.ok_or_else(|| missing("the snapshot has no link to itself"))?;
    let created =
        snapshot.creation_timestamp.as_deref().ok_or_else(|| missing("the snapshot has no time of creation"))?;
    let cut_at: Timestamp = created.parse().map_err(|_| missing("the snapshot's time of creation is none"))?;
    let owner = record.owner();
    let mut details = record.source;
    details.insert("project".to_owned(), name.project.clone());
    details.extend(snapshot.id.map(|id| ("snapshot-id".to_owned(), id.to_string())));
    details.extend(snapshot.source_disk.as_deref().map(|link| ("disk".to_owned(), DiskId::path_in(link).to_owned())));
    if !snapshot.storage_locations.is_empty() {
        details.insert("storage-locations".to_owned(), snapshot.storage_locations.join(","));
    }
    let key = snapshot.snapshot_encryption_key.as_ref().and_then(|key| key.kms_key_name.clone());
    details.extend(key.map(|key| ("snapshot-kms-key".to_owned(), key)));
    Ok(VolumeSnapshot {
        id: SnapshotId(name.path()),
        volume: VolumeId(
            record
                .volume
                .or_else(|| disk_of(snapshot).map(str::to_owned))
                .ok_or_else(|| missing("the snapshot names no disk"))?,
        ),
        cut_at,
        size: size_of(snapshot).ok_or_else(|| missing("the snapshot has no size"))?,
        owner,
        identity: record.identity,
        details,
    })
}
