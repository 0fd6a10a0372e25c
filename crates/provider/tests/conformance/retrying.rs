//! A caller that repeats what may be repeated.

use async_trait::async_trait;
use provider::{
    Bucket, BucketCapabilities, Copied, CopyRequest, CopyToken, CreateVolumeRequest, CutRequest, DeleteOutcome,
    GetRequest, Key, ListRequest, ObjectMeta, ObjectStream, Owner, Page, Put, PutRequest, RestoredVolume, Result,
    Retry, SnapshotId, SnapshotStatus, VolumeCapabilities, VolumeFacts, VolumeId, VolumeSnapshot, VolumeSnapshots,
};

macro_rules! repeat {
    ($call:expr) => {{
        let mut calls = 0;
        loop {
            calls += 1;
            match $call.await {
                Err(error) if error.retry() != Retry::Never && calls < 50 => {}
                outcome => return outcome,
            }
        }
    }};
}

#[derive(Debug)]
pub(crate) struct RetryingBucket<B>(pub(crate) B);

#[async_trait]
impl<B: Bucket> Bucket for RetryingBucket<B> {
    fn capabilities(&self) -> BucketCapabilities {
        self.0.capabilities()
    }

    fn location(&self) -> String {
        self.0.location()
    }

    async fn list(&self, request: &ListRequest) -> Result<Page> {
        repeat!(self.0.list(request))
    }

    async fn copy_from(&self, request: &CopyRequest) -> Result<Copied> {
        repeat!(self.0.copy_from(request))
    }

    async fn abandon_copy(&self, to: &Key, token: &CopyToken) -> Result<()> {
        repeat!(self.0.abandon_copy(to, token))
    }

    async fn get(&self, request: &GetRequest) -> Result<ObjectStream> {
        repeat!(self.0.get(request))
    }

    async fn put(&self, request: PutRequest) -> Result<Put> {
        self.0.put(request).await
    }

    async fn head(&self, key: &Key) -> Result<Option<ObjectMeta>> {
        repeat!(self.0.head(key))
    }

    async fn delete(&self, keys: &[Key]) -> Result<Vec<DeleteOutcome>> {
        repeat!(self.0.delete(keys))
    }
}

#[derive(Debug)]
pub(crate) struct RetryingVolumes<V>(pub(crate) V);

#[async_trait]
impl<V: VolumeSnapshots> VolumeSnapshots for RetryingVolumes<V> {
    fn capabilities(&self) -> VolumeCapabilities {
        self.0.capabilities()
    }

    async fn inspect(&self, volume: &VolumeId) -> Result<VolumeFacts> {
        repeat!(self.0.inspect(volume))
    }

    async fn cut(&self, request: &CutRequest) -> Result<VolumeSnapshot> {
        repeat!(self.0.cut(request))
    }

    async fn status(&self, snapshot: &SnapshotId) -> Result<SnapshotStatus> {
        repeat!(self.0.status(snapshot))
    }

    async fn create_volume(&self, request: &CreateVolumeRequest) -> Result<RestoredVolume> {
        repeat!(self.0.create_volume(request))
    }

    async fn delete(&self, snapshot: &SnapshotId) -> Result<()> {
        repeat!(self.0.delete(snapshot))
    }

    async fn list(&self, owner: &Owner) -> Result<Vec<VolumeSnapshot>> {
        repeat!(self.0.list(owner))
    }
}
