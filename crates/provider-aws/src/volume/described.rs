//! What EC2 tells of snapshots, in the contract's words.

use std::collections::BTreeMap;

use aws_sdk_ec2::operation::create_snapshot::CreateSnapshotOutput;
use aws_sdk_ec2::types::Snapshot;
use jiff::Timestamp;
use provider::{ErrorKind, Owner, Result, SnapshotId, VolumeId, VolumeSnapshot};

use super::EbsSnapshots;
use super::source::Source;
use super::tags::{self, Tags};
use crate::EbsProblem;
use crate::error;

/// Bytes of EBS's unit of size.
pub(super) const GIB: u64 = 1 << 30;

/// The answer to a cut, as `DescribeSnapshots` would tell it. An answer without tags has those that were sent.
pub(super) fn answered(answer: CreateSnapshotOutput, sent: &Tags) -> Snapshot {
    let tags = answer.tags.filter(|tags| !tags.is_empty());
    let sent = || tags::specification(aws_sdk_ec2::types::ResourceType::Snapshot, sent).tags;
    Snapshot::builder()
        .set_tags(tags.or_else(sent))
        .set_snapshot_id(answer.snapshot_id)
        .set_volume_id(answer.volume_id)
        .set_state(answer.state)
        .set_start_time(answer.start_time)
        .set_volume_size(answer.volume_size)
        .set_owner_id(answer.owner_id)
        .build()
}

impl EbsSnapshots {
    /// A snapshot that carries our tags.
    ///
    /// # Errors
    /// `Corrupt` when the answer leaves out what every snapshot has.
    pub(super) fn told(&self, snapshot: &Snapshot) -> Result<VolumeSnapshot> {
        let tags = tags::read(snapshot.tags.as_deref());
        let missing = |what| {
            let id = snapshot.snapshot_id.as_deref().unwrap_or("(without id)");
            let resource = self.resource("snapshot", id);
            error::own(ErrorKind::Corrupt, "DescribeSnapshots", resource, EbsProblem::Contradiction(what))
        };
        let started = snapshot.start_time.ok_or_else(|| missing("the snapshot has no start time"))?;
        let cut_at = Timestamp::new(started.secs(), i32::try_from(started.subsec_nanos()).unwrap_or_default());
        let gib = snapshot.volume_size.and_then(|gib| u64::try_from(gib).ok());
        let mut details: BTreeMap<String, String> = Source::remembered(&tags).0;
        details.insert("region".to_owned(), self.clients.region.clone());
        details.extend(snapshot.owner_id.clone().map(|account| ("account".to_owned(), account)));
        Ok(VolumeSnapshot {
            id: SnapshotId(snapshot.snapshot_id.clone().ok_or_else(|| missing("the snapshot has no id"))?),
            volume: VolumeId(
                tags.get(tags::VOLUME)
                    .or(snapshot.volume_id.as_ref())
                    .cloned()
                    .ok_or_else(|| missing("the snapshot names no volume"))?,
            ),
            cut_at: cut_at.map_err(|_| missing("the snapshot's start time is none"))?,
            size: gib.ok_or_else(|| missing("the snapshot has no size"))? * GIB,
            owner: tags::owner_of(&tags).unwrap_or(Owner { cluster: String::new(), run: String::new() }),
            identity: tags.get(tags::IDENTITY).cloned().unwrap_or_default(),
            details,
        })
    }
}
