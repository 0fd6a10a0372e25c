//! What the server holds.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;

use super::faults::{ComputeFault, OperationError};
use super::phase::Progress;
use super::{ComputeOptions, NewDisk};

/// What precedes a path in links.
pub(super) const HOST: &str = "https://www.googleapis.com/compute/v1/";

/// A request's method and path, and its body.
pub(super) type Sent = (String, Value);

pub(super) type Labels = BTreeMap<String, String>;

/// A call that was received.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// As Google's documentation names it: `disks.createSnapshot`.
    pub call: String,
    /// The request's path.
    pub path: String,
    /// Its query, without what the SDK adds to each request.
    pub query: BTreeMap<String, String>,
    /// Its body; null if there was none.
    pub body: Value,
    /// What was answered: a status and Google's reason, if it was refused. `None` when the connection was closed instead.
    pub answer: Option<(u16, Option<String>)>,
}

/// A snapshot, as the server itself knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownSnapshot {
    /// Its path: `projects/P/global/snapshots/S`.
    pub path: String,
    /// The path of the disk that it was made of.
    pub disk: String,
    /// Its status.
    pub status: &'static str,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

#[derive(Debug)]
pub(super) struct Disk {
    pub(super) id: u64,
    pub(super) gib: u64,
    pub(super) kind: String,
    pub(super) iops: Option<u64>,
    pub(super) throughput: Option<u64>,
    pub(super) kms_key: Option<String>,
    pub(super) customer_key: bool,
    pub(super) replica_zones: Vec<String>,
    /// Path and id of the snapshot that it was made of.
    pub(super) snapshot: Option<(String, u64)>,
    pub(super) labels: Labels,
    pub(super) description: String,
    pub(super) created: Timestamp,
    pub(super) bytes: Bytes,
    pub(super) creating: Progress,
    pub(super) last_snapshot: Option<Instant>,
}

/// How far a snapshot is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stage {
    Creating(Progress),
    Uploading(Progress),
    Ready,
    Failed,
    Deleting,
}

impl Stage {
    pub(super) fn status(self) -> &'static str {
        match self {
            Self::Creating(_) => "CREATING",
            Self::Uploading(_) => "UPLOADING",
            Self::Ready => "READY",
            Self::Failed => "FAILED",
            Self::Deleting => "DELETING",
        }
    }
}

/// Where a snapshot's way ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Fate {
    #[default]
    Ready,
    /// It fails instead of uploading.
    FailsBeforeTheCut,
    /// It fails instead of getting ready.
    FailsAfterTheCut,
    /// It uploads until somebody completes it.
    Held,
}

#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) id: u64,
    pub(super) disk: String,
    pub(super) disk_id: u64,
    pub(super) gib: u64,
    pub(super) kms_key: Option<String>,
    pub(super) labels: Labels,
    pub(super) description: String,
    pub(super) locations: Vec<String>,
    pub(super) created: Timestamp,
    /// What the disk held when the snapshot left `CREATING`.
    pub(super) bytes: Bytes,
    pub(super) stage: Stage,
    pub(super) fate: Fate,
    /// While this goes on, the snapshot is not listed.
    pub(super) unlisted: Progress,
    /// While this goes on, the snapshot is not found by its name.
    pub(super) hidden: Progress,
}

/// What an operation does when it is done.
#[derive(Clone, Debug)]
pub(super) enum AtEnd {
    Nothing,
    RemoveSnapshot(String),
    RemoveDisk(String),
}

#[derive(Debug)]
pub(super) struct Operation {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) place: String,
    pub(super) kind: &'static str,
    /// Path and id of what it is about.
    pub(super) target: (String, u64),
    /// It isn't done before this snapshot is there, or this disk.
    pub(super) waits_for: Option<String>,
    pub(super) began: Timestamp,
    pub(super) looked_at: bool,
    pub(super) progress: Progress,
    pub(super) done: bool,
    pub(super) error: Option<OperationError>,
    pub(super) at_end: AtEnd,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) options: ComputeOptions,
    /// By path.
    pub(super) disks: BTreeMap<String, Disk>,
    /// By path.
    pub(super) snapshots: BTreeMap<String, Snapshot>,
    /// By path.
    pub(super) operations: BTreeMap<String, Operation>,
    /// What was asked with a request id, and the path of the operation that was answered.
    pub(super) requests: BTreeMap<String, (Sent, String)>,
    pub(super) denied: BTreeSet<String>,
    /// The only permissions that there are; `None` means all.
    pub(super) granted: Option<BTreeSet<String>>,
    pub(super) used: BTreeSet<String>,
    pub(super) denied_keys: BTreeSet<String>,
    pub(super) expired: bool,
    pub(super) next_fate: Fate,
    /// The operation of the request at hand ends with this.
    pub(super) failing: Option<OperationError>,
    pub(super) faults: Vec<ComputeFault>,
    pub(super) calls: Vec<Call>,
    sequence: u64,
}

impl State {
    pub(super) fn new(options: ComputeOptions) -> Self {
        Self {
            options,
            disks: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            operations: BTreeMap::new(),
            requests: BTreeMap::new(),
            denied: BTreeSet::new(),
            granted: None,
            used: BTreeSet::new(),
            denied_keys: BTreeSet::new(),
            expired: false,
            next_fate: Fate::default(),
            failing: None,
            faults: Vec::new(),
            calls: Vec::new(),
            sequence: 4_000_000_000_000_000_000,
        }
    }

    /// A number that nothing else has.
    pub(super) fn next_id(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    pub(super) fn add_disk(&mut self, new: NewDisk) -> String {
        let id = self.next_id();
        let project = new.project.unwrap_or_else(|| self.options.project.clone());
        let place = match &new.region {
            Some(region) => format!("regions/{region}"),
            None => format!("zones/{}", new.zone),
        };
        let name = new.name.unwrap_or_else(|| format!("disk-{id}"));
        let path = format!("projects/{project}/{place}/disks/{name}");
        let replica_zones = match &new.region {
            Some(region) => vec![format!("{region}-a"), format!("{region}-b")],
            None => Vec::new(),
        };
        let disk = Disk {
            id,
            gib: new.gib,
            kind: new.kind,
            iops: new.iops,
            throughput: new.throughput,
            kms_key: new.kms_key,
            customer_key: new.customer_key,
            replica_zones,
            snapshot: None,
            labels: Labels::new(),
            description: String::new(),
            created: Timestamp::now(),
            bytes: Bytes::new(),
            creating: super::Phase::default().begin(),
            last_snapshot: None,
        };
        self.disks.insert(path.clone(), disk);
        path
    }

    pub(super) fn is_key_denied(&self, key: Option<&String>) -> bool {
        key.is_some_and(|key| {
            let key = key.split("/cryptoKeyVersions/").next().unwrap_or_default();
            self.denied_keys.contains(key)
        })
    }

    /// What Compute Engine says of a key that it may not use.
    pub(super) fn key_error(key: &str) -> OperationError {
        OperationError {
            code: "INVALID_USAGE".to_owned(),
            message: format!("Cloud KMS error when using key {key}: {key} is not enabled, current state is: DISABLED."),
            status: 400,
        }
    }
}

/// A moment as answers write it: Google's own clock, in its own zone.
pub(super) fn moment(moment: Timestamp) -> String {
    let offset = jiff::tz::offset(-8);
    offset.to_datetime(moment).strftime("%Y-%m-%dT%H:%M:%S%.3f-08:00").to_string()
}
