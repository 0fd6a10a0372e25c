//! Disks: `get`, `insert`, `delete`.

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::answer::Refused;
use super::operations::Begun;
use super::phase::Progress;
use super::rules;
use super::state::{AtEnd, Disk, HOST, Stage, State, moment};
use super::target::{Scope, Target};

/// Fields of a disk that a request may carry.
const FIELDS: [&str; 10] = [
    "name",
    "description",
    "labels",
    "sizeGb",
    "type",
    "sourceSnapshot",
    "diskEncryptionKey",
    "provisionedIops",
    "provisionedThroughput",
    "replicaZones",
];

/// Types of disks, whether they take a number of operations, and whether they take a throughput.
const KINDS: [(&str, bool, bool); 8] = [
    ("pd-standard", false, false),
    ("pd-balanced", false, false),
    ("pd-ssd", false, false),
    ("pd-extreme", true, false),
    ("hyperdisk-balanced", true, true),
    ("hyperdisk-extreme", true, false),
    ("hyperdisk-throughput", false, true),
    ("hyperdisk-balanced-high-availability", true, true),
];

impl Disk {
    fn told(&self, path: &str) -> Value {
        let name = path.rsplit('/').next().unwrap_or_default();
        let place = path.rsplitn(3, '/').nth(2).unwrap_or_default();
        let mut told = json!({
            "kind": "compute#disk",
            "id": self.id.to_string(),
            "name": name,
            "creationTimestamp": moment(self.created),
            "sizeGb": self.gib.to_string(),
            "status": if self.creating.is_over() { "READY" } else { "CREATING" },
            "type": format!("{HOST}{place}/diskTypes/{}", self.kind),
            "selfLink": format!("{HOST}{path}"),
            "labelFingerprint": "42WmSpB8rSM=",
            "physicalBlockSizeBytes": "4096",
        });
        let scope = if place.contains("/regions/") { "region" } else { "zone" };
        told[scope] = json!(format!("{HOST}{place}"));
        if !self.replica_zones.is_empty() {
            let project = path.split("/regions/").next().unwrap_or_default();
            let zones: Vec<_> = self.replica_zones.iter().map(|zone| format!("{HOST}{project}/zones/{zone}")).collect();
            told["replicaZones"] = json!(zones);
        }
        if !self.description.is_empty() {
            told["description"] = json!(self.description);
        }
        if !self.labels.is_empty() {
            told["labels"] = json!(self.labels);
        }
        if let Some((snapshot, id)) = &self.snapshot {
            told["sourceSnapshot"] = json!(format!("{HOST}{snapshot}"));
            told["sourceSnapshotId"] = json!(id.to_string());
        }
        if let Some(iops) = self.iops {
            told["provisionedIops"] = json!(iops.to_string());
        }
        if let Some(throughput) = self.throughput {
            told["provisionedThroughput"] = json!(throughput.to_string());
        }
        if let Some(key) = &self.kms_key {
            told["diskEncryptionKey"] = json!({ "kmsKeyName": key });
        } else if self.customer_key {
            told["diskEncryptionKey"] = json!({ "sha256": "esTuF7d4eatX4cnc4JsiEiaI+Rff78JgPhA/v1zxX9E=" });
        }
        told
    }
}

impl State {
    pub(super) fn get_disk(&mut self, target: &Target) -> Result<Value, Refused> {
        self.advance();
        let path = target.path();
        let told = self.disks.get(&path).map(|disk| disk.told(&path)).ok_or_else(|| Refused::not_found(&path))?;
        self.look_at(&path);
        Ok(told)
    }

    pub(super) fn insert_disk(&mut self, target: &Target, body: &Value) -> Result<(String, Value), Refused> {
        rules::only(body, &FIELDS)?;
        self.advance();
        let name = body["name"].as_str().unwrap_or_default();
        rules::name(name)?;
        let (labels, description) = (rules::labels(body)?, rules::description(body)?);
        let path = format!("{}/disks/{name}", target.place());
        let replica_zones = replica_zones(&target.scope, body)?;
        let (kind, iops, throughput) = kind(&target.scope, body)?;
        let (mut bytes, mut gib, mut source, mut source_key) = (Bytes::new(), 1, None, None);
        if let Some(link) = body["sourceSnapshot"].as_str() {
            let snapshot_path = link.strip_prefix(HOST).unwrap_or(link);
            let snapshot = self.snapshots.get(snapshot_path).ok_or_else(|| Refused::not_found(snapshot_path))?;
            if !matches!(snapshot.stage, Stage::Ready) {
                let message = format!("The resource '{snapshot_path}' is not ready");
                return Err(Refused::new(400, "resourceNotReady", message));
            }
            (bytes, gib, source_key) = (snapshot.bytes.clone(), snapshot.gib, snapshot.kms_key.clone());
            source = Some((snapshot_path.to_owned(), snapshot.id));
        }
        let wanted = rules::number(body, "sizeGb")?.unwrap_or(gib);
        if wanted < gib {
            let message = format!("Requested disk size cannot be smaller than the snapshot size ({gib} GB)");
            return Err(Refused::invalid(format!("Invalid value for field 'resource.sizeGb': '{wanted}'. {message}.")));
        }
        if self.disks.contains_key(&path) {
            return Err(Refused::already_exists(&path));
        }
        let kms_key = body["diskEncryptionKey"]["kmsKeyName"].as_str().map(str::to_owned);
        // A snapshot's key must be usable too, whatever the disk's is.
        let keys = [source_key.as_ref(), kms_key.as_ref()];
        let of_key =
            keys.into_iter().flatten().find(|key| self.is_key_denied(Some(key))).map(|key| Self::key_error(key));
        let error = self.failing.take().or(of_key);
        let id = self.next_id();
        let disk = Disk {
            id,
            gib: wanted,
            kind,
            iops,
            throughput,
            kms_key,
            customer_key: false,
            replica_zones,
            snapshot: source,
            labels,
            description,
            created: Timestamp::now(),
            bytes,
            creating: if error.is_some() { Progress::endless() } else { self.options.disk_creating.begin() },
            last_snapshot: None,
        };
        self.disks.insert(path.clone(), disk);
        Ok(self.begin(Begun {
            kind: "insert",
            place: target.place(),
            target: (path.clone(), id),
            waits_for: Some(path.clone()),
            phase: self.options.operation,
            at_end: if error.is_some() { AtEnd::RemoveDisk(path) } else { AtEnd::Nothing },
            error,
        }))
    }

    pub(super) fn delete_disk(&mut self, target: &Target) -> Result<(String, Value), Refused> {
        let path = target.path();
        let id = self.disks.get(&path).map(|disk| disk.id).ok_or_else(|| Refused::not_found(&path))?;
        let error = self.failing.take();
        Ok(self.begin(Begun {
            kind: "delete",
            place: target.place(),
            target: (path.clone(), id),
            waits_for: None,
            phase: self.options.operation,
            at_end: if error.is_some() { AtEnd::Nothing } else { AtEnd::RemoveDisk(path) },
            error,
        }))
    }
}

/// The zones of a regional disk: two of the region.
fn replica_zones(scope: &Scope, body: &Value) -> Result<Vec<String>, Refused> {
    let links = body["replicaZones"].as_array().map(Vec::as_slice).unwrap_or_default();
    let names = links.iter().filter_map(|link| Some(link.as_str()?.rsplit('/').next()?.to_owned()));
    let zones: Vec<String> = names.collect();
    let fits = match scope {
        Scope::Region(region) => zones.len() == 2 && zones.iter().all(|zone| zone.starts_with(&format!("{region}-"))),
        _ => zones.is_empty(),
    };
    if fits {
        return Ok(zones);
    }
    Err(Refused::invalid(format!(
        "Invalid value for field 'resource.replicaZones': '{zones:?}'. Two zones of the region are needed."
    )))
}

/// Type, operations per second and throughput.
fn kind(scope: &Scope, body: &Value) -> Result<(String, Option<u64>, Option<u64>), Refused> {
    let kind = match body["type"].as_str() {
        None => "pd-standard",
        Some(link) => {
            let wanted = format!("{scope}/diskTypes/");
            match link.split_once(&wanted) {
                Some((_, name)) => name,
                None => {
                    let message =
                        format!("Invalid value for field 'resource.type': '{link}'. The URL is of another place.");
                    return Err(Refused::invalid(message));
                }
            }
        }
    };
    let Some((_, takes_iops, takes_throughput)) = KINDS.iter().find(|(name, ..)| *name == kind) else {
        return Err(Refused::invalid(format!(
            "Invalid value for field 'resource.type': '{kind}'. The type is not known."
        )));
    };
    let (iops, throughput) = (rules::number(body, "provisionedIops")?, rules::number(body, "provisionedThroughput")?);
    if (iops.is_some() && !takes_iops) || (throughput.is_some() && !takes_throughput) {
        let message = format!("Provisioned performance is not supported for disk type {kind}.");
        return Err(Refused::invalid(format!("Invalid value for field 'resource.provisionedIops'. {message}")));
    }
    Ok((kind.to_owned(), iops, throughput))
}
