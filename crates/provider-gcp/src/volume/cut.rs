//! Cutting a snapshot: asked for with a request id, watched until its point in time is fixed, and one answered whatever happened.

mod wait;

use std::error::Error as _;
use std::time::Duration;

use google_cloud_compute_v1::model::{Operation, Snapshot};
use provider::{CutRequest, Error, ErrorKind, Pace, Result, Retry, VolumeSnapshot};

use super::clients::SnapshotName;
use super::disk_id::DiskId;
use super::problem::{PdProblem, PdRefusal};
use super::record::{self, Record};
use super::source::{DISK_ID, Source};
use super::{PdSnapshots, described, fresh, refusal};
use wait::is_fixed;

/// The rate of one disk passes in 10 minutes; whatever else passes does sooner.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The first wait after a refusal.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// A cut that goes on.
struct Cutting<'a> {
    pd: &'a PdSnapshots,
    request: &'a CutRequest,
    disk: DiskId,
    name: SnapshotName,
    /// What makes a repeated request the same one.
    request_id: String,
    /// Whether another process may have sent this request id.
    shared_id: bool,
    /// What was last answered, for the one who waits in vain.
    last: Option<String>,
    pace: Pace,
}

impl PdSnapshots {
    /// Cuts, rides out what passes, and gives up at the request's limit.
    pub(super) async fn cut_within(&self, request: &CutRequest) -> Result<VolumeSnapshot> {
        let disk = self.disk_id("disks.createSnapshot", &request.volume)?;
        let name = SnapshotName { project: disk.project.clone(), name: record::name_of(&request.identity) };
        let request_id = record::request_id(&["cut", &disk.to_string(), &request.identity]);
        let pace = Pace::new(FIRST_WAIT, LONGEST_WAIT);
        let resource = format!("disk {disk}");
        let mut cutting = Cutting { pd: self, request, disk, name, request_id, shared_id: true, last: None, pace };
        match tokio::time::timeout(request.limit, cutting.run()).await {
            Ok(result) => result,
            Err(_) => {
                let problem = PdProblem::NotCut { seconds: request.limit.as_secs(), last: cutting.last.take() };
                Err(refusal::own(ErrorKind::Timeout, "disks.createSnapshot", resource, problem))
            }
        }
    }
}

impl Cutting<'_> {
    async fn run(&mut self) -> Result<VolumeSnapshot> {
        let mut source: Option<Source> = None;
        loop {
            let tried = self.attempt(&mut source).await;
            let error = match tried {
                Ok(Some(snapshot)) => return self.settle(&snapshot),
                Ok(None) => continue,
                Err(error) => error,
            };
            if error.retry() == Retry::Never {
                return Err(error);
            }
            let wait = self.pace.wait();
            self.tell(&error, &format!("Compute Engine is asked again in {:.1} s", wait.as_secs_f64()));
            tokio::time::sleep(wait).await;
        }
    }

    /// Looks for the snapshot, asks for it if it isn't there, and waits for its point in time. `None`: to be tried again at once.
    async fn attempt(&mut self, source: &mut Option<Source>) -> Result<Option<Snapshot>> {
        let found = match source {
            Some(source) => self.look(Some(source)).await?,
            None => match tokio::join!(self.look(None), self.source()) {
                (Ok(found), Ok(known)) => self.judged(found, Some(source.insert(known)))?,
                // What an earlier call made is the answer, whatever became of the disk.
                (Ok(Some(found)), Err(error)) if error.kind() == ErrorKind::NotFound => Some(found),
                (Err(error), _) | (Ok(_), Err(error)) => return Err(error),
            },
        };
        match found {
            Some(found) if is_fixed(&found) => return Ok(Some(found)),
            Some(_) => return self.join(source.as_ref()).await,
            None => {}
        }
        let Some(source) = source.as_ref() else { return Ok(None) };
        let error = match self.send(source).await {
            Ok(begun) => return self.watch(begun).await,
            Err(error) => error,
        };
        if error.kind() == ErrorKind::AlreadyExists {
            // Made meanwhile, by this identity in another process or by somebody else.
            return match self.look(Some(source)).await? {
                Some(_) => self.wait(None).await.map(Some),
                None => Err(error.with_retry(Retry::Again)),
            };
        }
        if !refusal::is_lost(&error) {
            return Err(error);
        }
        self.tell(&error, "the answer to createSnapshot was lost, and the snapshot is looked for");
        if self.look_for(source).await? { self.join(Some(source)).await } else { Ok(None) }
    }

    /// Waits for a snapshot that is there and whose operation is not known. Asking for it again makes none: it answers the operation if
    /// the request id is that of the first request, and else that the name is taken.
    async fn join(&mut self, source: Option<&Source>) -> Result<Option<Snapshot>> {
        if let Some(source) = source {
            match self.send(source).await {
                Ok(begun) => return self.watch(begun).await,
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) if error.retry() == Retry::Never => return Err(error),
                Err(error) => self.tell(&error, "the operation of the snapshot could not be asked for"),
            }
        }
        self.wait(None).await.map(Some)
    }

    /// Follows an operation that was answered to the point in time.
    async fn watch(&mut self, begun: Operation) -> Result<Option<Snapshot>> {
        let resource = self.resource();
        // An operation that is done at once is an earlier call's, which this request id names.
        let earlier = refusal::is_done("disks.createSnapshot", &resource, &begun);
        if self.shared_id && !matches!(earlier, Ok(false)) {
            match earlier {
                Err(error) => self.tell(&error, "an earlier call of the same identity has failed, and is made again"),
                Ok(_) if self.look(None).await?.is_some() => return self.wait(None).await.map(Some),
                // What it made has been deleted since.
                Ok(_) => {}
            }
            self.new_request_id();
            return Ok(None);
        }
        match self.wait(begun.name.as_deref()).await {
            Ok(snapshot) => Ok(Some(snapshot)),
            Err(error) => {
                // The same id would be answered by the same failure.
                self.new_request_id();
                Err(error)
            }
        }
    }

    fn new_request_id(&mut self) {
        self.request_id = record::request_id(&["cut", &self.disk.to_string(), &self.request.identity, &fresh()]);
        self.shared_id = false;
    }

    fn resource(&self) -> String {
        format!("disk {}", self.disk)
    }

    /// What the disk is: as `inspect` saw it, else asked for now.
    async fn source(&self) -> Result<Source> {
        let known = self.pd.sources().get(&self.disk.to_string()).cloned();
        match known {
            Some(known) => Ok(known),
            None => Ok(Source::of(&self.pd.clients.disk(&self.disk, true).await?)),
        }
    }

    /// The snapshot of this identity, if it is there.
    ///
    /// # Errors
    /// `AlreadyExists` when its name is taken by somebody else's, or by one of another disk.
    async fn look(&self, source: Option<&Source>) -> Result<Option<Snapshot>> {
        self.judged(self.pd.clients.snapshot(&self.name, true).await?, source)
    }

    fn judged(&self, found: Option<Snapshot>, source: Option<&Source>) -> Result<Option<Snapshot>> {
        let Some(found) = found else { return Ok(None) };
        let ours = described::record_of(&found)
            .is_some_and(|record| record.is_of(&self.request.identity, &self.request.owner));
        let of_disk = described::disk_of(&found) == Some(self.disk.to_string().as_str());
        // A disk of the same name may have been made since.
        let number = source.and_then(|source| source.get(DISK_ID));
        let of_this = number.is_none_or(|number| found.source_disk_id.as_deref().is_none_or(|found| found == number));
        if ours && of_disk && of_this {
            return Ok(Some(found));
        }
        let problem = PdProblem::NotOurs { path: self.name.path() };
        Err(refusal::own(ErrorKind::AlreadyExists, "disks.createSnapshot", self.resource(), problem))
    }

    /// Asks for the snapshot, once.
    async fn send(&self, source: &Source) -> Result<Operation> {
        let request = self.request;
        let mut record = Record::new(&request.identity, &request.owner);
        record.volume = Some(request.volume.0.clone());
        record.source.clone_from(&source.0);
        let body = Snapshot::new()
            .set_name(&self.name.name)
            .set_description(record.description("disks.createSnapshot", &request.description)?)
            .set_labels(record.labels())
            .set_storage_locations(self.pd.options.storage_location.iter());
        self.pd.clients.create_snapshot(&self.disk, body, &self.request_id).await
    }

    fn settle(&self, snapshot: &Snapshot) -> Result<VolumeSnapshot> {
        match described::record_of(snapshot) {
            Some(record) => described::told(snapshot, record),
            None => {
                let problem = PdProblem::Contradiction("the snapshot has lost its description or its labels");
                Err(refusal::own(ErrorKind::Corrupt, "snapshots.get", self.resource(), problem))
            }
        }
    }

    fn tell(&mut self, error: &Error, what: &str) {
        let words = words(error);
        self.request.notices.tell(format!("{what}: {words}"));
        self.last = Some(words);
    }
}

/// An error with its causes.
pub(super) fn words(error: &Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words.push_str(&format!(": {error}"));
        // What Google said is told whole; the SDK's own errors below repeat it.
        if error.is::<PdRefusal>() {
            break;
        }
        cause = error.source();
    }
    words
}
