//! A bucket whose calls meet faults.

use std::sync::Arc;

use async_trait::async_trait;

use super::{FaultPlan, Operation};
use crate::{
    Bucket, BucketCapabilities, Copied, CopyRequest, CopyToken, DeleteOutcome, GetRequest, Key, ListRequest,
    ObjectMeta, ObjectStream, Page, Put, PutRequest, Result,
};

/// A bucket whose calls meet the faults of a [`FaultPlan`].
#[derive(Debug)]
pub struct FaultyBucket<B: ?Sized> {
    plan: FaultPlan,
    inner: Arc<B>,
}

impl<B: Bucket + ?Sized> FaultyBucket<B> {
    /// Puts faults in front of a bucket.
    pub fn new(inner: Arc<B>, plan: FaultPlan) -> Self {
        Self { plan, inner }
    }

    /// The bucket behind the faults.
    #[must_use]
    pub fn inner(&self) -> &Arc<B> {
        &self.inner
    }

    async fn apply<T>(&self, operation: Operation, call: impl Future<Output = Result<T>>) -> Result<T> {
        self.plan.apply(operation, || self.inner.location(), call).await
    }
}

#[async_trait]
impl<B: Bucket + ?Sized> Bucket for FaultyBucket<B> {
    fn capabilities(&self) -> BucketCapabilities {
        self.inner.capabilities()
    }

    fn location(&self) -> String {
        self.inner.location()
    }

    async fn list(&self, request: &ListRequest) -> Result<Page> {
        self.apply(Operation::List, self.inner.list(request)).await
    }

    async fn copy_from(&self, request: &CopyRequest) -> Result<Copied> {
        self.apply(Operation::CopyFrom, self.inner.copy_from(request)).await
    }

    async fn abandon_copy(&self, to: &Key, token: &CopyToken) -> Result<()> {
        self.apply(Operation::AbandonCopy, self.inner.abandon_copy(to, token)).await
    }

    async fn get(&self, request: &GetRequest) -> Result<ObjectStream> {
        self.apply(Operation::Get, self.inner.get(request)).await
    }

    async fn put(&self, request: PutRequest) -> Result<Put> {
        self.apply(Operation::Put, self.inner.put(request)).await
    }

    async fn head(&self, key: &Key) -> Result<Option<ObjectMeta>> {
        self.apply(Operation::Head, self.inner.head(key)).await
    }

    async fn delete(&self, keys: &[Key]) -> Result<Vec<DeleteOutcome>> {
        self.apply(Operation::Delete, self.inner.delete(keys)).await
    }
}
