//! Fixtures over the implementation in memory.

use std::sync::Arc;

use async_trait::async_trait;
use provider::testkit::conformance::{BucketFixture, BucketPair, VolumeFixture};
use provider::testkit::fault::{FaultPlan, FaultyBucket, FaultyVolumes};
use provider::testkit::memory::{MemoryStore, MemoryVolumes};
use provider::{Bucket, BucketCapabilities, Owner, RestoredVolume, VolumeId, VolumeSnapshots};

use crate::retrying::{RetryingBucket, RetryingVolumes};

#[derive(Debug)]
pub(crate) struct MemoryBuckets {
    capabilities: BucketCapabilities,
    faults: Option<FaultPlan>,
}

impl MemoryBuckets {
    pub(crate) fn new(capabilities: BucketCapabilities) -> Self {
        Self { capabilities, faults: None }
    }

    pub(crate) fn behind(capabilities: BucketCapabilities, faults: FaultPlan) -> Self {
        Self { capabilities, faults: Some(faults) }
    }

    fn wrap(&self, bucket: impl Bucket + 'static) -> Arc<dyn Bucket> {
        match &self.faults {
            None => Arc::new(bucket),
            Some(plan) => Arc::new(RetryingBucket(FaultyBucket::new(Arc::new(bucket), plan.clone()))),
        }
    }
}

#[async_trait]
impl BucketFixture for MemoryBuckets {
    async fn fresh(&self) -> BucketPair {
        let store = MemoryStore::new(self.capabilities.clone());
        BucketPair {
            source: self.wrap(store.bucket("source")),
            destination: self.wrap(store.bucket("destination")),
            facts: Some(Arc::new(store.bucket("destination"))),
        }
    }

    async fn wrong_credentials(&self) -> Option<Arc<dyn Bucket>> {
        let store = MemoryStore::new(self.capabilities.clone());
        drop(store.bucket("private"));
        Some(self.wrap(store.open_with_wrong_credentials("private")))
    }

    async fn missing_bucket(&self) -> Option<Arc<dyn Bucket>> {
        Some(self.wrap(MemoryStore::new(self.capabilities.clone()).open("missing")))
    }

    fn largest_object(&self) -> u64 {
        1 << 20
    }
}

#[derive(Debug)]
pub(crate) struct MemorySnapshots {
    service: MemoryVolumes,
    faults: Option<FaultPlan>,
}

impl MemorySnapshots {
    pub(crate) fn new(pending_calls: u32) -> Self {
        Self { service: MemoryVolumes::new(pending_calls), faults: None }
    }

    pub(crate) fn behind(pending_calls: u32, faults: FaultPlan) -> Self {
        Self { faults: Some(faults), ..Self::new(pending_calls) }
    }

    pub(crate) fn service(&self) -> &MemoryVolumes {
        &self.service
    }
}

#[async_trait]
impl VolumeFixture for MemorySnapshots {
    async fn connect(&self) -> Arc<dyn VolumeSnapshots> {
        let service = Arc::new(self.service.clone());
        match &self.faults {
            None => service,
            Some(plan) => Arc::new(RetryingVolumes(FaultyVolumes::new(service, plan.clone()))),
        }
    }

    async fn volume(&self) -> VolumeId {
        static NUMBER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let volume = VolumeId(format!("source-{number}"));
        self.service.add_volume(&volume, 1 << 30, "");
        volume
    }

    async fn missing_volume(&self) -> VolumeId {
        VolumeId("missing".to_owned())
    }

    async fn wrong_credentials(&self) -> Option<Arc<dyn VolumeSnapshots>> {
        Some(Arc::new(self.service.with_wrong_credentials()))
    }

    async fn lose_next_reply(&self) -> bool {
        self.service.lose_next_reply();
        true
    }

    async fn volumes_made(&self, owner: &Owner) -> Option<usize> {
        Some(self.service.volumes_made(owner))
    }

    async fn write(&self, volume: &VolumeId, bytes: &[u8]) -> bool {
        self.service.write(volume, bytes.to_vec())
    }

    async fn read(&self, volume: &RestoredVolume) -> Option<Vec<u8>> {
        match volume {
            RestoredVolume::Volume { handle, .. } => self.service.read(&VolumeId(handle.clone())).map(|b| b.to_vec()),
            RestoredVolume::Claim { .. } => None,
        }
    }

    async fn pause(&self) {
        tokio::task::yield_now().await;
    }
}
