//! Waiting for what was asked for: until it is found, and until its point in time is fixed.

use std::time::Duration;

use google_cloud_compute_v1::model::Snapshot;
use google_cloud_compute_v1::model::snapshot::Status;
use provider::{Error, ErrorKind, Pace, Result, Retry};
use tokio::time::Instant;

use super::super::problem::PdProblem;
use super::super::source::Source;
use super::super::{FIRST_LOOK, refusal};
use super::{Cutting, words};

/// The longest wait between two looks: writers wait until the point in time is fixed.
const LONGEST_LOOK: Duration = Duration::from_secs(1);

impl Cutting<'_> {
    /// Whether what a request made whose answer was lost is found, within the time that the options say.
    pub(super) async fn look_for(&mut self, source: &Source) -> Result<bool> {
        let ends = Instant::now() + self.pd.options.lookup_limit;
        let mut pace = Pace::new(FIRST_LOOK, LONGEST_LOOK);
        loop {
            match self.look(Some(source)).await {
                Ok(Some(_)) => return Ok(true),
                Ok(None) => {}
                Err(error) if error.retry() == Retry::Never => return Err(error),
                Err(error) => self.last = Some(words(&error)),
            }
            let left = ends.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            tokio::time::sleep(pace.wait().min(left)).await;
        }
    }

    /// Waits until the point in time is fixed: that is when the snapshot leaves `CREATING`.
    ///
    /// # Errors
    /// That of the operation, which counts whatever the snapshot says; `Other` for a snapshot that has failed.
    pub(super) async fn wait(&mut self, operation: Option<&str>) -> Result<Snapshot> {
        let mut pace = Pace::new(FIRST_LOOK, LONGEST_LOOK.min(self.pd.options.poll));
        let mut missing_since: Option<Instant> = None;
        loop {
            let asked = async {
                match operation {
                    Some(name) => self.pd.clients.disk_operation(&self.disk, name).await.map(Some),
                    None => Ok(None),
                }
            };
            let (found, operation) = tokio::join!(self.look(None), asked);
            // It may be forgotten by now; the snapshot then speaks for itself.
            let operation = match operation {
                Err(error) if error.kind() == ErrorKind::NotFound => None,
                other => self.passing(other)?.flatten(),
            };
            let resource = self.resource();
            let done = match &operation {
                Some(told) => refusal::is_done("disks.createSnapshot", &resource, told)?,
                None => false,
            };
            match self.passing(found)? {
                Some(Some(snapshot)) if is_fixed(&snapshot) => return Ok(snapshot),
                Some(Some(snapshot)) => match &snapshot.status {
                    Some(Status::Failed) => return Err(self.failed()),
                    Some(Status::Deleting) => return Err(self.gone("is being deleted")),
                    status => {
                        let status = status.as_ref().map_or_else(|| "of no status".to_owned(), ToString::to_string);
                        self.last = Some(format!("the snapshot is {status}"));
                    }
                },
                Some(None) => {
                    let since = *missing_since.get_or_insert_with(Instant::now);
                    let nobody_makes_it = done || operation.is_none();
                    if nobody_makes_it && since.elapsed() >= self.pd.options.lookup_limit {
                        return Err(self.gone("is not there, though nothing says that it has failed"));
                    }
                    self.last = Some("the snapshot is not there yet".to_owned());
                }
                None => {}
            }
            tokio::time::sleep(pace.wait()).await;
        }
    }

    /// What a look saw; `None` for an error that passes, which is kept for the one who waits in vain.
    fn passing<T>(&mut self, seen: Result<T>) -> Result<Option<T>> {
        match seen {
            Ok(seen) => Ok(Some(seen)),
            Err(error) if error.retry() == Retry::Never => Err(error),
            Err(error) => {
                self.tell(&error, "the snapshot's state could not be read, and is asked for again");
                Ok(None)
            }
        }
    }

    fn failed(&self) -> Error {
        let problem = PdProblem::SnapshotFailed { path: self.name.path(), reason: None };
        refusal::own(ErrorKind::Other, "disks.createSnapshot", self.resource(), problem)
    }

    fn gone(&self, what: &'static str) -> Error {
        let problem = PdProblem::Gone { path: self.name.path(), what };
        refusal::own(ErrorKind::Unavailable, "disks.createSnapshot", self.resource(), problem)
    }
}

/// Whether a snapshot's point in time is fixed.
pub(super) fn is_fixed(snapshot: &Snapshot) -> bool {
    matches!(snapshot.status, Some(Status::Uploading | Status::Ready))
}
