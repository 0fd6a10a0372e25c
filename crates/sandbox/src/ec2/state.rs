//! What the server holds.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use bytes::Bytes;
use jiff::Timestamp;

use super::answer::Xml;
use super::faults::Ec2Fault;
use super::{Ec2Options, NewVolume};
use crate::request_faults::is_over;

pub(super) type Tags = BTreeMap<String, String>;

/// A call that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The action: `CreateSnapshot`.
    pub action: String,
    /// Its parameters as they were sent.
    pub parameters: BTreeMap<String, String>,
    /// What was answered: a status and EC2's code, if it was refused. `None` when the connection was closed instead.
    pub answer: Option<(u16, Option<String>)>,
}

/// A snapshot, as the server itself knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownSnapshot {
    /// Its id.
    pub id: String,
    /// The volume that it was made of.
    pub volume: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// What becomes of a snapshot.
#[derive(Clone, Debug)]
pub(super) enum SnapshotFate {
    Completes { looks_left: u32 },
    Held { percent: u8 },
    Fails { message: String },
}

/// What becomes of a new volume.
#[derive(Clone, Copy, Debug)]
pub(super) enum VolumeFate {
    Becomes { looks_left: u32 },
    GoesAway { looks_left: u32 },
}

#[derive(Debug)]
pub(super) struct Volume {
    pub(super) id: String,
    pub(super) gib: u32,
    pub(super) zone: String,
    pub(super) kind: String,
    pub(super) iops: Option<u32>,
    pub(super) throughput: Option<u32>,
    pub(super) kms_key: Option<String>,
    pub(super) snapshot: Option<String>,
    pub(super) tags: Tags,
    pub(super) bytes: Bytes,
    pub(super) fate: VolumeFate,
    pub(super) last_snapshot: Option<Instant>,
}

#[derive(Debug)]
pub(super) struct SnapshotState {
    pub(super) id: String,
    pub(super) volume: String,
    pub(super) gib: u32,
    pub(super) started: Timestamp,
    pub(super) description: String,
    pub(super) kms_key: Option<String>,
    pub(super) tags: Tags,
    pub(super) bytes: Bytes,
    pub(super) fate: SnapshotFate,
    /// Looks that it was pending for in the beginning.
    pub(super) looks: u32,
    pub(super) in_use: bool,
    /// The number of the first `DescribeSnapshots` that may tell it.
    pub(super) listed_from: u64,
    pub(super) listed_at: Instant,
}

impl SnapshotState {
    pub(super) fn known(&self) -> KnownSnapshot {
        KnownSnapshot { id: self.id.clone(), volume: self.volume.clone(), tags: self.tags.clone() }
    }

    pub(super) fn is_listed(&self, describes: u64) -> bool {
        describes >= self.listed_from && is_over(Some(self.listed_at))
    }

    /// State, percent and message.
    pub(super) fn status(&self) -> (&'static str, u32, &str) {
        match &self.fate {
            SnapshotFate::Completes { looks_left: 0 } => ("completed", 100, ""),
            SnapshotFate::Completes { looks_left } => {
                ("pending", self.looks.saturating_sub(*looks_left) * 100 / self.looks.max(1), "")
            }
            SnapshotFate::Held { percent } => ("pending", u32::from(*percent), ""),
            SnapshotFate::Fails { message } => ("error", 0, message),
        }
    }
}

/// Everything.
#[derive(Debug)]
pub(super) struct State {
    pub(super) options: Ec2Options,
    pub(super) volumes: BTreeMap<String, Volume>,
    pub(super) snapshots: BTreeMap<String, SnapshotState>,
    /// Client tokens of `CreateVolume`: the parameters, and the volume that was made.
    pub(super) tokens: BTreeMap<String, (BTreeMap<String, String>, String)>,
    pub(super) denied_actions: BTreeSet<String>,
    /// The only ones that are allowed; `None` means all.
    pub(super) granted_actions: Option<BTreeSet<String>>,
    pub(super) denied_keys: BTreeSet<String>,
    pub(super) expired: bool,
    pub(super) next_fate: Option<SnapshotFate>,
    pub(super) faults: Vec<Ec2Fault>,
    pub(super) calls: Vec<Call>,
    /// How many `DescribeSnapshots` came.
    pub(super) describes: u64,
    sequence: u64,
}

impl State {
    pub(super) fn new(options: Ec2Options) -> Self {
        Self {
            options,
            volumes: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            tokens: BTreeMap::new(),
            denied_actions: BTreeSet::new(),
            granted_actions: None,
            denied_keys: BTreeSet::new(),
            expired: false,
            next_fate: None,
            faults: Vec::new(),
            calls: Vec::new(),
            describes: 0,
            sequence: 0,
        }
    }

    /// An id that sorts by age.
    pub(super) fn next_id(&mut self, kind: &str) -> String {
        self.sequence += 1;
        format!("{kind}-{:017x}", self.sequence)
    }

    pub(super) fn is_zone(&self, zone: &str) -> bool {
        zone.strip_prefix(&self.options.region).is_some_and(|letter| matches!(letter, "a" | "b" | "c"))
    }

    pub(super) fn is_key_denied(&self, key: Option<&String>) -> bool {
        key.is_some_and(|key| self.denied_keys.contains(key))
    }

    pub(super) fn add_volume(&mut self, new: NewVolume) -> String {
        let id = self.next_id("vol");
        let gp3 = new.kind == "gp3";
        let volume = Volume {
            id: id.clone(),
            gib: new.gib,
            zone: new.zone,
            kind: new.kind,
            iops: gp3.then_some(3000),
            throughput: gp3.then_some(125),
            kms_key: new.kms_key,
            snapshot: None,
            tags: Tags::new(),
            bytes: Bytes::new(),
            fate: VolumeFate::Becomes { looks_left: 0 },
            last_snapshot: None,
        };
        self.volumes.insert(id.clone(), volume);
        id
    }
}

/// Tags as answers hold them.
pub(super) fn tag_set(xml: Xml, tags: &Tags) -> Xml {
    xml.list("tagSet", tags.iter().map(|(key, value)| Xml::default().text("key", key).text("value", value)))
}

/// A moment as answers write it.
pub(super) fn moment(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}
