//! The volume behind a claim.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use provider::{Error, ErrorKind, Result, VolumeId};

use super::{CsiSnapshots, SnapshotProblem, quantity};

/// A CSI volume that is bound to a claim.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// The claim.
    pub(super) claim: String,
    /// Name of the CSI driver.
    pub(super) driver: String,
    /// Size in bytes.
    pub(super) size: u64,
    /// The claim's storage class.
    pub(super) storage_class: Option<String>,
    /// The claim's access modes.
    pub(super) access_modes: Vec<String>,
}

impl CsiSnapshots {
    /// Follows claim and PersistentVolume to the driver.
    pub(super) async fn source_of(&self, operation: &'static str, volume: &VolumeId) -> Result<Source> {
        let resource = || format!("claim {}/{}", self.namespace, volume.0);
        let error = |kind| Error::new(kind, operation, resource());
        let claim = self.claims.get(&volume.0).await?.ok_or_else(|| error(ErrorKind::NotFound))?;
        let spec = claim.spec.clone().unwrap_or_default();
        let not_bound = || error(ErrorKind::Invalid).with_source(SnapshotProblem::ClaimNotBound);
        let name = spec.volume_name.filter(|name| !name.is_empty()).ok_or_else(not_bound)?;
        let persistent_volume = self.volumes.get(&name).await?.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, operation, format!("PersistentVolume {name} of {}", resource()))
        })?;
        let volume_spec = persistent_volume.spec.unwrap_or_default();
        let not_csi = || error(ErrorKind::Unsupported).with_source(SnapshotProblem::NotCsi { volume: name.clone() });
        let csi = volume_spec.csi.ok_or_else(not_csi)?;
        let capacity = capacity_of(&claim)
            .or_else(|| volume_spec.capacity.and_then(|capacity| capacity.get("storage").map(|size| size.0.clone())))
            .unwrap_or_default();
        let size = quantity::bytes(&capacity).ok_or_else(|| {
            error(ErrorKind::Invalid).with_source(SnapshotProblem::NotASize { quantity: capacity.clone() })
        })?;
        Ok(Source {
            claim: volume.0.clone(),
            driver: csi.driver,
            size,
            storage_class: spec.storage_class_name.or(volume_spec.storage_class_name).filter(|name| !name.is_empty()),
            access_modes: spec.access_modes.unwrap_or_default(),
        })
    }
}

/// The size that a bound claim has, as Kubernetes writes it.
pub(super) fn capacity_of(claim: &PersistentVolumeClaim) -> Option<String> {
    claim.status.as_ref()?.capacity.as_ref()?.get("storage").map(|size| size.0.clone())
}
