//! A bucket in front of another one, at whose calls a test looks on or interferes.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures::FutureExt;
use provider::{
    Bucket, BucketCapabilities, Copied, CopyRequest, CopyToken, DeleteOutcome, GetRequest, Key, ListRequest,
    ObjectMeta, ObjectStream, Page, Put, PutMode, PutRequest, Result,
};

/// A call that is about to reach the bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    List { prefix: String },
    Copy { key: String, resumed: bool },
    Get { key: String },
    Put { key: String, mode: PutMode },
    Head { key: String },
    Delete { keys: Vec<String> },
}

type Before = dyn Fn(&Call) -> Result<()> + Send + Sync;

/// Lets a test see each call first; an error of the test becomes the call's answer.
pub(crate) struct Hooked {
    inner: Arc<dyn Bucket>,
    before: Box<Before>,
    capabilities: BucketCapabilities,
    in_flight: AtomicUsize,
    most_in_flight: AtomicUsize,
}

#[allow(dead_code, reason = "each test file uses its share")]
impl Hooked {
    pub(crate) fn new(
        inner: impl Bucket + 'static,
        before: impl Fn(&Call) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        let capabilities = inner.capabilities();
        Self {
            inner: Arc::new(inner),
            before: Box::new(before),
            capabilities,
            in_flight: AtomicUsize::new(0),
            most_in_flight: AtomicUsize::new(0),
        }
    }

    /// The same bucket, claiming to be able to do this.
    pub(crate) fn claiming(mut self, capabilities: BucketCapabilities) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// Most copies, reads and writes that were seen at the same time.
    pub(crate) fn most_in_flight(&self) -> usize {
        self.most_in_flight.load(Ordering::SeqCst)
    }

    async fn during<T>(&self, call: Call, inner: impl Future<Output = Result<T>>) -> Result<T> {
        (self.before)(&call)?;
        let now = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_in_flight.fetch_max(now, Ordering::SeqCst);
        tokio::task::yield_now().await;
        let result = inner.await;
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
        result
    }
}

impl fmt::Debug for Hooked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooked").field("inner", &self.inner).finish_non_exhaustive()
    }
}

#[async_trait]
impl Bucket for Hooked {
    fn capabilities(&self) -> BucketCapabilities {
        self.capabilities.clone()
    }

    fn location(&self) -> String {
        self.inner.location()
    }

    async fn list(&self, request: &ListRequest) -> Result<Page> {
        (self.before)(&Call::List { prefix: request.prefix.clone() })?;
        self.inner.list(request).await
    }

    async fn copy_from(&self, request: &CopyRequest) -> Result<Copied> {
        let call = Call::Copy { key: request.to.to_string(), resumed: request.token.is_some() };
        self.during(call, self.inner.copy_from(request)).await
    }

    async fn abandon_copy(&self, to: &Key, token: &CopyToken) -> Result<()> {
        self.inner.abandon_copy(to, token).await
    }

    async fn get(&self, request: &GetRequest) -> Result<ObjectStream> {
        self.during(Call::Get { key: request.key.to_string() }, self.inner.get(request)).await
    }

    async fn put(&self, request: PutRequest) -> Result<Put> {
        let call = Call::Put { key: request.key.to_string(), mode: request.mode };
        self.during(call, self.inner.put(request)).await
    }

    async fn head(&self, key: &Key) -> Result<Option<ObjectMeta>> {
        (self.before)(&Call::Head { key: key.to_string() })?;
        self.inner.head(key).await
    }

    async fn delete(&self, keys: &[Key]) -> Result<Vec<DeleteOutcome>> {
        (self.before)(&Call::Delete { keys: keys.iter().map(ToString::to_string).collect() })?;
        self.inner.delete(keys).await
    }
}

/// Writes an object in the middle of somebody else's call. Buckets in memory answer at once.
#[allow(dead_code, reason = "each test file uses its share")]
pub(crate) fn write_now(bucket: &dyn Bucket, key: &str, content: &str) {
    let request = PutRequest::bytes(key, PutMode::Overwrite, content.to_owned());
    bucket.put(request).now_or_never().unwrap().unwrap();
}

/// Deletes an object in the middle of somebody else's call.
#[allow(dead_code, reason = "each test file uses its share")]
pub(crate) fn delete_now(bucket: &dyn Bucket, key: &str) {
    bucket.delete(&[Key::from(key)]).now_or_never().unwrap().unwrap();
}
