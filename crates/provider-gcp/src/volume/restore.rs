//! Disks made of snapshots.

use google_cloud_compute_v1::model::disk::Status;
use google_cloud_compute_v1::model::{Disk, Operation, Snapshot};
use provider::{CreateVolumeRequest, Error, ErrorKind, Pace, RestoredVolume, Result, Retry, SnapshotState};
use tokio::time::Instant;

use super::described::GIB;
use super::problem::PdProblem;
use super::record::{self, Record};
use super::wanted::Wanted;
use super::{FIRST_LOOK, PdSnapshots, cut, fresh, refusal, status};

/// Name of the CSI driver that mounts Persistent Disks.
const DRIVER: &str = "pd.csi.storage.gke.io";

impl PdSnapshots {
    /// The disk of this identity: found, or made and waited for.
    pub(super) async fn restore(&self, request: &CreateVolumeRequest) -> Result<RestoredVolume> {
        let name = self.snapshot_name("disks.insert", &request.snapshot)?;
        let resource = format!("snapshot {}", name.path());
        let Some(snapshot) = self.clients.snapshot(&name, false).await? else {
            return Err(Error::new(ErrorKind::NotFound, "disks.insert", resource));
        };
        let state = match status::state_of(&snapshot) {
            SnapshotState::Ready => None,
            SnapshotState::Pending { .. } => {
                Some(snapshot.status.as_ref().map_or_else(|| "of no status".to_owned(), ToString::to_string))
            }
            SnapshotState::Failed { reason } => Some(format!("of no use ({reason})")),
        };
        if let Some(state) = state {
            return Err(refusal::own(ErrorKind::Invalid, "disks.insert", resource, PdProblem::NotReady { state }));
        }
        let wanted = Wanted::of(request, &self.project, &self.options, &snapshot)?;
        let ends = Instant::now() + self.options.available_limit;
        let made = async {
            let mut pace = Pace::new(FIRST_LOOK, self.options.poll);
            let mut salt = None;
            loop {
                match self.made(request, &wanted, &snapshot, salt.as_deref()).await {
                    Ok(disk) => return self.restored(&wanted, &disk),
                    Err(error) if error.retry() == Retry::Never || Instant::now() >= ends => return Err(error),
                    // The same request id would be answered by the same failure.
                    Err(_) => salt = Some(fresh()),
                }
                tokio::time::sleep(pace.wait()).await;
            }
        };
        made.await
    }

    /// Finds the disk or asks for it, and waits until it is ready.
    async fn made(
        &self,
        request: &CreateVolumeRequest,
        wanted: &Wanted,
        snapshot: &Snapshot,
        salt: Option<&str>,
    ) -> Result<Disk> {
        if let Some(found) = self.made_before(request, wanted, snapshot).await? {
            return self.ready(request, wanted, snapshot, Some(found), None).await;
        }
        let (id, number) = (wanted.id.to_string(), snapshot.id.unwrap_or_default().to_string());
        let request_id = record::request_id(&["disk", &id, &request.identity, &number, salt.unwrap_or_default()]);
        let record = Record::new(&request.identity, &request.owner);
        let body = wanted.body(&record, &request.snapshot.0)?;
        let begun = match self.clients.insert_disk(&wanted.id, body, &request_id).await {
            Ok(begun) => begun,
            // Made meanwhile; whose it is, the next look tells.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(error.with_retry(Retry::Again)),
            Err(error) => return Err(error),
        };
        let resource = format!("disk {}", wanted.id);
        if salt.is_none()
            && let Err(error) = refusal::is_done("disks.insert", &resource, &begun)
        {
            // An operation that ends so fast is an earlier call's, which this request id names. The next try has its own.
            return Err(error.with_retry(Retry::Again));
        }
        self.ready(request, wanted, snapshot, None, Some(begun)).await
    }

    /// The disk that an earlier call of this identity made.
    ///
    /// # Errors
    /// `AlreadyExists` when its name is taken by somebody else's.
    async fn made_before(
        &self,
        request: &CreateVolumeRequest,
        wanted: &Wanted,
        snapshot: &Snapshot,
    ) -> Result<Option<Disk>> {
        let found = match self.clients.disk(&wanted.id, false).await {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let record = Record::read(found.description.as_ref(), &found.labels);
        let ours = record.is_some_and(|record| record.is_of(&request.identity, &request.owner));
        let number = snapshot.id.map(|id| id.to_string());
        if ours && found.source_snapshot_id == number {
            return Ok(Some(found));
        }
        let problem = PdProblem::NotOurs { path: wanted.id.to_string() };
        Err(refusal::own(ErrorKind::AlreadyExists, "disks.insert", format!("disk {}", wanted.id), problem))
    }

    /// Waits until a disk can be attached.
    async fn ready(
        &self,
        request: &CreateVolumeRequest,
        wanted: &Wanted,
        snapshot: &Snapshot,
        mut found: Option<Disk>,
        operation: Option<Operation>,
    ) -> Result<Disk> {
        let resource = || format!("disk {}", wanted.id);
        let ends = Instant::now() + self.options.available_limit;
        let mut pace = Pace::new(FIRST_LOOK, self.options.poll);
        let lost = |what| {
            let problem = PdProblem::Gone { path: wanted.id.to_string(), what };
            Err(refusal::own(ErrorKind::Unavailable, "disks.insert", resource(), problem))
        };
        let mut done = operation.is_none();
        loop {
            let mut last = "the disk is not there yet".to_owned();
            if !done && let Some(name) = operation.as_ref().and_then(|operation| operation.name.as_deref()) {
                match self.clients.disk_operation(&wanted.id, name).await {
                    Ok(told) => done = refusal::is_done("disks.insert", &resource(), &told)?,
                    // Compute Engine forgets operations after a while; the disk then speaks for itself.
                    Err(error) if error.kind() == ErrorKind::NotFound => done = true,
                    Err(error) if error.retry() == Retry::Never => return Err(error),
                    Err(error) => last = cut::words(&error),
                }
            }
            match found.take() {
                Some(disk) => match &disk.status {
                    // While the operation goes on, it may still fail.
                    Some(Status::Ready) if done => return Ok(disk),
                    Some(Status::Failed) => {
                        let problem = PdProblem::Gone { path: wanted.id.to_string(), what: "has failed: delete it" };
                        return Err(refusal::own(ErrorKind::Other, "disks.insert", resource(), problem));
                    }
                    Some(Status::Deleting) => return lost("is being deleted"),
                    status => {
                        last =
                            format!("the disk is {}", status.as_ref().map_or("", |status| status.name().unwrap_or("")))
                    }
                },
                None if done && operation.is_none() => return lost("went away"),
                None => {}
            }
            if Instant::now() >= ends {
                let (path, seconds) = (wanted.id.to_string(), self.options.available_limit.as_secs());
                let problem = PdProblem::NotInTime { path, what: "ready", seconds, last };
                return Err(
                    refusal::own(ErrorKind::Timeout, "disks.insert", resource(), problem).with_retry(Retry::Never)
                );
            }
            tokio::time::sleep(pace.wait()).await;
            found = match self.made_before(request, wanted, snapshot).await {
                Ok(found) => {
                    if found.is_none() && done {
                        return lost("is not there, though its operation is done");
                    }
                    found
                }
                Err(error) if error.retry() == Retry::Never => return Err(error),
                Err(_) => continue,
            };
        }
    }

    fn restored(&self, wanted: &Wanted, disk: &Disk) -> Result<RestoredVolume> {
        let gib = disk.size_gb.and_then(|gib| u64::try_from(gib).ok());
        let Some(gib) = gib else {
            let problem = PdProblem::Contradiction("the disk has no size");
            return Err(refusal::own(ErrorKind::Corrupt, "disks.insert", format!("disk {}", wanted.id), problem));
        };
        Ok(RestoredVolume::Volume {
            driver: DRIVER.to_owned(),
            handle: wanted.id.to_string(),
            size: gib * GIB,
            zone: Some(wanted.zones.clone()),
        })
    }
}
