//! A snapshot service whose calls meet faults.

use std::sync::Arc;

use async_trait::async_trait;

use super::{FaultPlan, Operation};
use crate::{
    CreateVolumeRequest, CutRequest, ImportRequest, Owner, RestoredVolume, Result, SnapshotId, SnapshotStatus,
    VolumeCapabilities, VolumeFacts, VolumeId, VolumeSnapshot, VolumeSnapshots,
};

/// A snapshot service whose calls meet the faults of a [`FaultPlan`].
#[derive(Debug)]
pub struct FaultyVolumes<V: ?Sized> {
    plan: FaultPlan,
    inner: Arc<V>,
}

impl<V: VolumeSnapshots + ?Sized> FaultyVolumes<V> {
    /// Puts faults in front of a service.
    pub fn new(inner: Arc<V>, plan: FaultPlan) -> Self {
        Self { plan, inner }
    }

    /// The service behind the faults.
    #[must_use]
    pub fn inner(&self) -> &Arc<V> {
        &self.inner
    }
}

#[async_trait]
impl<V: VolumeSnapshots + ?Sized> VolumeSnapshots for FaultyVolumes<V> {
    fn capabilities(&self) -> VolumeCapabilities {
        self.inner.capabilities()
    }

    async fn inspect(&self, volume: &VolumeId) -> Result<VolumeFacts> {
        self.plan.apply(Operation::InspectVolume, || volume.0.clone(), self.inner.inspect(volume)).await
    }

    async fn cut(&self, request: &CutRequest) -> Result<VolumeSnapshot> {
        self.plan.apply(Operation::Cut, || request.volume.0.clone(), self.inner.cut(request)).await
    }

    async fn status(&self, snapshot: &SnapshotId) -> Result<SnapshotStatus> {
        self.plan.apply(Operation::Status, || snapshot.0.clone(), self.inner.status(snapshot)).await
    }

    async fn import(&self, request: &ImportRequest) -> Result<SnapshotId> {
        self.plan.apply(Operation::Import, || request.snapshot.0.clone(), self.inner.import(request)).await
    }

    async fn forget(&self, imported: &SnapshotId) -> Result<()> {
        self.plan.apply(Operation::Forget, || imported.0.clone(), self.inner.forget(imported)).await
    }

    async fn create_volume(&self, request: &CreateVolumeRequest) -> Result<RestoredVolume> {
        let call = self.inner.create_volume(request);
        self.plan.apply(Operation::CreateVolume, || request.snapshot.0.clone(), call).await
    }

    async fn delete(&self, snapshot: &SnapshotId) -> Result<()> {
        self.plan.apply(Operation::DeleteSnapshot, || snapshot.0.clone(), self.inner.delete(snapshot)).await
    }

    async fn list(&self, owner: &Owner) -> Result<Vec<VolumeSnapshot>> {
        self.plan.apply(Operation::ListSnapshots, || owner.cluster.clone(), self.inner.list(owner)).await
    }
}
