//! How far snapshots are, and the end of twins.

use aws_sdk_ec2::types::{Snapshot, SnapshotState as State};
use jiff::Timestamp;
use provider::{Error, ErrorKind, Result, SnapshotId, SnapshotState, SnapshotStatus};

use super::tags::{self, Tags};
use super::{EbsSnapshots, lookup};

impl EbsSnapshots {
    /// The state of a snapshot; one that this process has just cut may not be listed yet.
    pub(super) async fn how_far(&self, snapshot: &SnapshotId) -> Result<SnapshotStatus> {
        let Some(found) = self.described("DescribeSnapshots", snapshot).await? else {
            if self.is_recent(snapshot) {
                let trouble = Some("EC2 has answered the cut and does not list the snapshot yet".to_owned());
                let state = SnapshotState::Pending { percent: None };
                return Ok(SnapshotStatus { state, stored_bytes: None, trouble });
            }
            return Err(Error::new(ErrorKind::NotFound, "DescribeSnapshots", self.resource("snapshot", &snapshot.0)));
        };
        let tags = tags::read(found.tags.as_deref());
        let stored = found.full_snapshot_size_in_bytes.and_then(|bytes| u64::try_from(bytes).ok());
        let (mut state, mut trouble) = (state_of(&found), None);
        if lookup::is_chosen(&tags) {
            trouble = self.delete_twins(snapshot, &found, &tags).await;
            if state == SnapshotState::Ready && self.may_have_unlisted_twin(snapshot, &found) {
                state = SnapshotState::Pending { percent: Some(100) };
            }
        }
        Ok(SnapshotStatus { state, stored_bytes: stored.filter(|bytes| *bytes > 0), trouble })
    }

    /// Whether a chosen snapshot was cut so short ago that a twin of it may not be listed yet. A clock that is behind EC2's does not
    /// count: it could be behind for ever.
    fn may_have_unlisted_twin(&self, chosen: &SnapshotId, found: &Snapshot) -> bool {
        let age = found.start_time.map(|started| Timestamp::now().as_second() - started.secs());
        let lag = self.options.listing_lag.as_secs().try_into().unwrap_or(i64::MAX);
        self.is_recent(chosen) || age.is_some_and(|age| (0..lag).contains(&age))
    }

    /// Deletes what a lost answer left beside the chosen snapshot. What could not be deleted, in words.
    async fn delete_twins(&self, chosen: &SnapshotId, found: &Snapshot, tags: &Tags) -> Option<String> {
        let (identity, owner) = (tags.get(tags::IDENTITY)?, tags::owner_of(tags)?);
        let told =
            |id: &str, error: &Error| Some(format!("{id}, a second snapshot of the same cut, is still there: {error}"));
        let filters = vec![tags::filter(tags::IDENTITY, identity)];
        let resource = self.resource("snapshot", &chosen.0);
        let all = match self.snapshots_with(&self.clients.retrying, filters, &resource).await {
            Ok(all) => all,
            Err(error) => return told("perhaps", &error),
        };
        let mut trouble = None;
        for twin in all {
            let of_twin = tags::read(twin.tags.as_deref());
            let is_twin = tags::owner_of(&of_twin).as_ref() == Some(&owner)
                && of_twin.get(tags::IDENTITY) == Some(identity)
                && twin.volume_id == found.volume_id
                && !lookup::is_chosen(&of_twin);
            let Some(id) = twin.snapshot_id.filter(|id| is_twin && *id != chosen.0) else { continue };
            if let Err(error) = self.delete_snapshot(&SnapshotId(id.clone())).await {
                trouble = told(&id, &error);
            }
        }
        trouble
    }
}

/// A snapshot's state in the contract's words.
pub(super) fn state_of(snapshot: &Snapshot) -> SnapshotState {
    let message = snapshot.state_message.clone().filter(|message| !message.is_empty());
    let failed = |reason: String| SnapshotState::Failed { reason };
    match &snapshot.state {
        Some(State::Completed) => SnapshotState::Ready,
        Some(State::Pending) | None => SnapshotState::Pending { percent: percent(snapshot.progress.as_deref()) },
        Some(State::Error) => failed(message.unwrap_or_else(|| {
            "EC2 gives no reason; the usual one is that the volume's KMS key can't be used".to_owned()
        })),
        Some(State::Recoverable) => failed(
            "it was deleted and is in the Recycle Bin: restore it from there (ec2:RestoreSnapshotFromRecycleBin) before its retention ends"
                .to_owned(),
        ),
        Some(State::Recovering) => {
            failed("it is being restored from the Recycle Bin: ask again when it is completed".to_owned())
        }
        Some(other) => failed(format!("it is in state {other:?}, which this program does not know")),
    }
}

/// `42%` as a number.
fn percent(progress: Option<&str>) -> Option<u8> {
    let number: u8 = progress?.trim().trim_end_matches('%').parse().ok()?;
    Some(number.min(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(state: State, progress: &str, message: &str) -> SnapshotState {
        state_of(&Snapshot::builder().state(state).progress(progress).state_message(message).build())
    }

    #[test]
    fn each_state_has_its_meaning() {
        assert_eq!(state(State::Pending, "42%", ""), SnapshotState::Pending { percent: Some(42) });
        assert_eq!(state(State::Pending, "", ""), SnapshotState::Pending { percent: None });
        assert_eq!(state(State::Completed, "100%", ""), SnapshotState::Ready);
        let reason = "Given key ID is not accessible".to_owned();
        assert_eq!(state(State::Error, "7%", &reason), SnapshotState::Failed { reason });
        for (wrong, says) in [
            (State::Error, "KMS key"),
            (State::Recoverable, "Recycle Bin"),
            (State::Recovering, "Recycle Bin"),
            (State::from("melted"), "melted"),
        ] {
            let told = state(wrong, "", "");
            assert!(matches!(&told, SnapshotState::Failed { reason } if reason.contains(says)), "{told:?}");
        }
    }
}
