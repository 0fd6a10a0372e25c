//! The clients of Compute Engine, and the calls that are made of it.

use std::sync::Arc;

use google_cloud_compute_v1::client::{Disks, RegionDisks, Snapshots};
use google_cloud_compute_v1::model::{Disk, Operation, Snapshot, SnapshotList, TestPermissionsRequest};
use google_cloud_gax::options::RequestOptionsBuilder;
use google_cloud_gax::retry_policy::{Aip194Strict, NeverRetry, RetryPolicy, RetryPolicyExt as _};
use provider::{Error, ErrorKind, Result};

use super::disk_id::{DiskId, Place};
use super::options::PdOptions;
use super::problem::PdProblem;
use super::refusal;

/// How often a request is sent that does no harm when it is sent again.
const ATTEMPTS: u32 = 3;

/// Snapshots of one page.
const PAGE: u32 = 500;

/// The name of a snapshot: `projects/P/global/snapshots/S`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SnapshotName {
    pub(super) project: String,
    pub(super) name: String,
}

impl SnapshotName {
    pub(super) fn path(&self) -> String {
        format!("projects/{}/global/snapshots/{}", self.project, self.name)
    }

    pub(super) fn of(path: &str) -> Option<Self> {
        let parts: Vec<&str> = path.split('/').collect();
        let ["projects", project, "global", "snapshots", name] = parts.as_slice() else { return None };
        let fits = !project.is_empty() && !name.is_empty();
        fits.then(|| Self { project: (*project).to_owned(), name: (*name).to_owned() })
    }
}

/// The clients of one endpoint. By themselves they send each request once.
#[derive(Clone, Debug)]
pub(super) struct Clients {
    disks: Disks,
    region_disks: RegionDisks,
    snapshots: Snapshots,
}

impl Clients {
    pub(super) async fn connect(options: &PdOptions) -> Result<Self> {
        let credentials = options.credentials.credentials()?;
        let failed = |error: google_cloud_gax::client_builder::Error| {
            let kind = if error.is_default_credentials() { ErrorKind::Unauthenticated } else { ErrorKind::Invalid };
            Error::new(kind, "connect", "Compute Engine").with_source(error)
        };
        macro_rules! client {
            ($client:ident) => {{
                let mut builder = $client::builder().with_retry_policy(NeverRetry);
                if let Some(endpoint) = &options.endpoint {
                    builder = builder.with_endpoint(endpoint);
                }
                builder = builder.with_credentials(credentials.clone());
                builder.with_attempt_timeout(options.answer_limit).build().await.map_err(failed)?
            }};
        }
        Ok(Self { disks: client!(Disks), region_disks: client!(RegionDisks), snapshots: client!(Snapshots) })
    }

    /// A disk, asked for once where a caller asks again by itself.
    pub(super) async fn disk(&self, id: &DiskId, once: bool) -> Result<Disk> {
        let DiskId { project, place, name } = id;
        let answer = match place {
            Place::Zone(zone) => {
                let call = self.disks.get().set_project(project).set_zone(zone).set_disk(name);
                tried(call, once).send().await
            }
            Place::Region(region) => {
                let call = self.region_disks.get().set_project(project).set_region(region).set_disk(name);
                tried(call, once).send().await
            }
        };
        answer.map_err(|error| refusal::of_sdk("disks.get", format!("disk {id}"), error))
    }

    /// Asks for a snapshot, once.
    pub(super) async fn create_snapshot(&self, id: &DiskId, body: Snapshot, request: &str) -> Result<Operation> {
        let DiskId { project, place, name } = id;
        let answer = match place {
            Place::Zone(zone) => {
                let call = self.disks.create_snapshot().set_project(project).set_zone(zone).set_disk(name);
                call.set_request_id(request).set_body(body).send().await
            }
            Place::Region(region) => {
                let call = self.region_disks.create_snapshot().set_project(project).set_region(region).set_disk(name);
                call.set_request_id(request).set_body(body).send().await
            }
        };
        answer.map_err(|error| refusal::of_sdk("disks.createSnapshot", format!("disk {id}"), error))
    }

    /// Asks for a disk. Sent again after a lost answer: the request id makes that one disk.
    pub(super) async fn insert_disk(&self, id: &DiskId, body: Disk, request: &str) -> Result<Operation> {
        let DiskId { project, place, .. } = id;
        let answer = match place {
            Place::Zone(zone) => {
                let call = self.disks.insert().set_project(project).set_zone(zone);
                tried(call.set_request_id(request).set_body(body), false).send().await
            }
            Place::Region(region) => {
                let call = self.region_disks.insert().set_project(project).set_region(region);
                tried(call.set_request_id(request).set_body(body), false).send().await
            }
        };
        answer.map_err(|error| refusal::of_sdk("disks.insert", format!("disk {id}"), error))
    }

    /// An operation of a disk's place, as it is now.
    pub(super) async fn disk_operation(&self, id: &DiskId, name: &str) -> Result<Operation> {
        let project = &id.project;
        let answer = match &id.place {
            Place::Zone(zone) => {
                let call = self.disks.get_operation().set_project(project).set_zone(zone);
                tried(call.set_operation(name), true).send().await
            }
            Place::Region(region) => {
                let call = self.region_disks.get_operation().set_project(project).set_region(region);
                tried(call.set_operation(name), true).send().await
            }
        };
        let what = if matches!(id.place, Place::Zone(_)) { "zoneOperations.get" } else { "regionOperations.get" };
        answer.map_err(|error| refusal::of_sdk(what, format!("operation {name} on disk {id}"), error))
    }

    /// Those of some permissions on a disk that these credentials have.
    pub(super) async fn permissions_on_disk(&self, id: &DiskId, asked: &[&str]) -> Result<Vec<String>> {
        let body = TestPermissionsRequest::new().set_permissions(asked.iter().copied());
        let DiskId { project, place, name } = id;
        let answer = match place {
            Place::Zone(zone) => {
                let call = self.disks.test_iam_permissions().set_project(project).set_zone(zone).set_resource(name);
                tried(call.set_body(body), false).send().await
            }
            Place::Region(region) => {
                let call = self.region_disks.test_iam_permissions().set_project(project).set_region(region);
                tried(call.set_resource(name).set_body(body), false).send().await
            }
        };
        let answer = answer.map_err(|error| refusal::of_sdk("disks.testIamPermissions", format!("disk {id}"), error));
        Ok(answer?.permissions)
    }

    /// Those of some permissions on a snapshot that these credentials have.
    pub(super) async fn permissions_on_snapshot(&self, of: &SnapshotName, asked: &[&str]) -> Result<Vec<String>> {
        let body = TestPermissionsRequest::new().set_permissions(asked.iter().copied());
        let call = self.snapshots.test_iam_permissions().set_project(&of.project).set_resource(&of.name);
        let answer = tried(call.set_body(body), false).send().await;
        let resource = || format!("snapshot {}", of.path());
        let answer = answer.map_err(|error| refusal::of_sdk("snapshots.testIamPermissions", resource(), error));
        Ok(answer?.permissions)
    }

    /// A snapshot by its name; `None` when there is none.
    pub(super) async fn snapshot(&self, of: &SnapshotName, once: bool) -> Result<Option<Snapshot>> {
        let call = self.snapshots.get().set_project(&of.project).set_snapshot(&of.name);
        let answer = tried(call, once).send().await;
        match answer.map_err(|error| refusal::of_sdk("snapshots.get", format!("snapshot {}", of.path()), error)) {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All snapshots of a project that pass a filter, page by page.
    pub(super) async fn snapshots_with(&self, project: &str, filter: &str) -> Result<Vec<Snapshot>> {
        let (mut found, mut token) = (Vec::new(), String::new());
        loop {
            let mut call = self.snapshots.list().set_project(project).set_filter(filter).set_max_results(PAGE);
            if !token.is_empty() {
                call = call.set_page_token(&token);
            }
            let resource = || format!("snapshots of project {project}");
            let page = tried(call, false).send().await;
            let page: SnapshotList = page.map_err(|error| refusal::of_sdk("snapshots.list", resource(), error))?;
            found.extend(page.items);
            match page.next_page_token.filter(|next| !next.is_empty()) {
                Some(next) if next == token => {
                    let problem = PdProblem::Contradiction("a page of the listing names itself as the next");
                    return Err(refusal::own(ErrorKind::Corrupt, "snapshots.list", resource(), problem));
                }
                Some(next) => token = next,
                None => return Ok(found),
            }
        }
    }

    /// Asks for the deletion of a snapshot. Sent again after a lost answer: the request id makes that one deletion.
    pub(super) async fn delete_snapshot(&self, of: &SnapshotName, request: &str) -> Result<Operation> {
        let call = self.snapshots.delete().set_project(&of.project).set_snapshot(&of.name).set_request_id(request);
        let answer = tried(call, false).send().await;
        answer.map_err(|error| refusal::of_sdk("snapshots.delete", format!("snapshot {}", of.path()), error))
    }

    /// An operation on a snapshot, as it is now.
    pub(super) async fn snapshot_operation(&self, of: &SnapshotName, name: &str) -> Result<Operation> {
        let call = self.snapshots.get_operation().set_project(&of.project).set_operation(name);
        let answer = tried(call, true).send().await;
        let resource = || format!("operation {name} on snapshot {}", of.path());
        answer.map_err(|error| refusal::of_sdk("globalOperations.get", resource(), error))
    }
}

/// A call that may be sent again, up to three times; or one that is sent once.
fn tried<B: RequestOptionsBuilder>(call: B, once: bool) -> B {
    let policy: Arc<dyn RetryPolicy> =
        if once { Arc::new(NeverRetry) } else { Arc::new(Aip194Strict.with_attempt_limit(ATTEMPTS)) };
    call.with_retry_policy(policy).with_idempotency(true)
}
