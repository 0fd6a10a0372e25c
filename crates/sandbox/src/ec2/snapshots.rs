//! `CreateSnapshot`, `DescribeSnapshots`, `DeleteSnapshot`.

use std::time::Instant;

use jiff::Timestamp;

use super::answer::{Refused, Xml};
use super::filter;
use super::parameters::Parameters;
use super::state::{SnapshotFate, SnapshotState, State, moment, tag_set};

/// What EBS says of a snapshot whose key it may not use.
const KEY_NOT_USABLE: &str = "Client.InternalError: Given key ID is not accessible";

fn missing(id: &str) -> Refused {
    Refused::bad("InvalidSnapshot.NotFound", format!("The snapshot '{id}' does not exist."))
}

/// Refuses what can't be an id.
pub(super) fn well_formed(kind: &str, code: &str, id: &str) -> Result<(), Refused> {
    let hex = |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_hexdigit());
    if id.strip_prefix(kind).and_then(|rest| rest.strip_prefix('-')).is_some_and(hex) {
        return Ok(());
    }
    Err(Refused::bad(code, format!("Invalid id: \"{id}\" (expecting \"{kind}-...\")")))
}

impl SnapshotState {
    fn told(&self, account: &str, (state, percent, message): (&str, u32, &str)) -> Xml {
        let xml = Xml::default()
            .text("snapshotId", &self.id)
            .text("volumeId", &self.volume)
            .text("status", state)
            .maybe("statusMessage", Some(message).filter(|message| !message.is_empty()))
            .text("startTime", moment(self.started))
            .text("progress", format!("{percent}%"))
            .text("ownerId", account)
            .text("volumeSize", self.gib)
            .text("description", &self.description)
            .text("encrypted", self.kms_key.is_some())
            .maybe("kmsKeyId", self.kms_key.as_ref());
        tag_set(xml, &self.tags)
    }

    /// A look goes by.
    fn look(&mut self) {
        if let SnapshotFate::Completes { looks_left } = &mut self.fate {
            *looks_left = looks_left.saturating_sub(1);
        }
    }
}

impl State {
    pub(super) fn create_snapshot(&mut self, parameters: &mut Parameters) -> Result<Xml, Refused> {
        let volume_id = parameters.need("VolumeId")?;
        let description = parameters.take("Description").unwrap_or_default();
        let tags = parameters.new_tags("snapshot")?;
        parameters.nothing_left()?;
        well_formed("vol", "InvalidParameterValue", &volume_id)?;
        let (interval, looks) = (self.options.snapshot_interval, self.options.pending_looks);
        let Some(volume) = self.volumes.get_mut(&volume_id) else {
            let message = format!("The volume '{volume_id}' does not exist.");
            return Err(Refused::bad("InvalidVolume.NotFound", message));
        };
        if volume.last_snapshot.is_some_and(|last| last.elapsed() < interval) {
            return Err(Refused::bad(
                "SnapshotCreationPerVolumeRateExceeded",
                "The maximum per volume CreateSnapshot request rate has been exceeded. Use an increasing or variable sleep interval \
                 between requests.",
            ));
        }
        volume.last_snapshot = Some(Instant::now());
        let (gib, kms_key, bytes) = (volume.gib, volume.kms_key.clone(), volume.bytes.clone());
        let usual = if self.is_key_denied(kms_key.as_ref()) {
            SnapshotFate::Fails { message: KEY_NOT_USABLE.to_owned() }
        } else {
            SnapshotFate::Completes { looks_left: looks }
        };
        let snapshot = SnapshotState {
            id: self.next_id("snap"),
            volume: volume_id,
            gib,
            started: Timestamp::now(),
            description,
            kms_key,
            tags,
            bytes,
            fate: self.next_fate.take().unwrap_or(usual),
            looks,
            in_use: false,
            listed_from: self.describes + 1 + self.options.lag_calls,
            listed_at: Instant::now() + self.options.lag,
        };
        // Whatever becomes of it, the answer says that it has begun.
        let told = snapshot.told(&self.options.account, ("pending", 0, ""));
        self.snapshots.insert(snapshot.id.clone(), snapshot);
        Ok(told)
    }

    pub(super) fn describe_snapshots(&mut self, parameters: &mut Parameters) -> Result<Xml, Refused> {
        let ids = parameters.take_list("SnapshotId");
        let owners = parameters.take_list("Owner");
        let filters = filter::read(parameters);
        let start = parameters.number("NextToken")?.unwrap_or_default() as usize;
        let most = parameters.number("MaxResults")?.unwrap_or(1000) as usize;
        parameters.nothing_left()?;
        self.describes += 1;
        let (describes, account) = (self.describes, self.options.account.clone());
        for id in &ids {
            well_formed("snap", "InvalidSnapshotID.Malformed", id)?;
            if self.snapshots.get(id).is_none_or(|snapshot| !snapshot.is_listed(describes)) {
                return Err(missing(id));
            }
        }
        let owned = owners.is_empty() || owners.iter().any(|owner| owner == "self" || *owner == account);
        let mut found = Vec::new();
        for snapshot in self.snapshots.values() {
            let fields = [
                ("snapshot-id", snapshot.id.as_str()),
                ("volume-id", snapshot.volume.as_str()),
                ("status", snapshot.status().0),
            ];
            let wanted = ids.is_empty() || ids.contains(&snapshot.id);
            if filter::pass(&filters, &snapshot.tags, &fields)? && wanted && owned && snapshot.is_listed(describes) {
                found.push(snapshot.id.clone());
            }
        }
        let end = (start + most.min(self.options.page)).min(found.len());
        let next = (end < found.len()).then_some(end);
        let mut told = Vec::new();
        for id in found.get(start..end).unwrap_or_default() {
            if let Some(snapshot) = self.snapshots.get_mut(id) {
                told.push(snapshot.told(&account, snapshot.status()));
                snapshot.look();
            }
        }
        Ok(Xml::default().list("snapshotSet", told).maybe("nextToken", next))
    }

    pub(super) fn delete_snapshot(&mut self, parameters: &mut Parameters) -> Result<Xml, Refused> {
        let id = parameters.need("SnapshotId")?;
        parameters.nothing_left()?;
        well_formed("snap", "InvalidSnapshotID.Malformed", &id)?;
        let snapshot = self.snapshots.get(&id).ok_or_else(|| missing(&id))?;
        if snapshot.in_use {
            let message = format!("The snapshot {id} is currently in use by ami-0123456789abcdef0");
            return Err(Refused::bad("InvalidSnapshot.InUse", message));
        }
        self.snapshots.remove(&id);
        Ok(Xml::default().text("return", true))
    }
}
