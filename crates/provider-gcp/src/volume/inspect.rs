//! Looking at disks.

use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};

use provider::{ErrorKind, Result, VolumeFacts, VolumeId};

use super::PdSnapshots;
use super::described::GIB;
use super::disk_id::DiskId;
use super::problem::{PdProblem, PdRefusal};
use super::refusal;
use super::source::{KMS_KEY, Source, TYPE, ZONE, has_customer_supplied_key};

impl PdSnapshots {
    /// Size and cautions of a disk, which these credentials may cut; remembers what it is for the cut.
    pub(super) async fn look_at(&self, volume: &VolumeId) -> Result<VolumeFacts> {
        let id = self.disk_id("disks.get", volume)?;
        let disk = self.clients.disk(&id, false).await?;
        let Some(gib) = disk.size_gb.and_then(|gib| u64::try_from(gib).ok()) else {
            let problem = PdProblem::Contradiction("the disk has no size");
            return Err(refusal::own(ErrorKind::Corrupt, "disks.get", format!("disk {id}"), problem));
        };
        if has_customer_supplied_key(&disk) {
            let problem = PdProblem::CustomerSuppliedKey;
            return Err(refusal::own(ErrorKind::Unsupported, "disks.get", format!("disk {id}"), problem));
        }
        self.may_cut(&id).await?;
        let source = Source::of(&disk);
        let cautions = self.cautions(&volume.0, &source);
        self.sources().insert(id.to_string(), source);
        Ok(VolumeFacts { size: gib * GIB, cautions })
    }

    /// Asks whether these credentials may cut a disk, without doing so.
    async fn may_cut(&self, id: &DiskId) -> Result<()> {
        let permission = "compute.disks.createSnapshot";
        let held = self.clients.permissions_on_disk(id, &[permission]).await?;
        if held.iter().any(|held| held == permission) {
            return Ok(());
        }
        let refused = PdRefusal {
            code: "forbidden".to_owned(),
            message: format!("Compute Engine says that they may not cut {id}"),
            permission: Some(permission.to_owned()),
            status: 403,
            advice: None,
            cause: None,
        };
        let resource = format!("disk {id}");
        Err(provider::Error::new(ErrorKind::Denied, "disks.createSnapshot", resource).with_source(refused))
    }

    fn cautions(&self, volume: &str, source: &Source) -> Vec<String> {
        let of = |name| source.get(name).unwrap_or("unknown");
        let project = &self.project;
        let location = match &self.options.storage_location {
            Some(location) => format!("is stored in {location}"),
            None => "is stored where the project's snapshot settings say, else in the multi-region next to the disk"
                .to_owned(),
        };
        let mut cautions = vec![format!(
            "the snapshot of {volume} (type {}, zone {}) {location}, and lives in project {project} only: it is not copied to another \
             project and not locked, so whoever may delete snapshots can delete it; etcd's own snapshot in the vault does not depend on it",
            of(TYPE),
            of(ZONE),
        )];
        if let Some(key) = source.get(KMS_KEY) {
            cautions.push(format!(
                "{volume} and its snapshot are encrypted with the Cloud KMS key {key}: without that key, or without the right to use it, \
                 nobody can restore the snapshot"
            ));
        }
        cautions.push(format!(
            "Compute Engine makes at most one snapshot of {volume} in 10 minutes, and 6 in an hour: snapshots of a schedule count too"
        ));
        cautions
    }

    /// What `inspect` saw, by the disk's path.
    pub(super) fn sources(&self) -> MutexGuard<'_, BTreeMap<String, Source>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
