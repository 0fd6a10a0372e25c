//! Snapshots: `createSnapshot` of disks, `get`, `list`, `delete`, `setLabels`.

use std::collections::BTreeMap;
use std::time::Instant;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::answer::Refused;
use super::faults::OperationError;
use super::operations::Begun;
use super::phase::Progress;
use super::state::{AtEnd, Fate, HOST, KnownSnapshot, Snapshot, Stage, State, moment};
use super::target::Target;
use super::{filter, rules};

/// Fields of a snapshot that a request may carry.
const FIELDS: [&str; 9] = [
    "name",
    "description",
    "labels",
    "storageLocations",
    "guestFlush",
    "locationHint",
    "snapshotEncryptionKey",
    "sourceDiskEncryptionKey",
    "snapshotType",
];

impl Snapshot {
    pub(super) fn known(&self, path: &str) -> KnownSnapshot {
        let (path, disk) = (path.to_owned(), self.disk.clone());
        KnownSnapshot { path, disk, status: self.stage.status(), labels: self.labels.clone() }
    }

    fn told(&self, path: &str) -> Value {
        let name = path.rsplit('/').next().unwrap_or_default();
        let ready = matches!(self.stage, Stage::Ready);
        let mut told = json!({
            "kind": "compute#snapshot",
            "id": self.id.to_string(),
            "name": name,
            "creationTimestamp": moment(self.created),
            "status": self.stage.status(),
            "sourceDisk": format!("{HOST}{}", self.disk),
            "sourceDiskId": self.disk_id.to_string(),
            "diskSizeGb": self.gib.to_string(),
            "storageBytes": if ready { self.bytes.len().to_string() } else { "0".to_owned() },
            "storageBytesStatus": if ready { "UP_TO_DATE" } else { "UPDATING" },
            "storageLocations": self.locations,
            "selfLink": format!("{HOST}{path}"),
            "labelFingerprint": "42WmSpB8rSM=",
            "snapshotType": "STANDARD",
        });
        if !self.description.is_empty() {
            told["description"] = json!(self.description);
        }
        if !self.labels.is_empty() {
            told["labels"] = json!(self.labels);
        }
        if let Some(key) = &self.kms_key {
            told["snapshotEncryptionKey"] = json!({ "kmsKeyName": key });
            told["sourceDiskEncryptionKey"] = json!({ "kmsKeyName": key });
        }
        told
    }
}

impl State {
    pub(super) fn create_snapshot(&mut self, target: &Target, body: &Value) -> Result<(String, Value), Refused> {
        rules::only(body, &FIELDS)?;
        let disk_path = target.path();
        let name = body["name"].as_str().unwrap_or_default();
        rules::name(name)?;
        let (labels, description) = (rules::labels(body)?, rules::description(body)?);
        let locations: Vec<String> = body["storageLocations"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|name| Some(name.as_str()?.to_owned()))
            .collect();
        if locations.len() > 1 {
            let message = "Invalid value for field 'resource.storageLocations': at most one location may be given";
            return Err(Refused::invalid(message));
        }
        let path = format!("projects/{}/global/snapshots/{name}", target.project);
        let (interval, location) = (self.options.snapshot_interval, self.options.default_location.clone());
        let disk = self.disks.get_mut(&disk_path).ok_or_else(|| Refused::not_found(&disk_path))?;
        if disk.customer_key && body["sourceDiskEncryptionKey"].is_null() {
            let message =
                format!("'{disk_path}' is protected with a customer supplied encryption key, but none was provided.");
            return Err(Refused::new(400, "resourceIsEncryptedWithCustomerEncryptionKey", message));
        }
        if self.snapshots.contains_key(&path) {
            return Err(Refused::already_exists(&path));
        }
        let too_soon = disk.last_snapshot.is_some_and(|last| last.elapsed() < interval);
        if !too_soon && self.failing.is_none() {
            disk.last_snapshot = Some(Instant::now());
        }
        let (disk_id, gib, kms_key) = (disk.id, disk.gib, disk.kms_key.clone());
        let rate = too_soon.then(|| OperationError {
            code: "RESOURCE_OPERATION_RATE_EXCEEDED".to_owned(),
            message: format!(
                "Operation rate exceeded for resource '{disk_path}'. Too frequent operations from the source resource."
            ),
            status: 400,
        });
        let of_key = kms_key.as_ref().filter(|key| self.is_key_denied(Some(key))).map(|key| Self::key_error(key));
        let error = self.failing.take().or(rate).or(of_key);
        // One that will fail is seen for a while, and never gets further.
        let creating = if error.is_some() { Progress::endless() } else { self.options.creating.begin() };
        let snapshot = Snapshot {
            id: self.next_id(),
            disk: disk_path.clone(),
            disk_id,
            gib,
            kms_key,
            labels,
            description,
            locations: if locations.is_empty() { vec![location] } else { locations },
            created: Timestamp::now(),
            bytes: Bytes::new(),
            stage: Stage::Creating(creating),
            fate: std::mem::take(&mut self.next_fate),
            unlisted: self.options.lag.begin(),
            hidden: self.options.hidden.begin(),
        };
        self.snapshots.insert(path.clone(), snapshot);
        Ok(self.begin(Begun {
            kind: "createSnapshot",
            place: target.place(),
            target: (disk_path, disk_id),
            waits_for: Some(path.clone()),
            phase: self.options.operation,
            at_end: if error.is_some() { AtEnd::RemoveSnapshot(path) } else { AtEnd::Nothing },
            error,
        }))
    }

    /// Lets snapshots go on: the content is the disk's when `CREATING` ends.
    pub(super) fn advance_snapshots(&mut self) {
        for snapshot in self.snapshots.values_mut() {
            if let Stage::Creating(progress) = snapshot.stage
                && progress.is_over()
            {
                snapshot.bytes = self.disks.get(&snapshot.disk).map(|disk| disk.bytes.clone()).unwrap_or_default();
                let uploading = match snapshot.fate {
                    Fate::Held => Progress::endless(),
                    _ => self.options.uploading.begin(),
                };
                let fails = snapshot.fate == Fate::FailsBeforeTheCut;
                snapshot.stage = if fails { Stage::Failed } else { Stage::Uploading(uploading) };
            }
            if let Stage::Uploading(progress) = snapshot.stage
                && progress.is_over()
            {
                let fails = snapshot.fate == Fate::FailsAfterTheCut;
                snapshot.stage = if fails { Stage::Failed } else { Stage::Ready };
            }
        }
    }

    pub(super) fn get_snapshot(&mut self, target: &Target) -> Result<Value, Refused> {
        self.advance();
        let path = target.path();
        let snapshot = self.snapshots.get_mut(&path).ok_or_else(|| Refused::not_found(&path))?;
        if !snapshot.hidden.is_over() {
            snapshot.hidden.look();
            return Err(Refused::not_found(&path));
        }
        let told = snapshot.told(&path);
        self.look_at(&path);
        Ok(told)
    }

    pub(super) fn list_snapshots(
        &mut self,
        target: &Target,
        query: &BTreeMap<String, String>,
    ) -> Result<Value, Refused> {
        self.advance();
        let wanted = filter::read(query.get("filter").map_or("", String::as_str))?;
        let most = query.get("maxResults").map_or(Ok(500), |most| most.parse::<usize>());
        let start = query.get("pageToken").map_or(Ok(0), |token| token.parse::<usize>());
        let (Ok(most @ 1..=500), Ok(start)) = (most, start) else {
            return Err(Refused::invalid("Invalid value for field 'maxResults' or 'pageToken'"));
        };
        let before = format!("projects/{}/global/snapshots/", target.project);
        let mut found = Vec::new();
        for (path, snapshot) in &mut self.snapshots {
            let Some(name) = path.strip_prefix(&before) else { continue };
            let listed = snapshot.unlisted.is_over();
            snapshot.unlisted.look();
            if listed && filter::pass(&wanted, name, &snapshot.labels)? {
                found.push(path.clone());
            }
        }
        let end = (start + most.min(self.options.page)).min(found.len());
        let page = found.get(start..end).unwrap_or_default();
        let items: Vec<Value> = page.iter().filter_map(|path| Some(self.snapshots.get(path)?.told(path))).collect();
        let mut told = json!({"kind": "compute#snapshotList", "selfLink": format!("{HOST}{before}")});
        if !items.is_empty() {
            told["items"] = json!(items);
        }
        if end < found.len() {
            told["nextPageToken"] = json!(end.to_string());
        }
        Ok(told)
    }

    pub(super) fn delete_snapshot(&mut self, target: &Target) -> Result<(String, Value), Refused> {
        self.advance();
        let path = target.path();
        let error = self.failing.take();
        let snapshot = self.snapshots.get_mut(&path).ok_or_else(|| Refused::not_found(&path))?;
        let id = snapshot.id;
        if error.is_none() {
            snapshot.stage = Stage::Deleting;
        }
        Ok(self.begin(Begun {
            kind: "delete",
            place: target.place(),
            target: (path.clone(), id),
            waits_for: None,
            phase: self.options.operation,
            at_end: if error.is_some() { AtEnd::Nothing } else { AtEnd::RemoveSnapshot(path) },
            error,
        }))
    }

    pub(super) fn set_labels(&mut self, target: &Target, body: &Value) -> Result<(String, Value), Refused> {
        rules::only(body, &["labels", "labelFingerprint"])?;
        let (labels, path) = (rules::labels(body)?, target.path());
        let snapshot = self.snapshots.get_mut(&path).ok_or_else(|| Refused::not_found(&path))?;
        if body["labelFingerprint"].as_str().is_none_or(str::is_empty) {
            let message = "Labels fingerprint either invalid or resource labels have changed";
            return Err(Refused::new(412, "conditionNotMet", message));
        }
        snapshot.labels = labels;
        let id = snapshot.id;
        let error = self.failing.take();
        Ok(self.begin(Begun {
            kind: "setLabels",
            place: target.place(),
            target: (path, id),
            waits_for: None,
            phase: self.options.operation,
            error,
            at_end: AtEnd::Nothing,
        }))
    }
}
