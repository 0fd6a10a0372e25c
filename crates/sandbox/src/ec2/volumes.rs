//! `CreateVolume`, `DescribeVolumes`.

use bytes::Bytes;

use super::answer::{Refused, Xml};
use super::filter;
use super::parameters::Parameters;
use super::snapshots::well_formed;
use super::state::{SnapshotFate, State, Volume, VolumeFate, tag_set};

/// Types of volumes, whether they take a number of operations, and whether they need it.
const KINDS: [(&str, bool, bool); 7] = [
    ("gp2", false, false),
    ("gp3", true, false),
    ("io1", true, true),
    ("io2", true, true),
    ("sc1", false, false),
    ("st1", false, false),
    ("standard", false, false),
];

impl Volume {
    fn state(&self) -> &'static str {
        match self.fate {
            VolumeFate::Becomes { looks_left: 0 } => "available",
            VolumeFate::Becomes { .. } | VolumeFate::GoesAway { .. } => "creating",
        }
    }

    fn told(&self) -> Xml {
        let xml = Xml::default()
            .text("volumeId", &self.id)
            .text("size", self.gib)
            .maybe("snapshotId", self.snapshot.as_ref())
            .text("availabilityZone", &self.zone)
            .text("status", self.state())
            .text("volumeType", &self.kind)
            .maybe("iops", self.iops)
            .maybe("throughput", self.throughput)
            .text("encrypted", self.kms_key.is_some())
            .maybe("kmsKeyId", self.kms_key.as_ref())
            .text("multiAttachEnabled", false);
        tag_set(xml, &self.tags)
    }
}

impl State {
    pub(super) fn create_volume(&mut self, parameters: &mut Parameters) -> Result<Xml, Refused> {
        let sent = parameters.all().clone();
        let token = parameters.take("ClientToken");
        if let Some((first, made)) = token.as_ref().and_then(|token| self.tokens.get(token)) {
            if *first != sent {
                let message = "The client token is already used by a request with other parameters";
                return Err(Refused::bad("IdempotentParameterMismatch", message));
            }
            if let Some(volume) = self.volumes.get(made) {
                return Ok(volume.told());
            }
        }
        let volume = self.new_volume(parameters)?;
        let told = volume.told();
        if let Some(token) = token {
            self.tokens.insert(token, (sent, volume.id.clone()));
        }
        self.volumes.insert(volume.id.clone(), volume);
        Ok(told)
    }

    fn new_volume(&mut self, parameters: &mut Parameters) -> Result<Volume, Refused> {
        let zone = parameters.need("AvailabilityZone")?;
        let snapshot_id = parameters.take("SnapshotId");
        let size = parameters.number("Size")?;
        let kind = parameters.take("VolumeType").unwrap_or_else(|| "gp2".to_owned());
        let (iops, throughput) = (parameters.number("Iops")?, parameters.number("Throughput")?);
        let (encrypted, key) = (parameters.is_true("Encrypted"), parameters.take("KmsKeyId"));
        let tags = parameters.new_tags("volume")?;
        parameters.nothing_left()?;
        if !self.is_zone(&zone) {
            return Err(Refused::bad("InvalidZone.NotFound", format!("The zone '{zone}' does not exist.")));
        }
        let Some((_, takes, needs)) = KINDS.iter().find(|(name, ..)| *name == kind) else {
            let message = format!("Value ({kind}) for parameter volumeType is invalid.");
            return Err(Refused::bad("InvalidParameterValue", message));
        };
        if (iops.is_some() && !takes) || (throughput.is_some() && kind != "gp3") {
            let message = format!("The parameter iops or throughput is not supported for {kind} volumes.");
            return Err(Refused::bad("InvalidParameterCombination", message));
        }
        if *needs && iops.is_none() {
            return Err(Refused::bad("MissingParameter", "The request must contain the parameter iops"));
        }
        let (mut bytes, mut kms_key, mut least) = (Bytes::new(), None, 1);
        if let Some(id) = &snapshot_id {
            well_formed("snap", "InvalidSnapshotID.Malformed", id)?;
            let missing = || Refused::bad("InvalidSnapshot.NotFound", format!("The snapshot '{id}' does not exist."));
            let snapshot = self.snapshots.get(id).ok_or_else(missing)?;
            if !matches!(snapshot.fate, SnapshotFate::Completes { looks_left: 0 }) {
                let message = format!("Snapshot '{id}' is in the '{}' state", snapshot.status().0);
                return Err(Refused::bad("IncorrectState", message));
            }
            (bytes, kms_key, least) = (snapshot.bytes.clone(), snapshot.kms_key.clone(), snapshot.gib);
        } else if size.is_none() {
            return Err(Refused::bad("MissingParameter", "The request must contain the parameter size/snapshot"));
        }
        if key.is_some() && !encrypted {
            let message = "The parameter KmsKeyId requires the parameter Encrypted to be set.";
            return Err(Refused::bad("InvalidParameterDependency", message));
        }
        let gib = size.unwrap_or(least);
        if gib < least {
            let message = format!("Volume of {gib}GiB is smaller than snapshot, expect size >= {least}GiB");
            return Err(Refused::bad("InvalidParameterValue", message));
        }
        let default_key =
            || encrypted.then(|| format!("arn:aws:kms:{}:{}:key/ebs", self.options.region, self.options.account));
        // A snapshot's key must be usable too, whatever the volume's is.
        let denied = self.is_key_denied(kms_key.as_ref()) || self.is_key_denied(key.as_ref());
        let kms_key = key.or(kms_key).or_else(default_key);
        let looks_left = self.options.creating_looks;
        let gp3 = kind == "gp3";
        Ok(Volume {
            id: self.next_id("vol"),
            gib,
            zone,
            kind,
            iops: iops.or(gp3.then_some(3000)),
            throughput: throughput.or(gp3.then_some(125)),
            kms_key,
            snapshot: snapshot_id,
            tags,
            bytes,
            fate: if denied { VolumeFate::GoesAway { looks_left } } else { VolumeFate::Becomes { looks_left } },
            last_snapshot: None,
        })
    }

    pub(super) fn describe_volumes(&mut self, parameters: &mut Parameters) -> Result<Xml, Refused> {
        let ids = parameters.take_list("VolumeId");
        let filters = filter::read(parameters);
        let start = parameters.number("NextToken")?.unwrap_or_default() as usize;
        let most = parameters.number("MaxResults")?.unwrap_or(1000) as usize;
        parameters.nothing_left()?;
        for id in &ids {
            well_formed("vol", "InvalidParameterValue", id)?;
            if !self.volumes.contains_key(id) {
                let message = format!("The volume '{id}' does not exist.");
                return Err(Refused::bad("InvalidVolume.NotFound", message));
            }
        }
        let mut found = Vec::new();
        for volume in self.volumes.values() {
            let fields = [("volume-id", volume.id.as_str()), ("status", volume.state())];
            if filter::pass(&filters, &volume.tags, &fields)? && (ids.is_empty() || ids.contains(&volume.id)) {
                found.push(volume.id.clone());
            }
        }
        let end = (start + most.min(self.options.page)).min(found.len());
        let next = (end < found.len()).then_some(end);
        let mut told = Vec::new();
        for id in found.get(start..end).unwrap_or_default() {
            let Some(volume) = self.volumes.get_mut(id) else { continue };
            told.push(volume.told());
            match &mut volume.fate {
                VolumeFate::GoesAway { looks_left: 0 } => {
                    self.volumes.remove(id);
                }
                VolumeFate::GoesAway { looks_left } | VolumeFate::Becomes { looks_left } => {
                    *looks_left = looks_left.saturating_sub(1);
                }
            }
        }
        Ok(Xml::default().list("volumeSet", told).maybe("nextToken", next))
    }
}
