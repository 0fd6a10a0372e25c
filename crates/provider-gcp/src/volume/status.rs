//! How far snapshots are, and their end.

use google_cloud_compute_v1::model::Snapshot;
use google_cloud_compute_v1::model::snapshot::{Status, StorageBytesStatus};
use provider::{Error, ErrorKind, Pace, Result, SnapshotId, SnapshotState, SnapshotStatus};
use tokio::time::Instant;

use super::clients::SnapshotName;
use super::problem::PdProblem;
use super::{FIRST_LOOK, PdSnapshots, described, record, refusal};

impl PdSnapshots {
    /// The state of a snapshot.
    pub(super) async fn how_far(&self, snapshot: &SnapshotId) -> Result<SnapshotStatus> {
        let name = self.snapshot_name("snapshots.get", snapshot)?;
        let found = self.clients.snapshot(&name, false).await?;
        let gone = || Error::new(ErrorKind::NotFound, "snapshots.get", format!("snapshot {}", name.path()));
        let found = found.ok_or_else(gone)?;
        let stored = found.storage_bytes.and_then(|bytes| u64::try_from(bytes).ok()).filter(|bytes| *bytes > 0);
        // While it is being updated, the number is that of some moment before.
        let settled = found.storage_bytes_status == Some(StorageBytesStatus::UpToDate);
        Ok(SnapshotStatus { state: state_of(&found), stored_bytes: stored.filter(|_| settled), trouble: None })
    }

    /// Deletes a snapshot that this program made, and waits for the end of that. Absent is success.
    pub(super) async fn delete_ours(&self, snapshot: &SnapshotId) -> Result<()> {
        let name = self.snapshot_name("snapshots.delete", snapshot)?;
        let resource = format!("snapshot {}", name.path());
        let Some(found) = self.clients.snapshot(&name, false).await? else { return Ok(()) };
        if described::record_of(&found).is_none() {
            let problem = PdProblem::NotOurs { path: name.path() };
            return Err(refusal::own(ErrorKind::Denied, "snapshots.delete", resource, problem));
        }
        // Of the number, not of the name: another snapshot may get the name later.
        let id = found.id.unwrap_or_default().to_string();
        let begun = match self.clients.delete_snapshot(&name, &record::request_id(&["delete", &id])).await {
            Ok(begun) => begun,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        if refusal::is_done("snapshots.delete", &resource, &begun).is_err() {
            // The answer to an earlier request, perhaps: this one shall be heard.
            let again =
                self.clients.delete_snapshot(&name, &record::request_id(&["delete", &id, &super::fresh()])).await;
            return match again {
                Ok(begun) => self.deleted(&name, found.id, begun.name.as_deref()).await,
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
                Err(error) => Err(error),
            };
        }
        self.deleted(&name, found.id, begun.name.as_deref()).await
    }

    /// Waits until a snapshot is gone, or its deletion has failed.
    async fn deleted(&self, name: &SnapshotName, id: Option<u64>, operation: Option<&str>) -> Result<()> {
        let resource = format!("snapshot {}", name.path());
        let ends = Instant::now() + self.options.available_limit;
        let mut pace = Pace::new(FIRST_LOOK, self.options.poll);
        loop {
            // Compute Engine forgets operations after a while; what counts is whether the snapshot is there.
            let told = match operation {
                Some(operation) => self.clients.snapshot_operation(name, operation).await,
                None => Err(Error::new(ErrorKind::NotFound, "globalOperations.get", resource.clone())),
            };
            let last = match told {
                Ok(told) if refusal::is_done("snapshots.delete", &resource, &told)? => return Ok(()),
                Ok(told) => {
                    format!("the operation is {}", told.status.map_or_else(String::new, |status| status.to_string()))
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    let found = self.clients.snapshot(name, false).await?;
                    if found.is_none_or(|found| found.id != id) {
                        return Ok(());
                    }
                    "the snapshot is still there".to_owned()
                }
                Err(error) if error.retry() == provider::Retry::Never => return Err(error),
                Err(error) => error.to_string(),
            };
            if Instant::now() >= ends {
                let seconds = self.options.available_limit.as_secs();
                let problem = PdProblem::NotInTime { path: name.path(), what: "deleted", seconds, last };
                return Err(refusal::own(ErrorKind::Timeout, "snapshots.delete", resource, problem));
            }
            tokio::time::sleep(pace.wait()).await;
        }
    }
}

/// A snapshot's state in the contract's words.
pub(super) fn state_of(snapshot: &Snapshot) -> SnapshotState {
    let failed = |reason: &str| SnapshotState::Failed { reason: reason.to_owned() };
    match &snapshot.status {
        Some(Status::Ready) => SnapshotState::Ready,
        Some(Status::Creating | Status::Uploading) | None => SnapshotState::Pending { percent: None },
        Some(Status::Failed) => failed(
            "Compute Engine gives no reason with the snapshot; its operations (gcloud compute operations list) do, and the usual one is \
             that the disk's Cloud KMS key can't be used",
        ),
        Some(Status::Deleting) => failed("it is being deleted"),
        Some(other) => failed(&format!("it is in status {other}, which this program does not know")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_its_meaning() {
        let state = |status: Status| state_of(&Snapshot::new().set_status(status));
        assert_eq!(state(Status::Creating), SnapshotState::Pending { percent: None });
        assert_eq!(state(Status::Uploading), SnapshotState::Pending { percent: None });
        assert_eq!(state(Status::Ready), SnapshotState::Ready);
        for (wrong, says) in
            [(Status::Failed, "Cloud KMS"), (Status::Deleting, "deleted"), (Status::from("MELTED"), "MELTED")]
        {
            let told = state(wrong);
            assert!(matches!(&told, SnapshotState::Failed { reason } if reason.contains(says)), "{told:?}");
        }
    }
}
