//! A clone, read through Pachyderm's layout from threads that may block.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use pachyderm::layout::{KeyKind, Layout, ObjectReader, StoreError};
use provider::{Bucket, ErrorKind, GetRequest};
use tokio::runtime::Handle;

use crate::retry::{RetryPolicy, retrying};

/// A bucket with its layout. Reads block the thread, so they belong where that is allowed.
#[derive(Clone, Debug)]
pub(crate) struct BucketReader {
    bucket: Arc<dyn Bucket>,
    layout: Layout,
    runtime: Handle,
}

impl BucketReader {
    /// To be called on the runtime that will do the reading.
    pub(crate) fn new(bucket: Arc<dyn Bucket>, layout: Layout) -> Self {
        Self { bucket, layout, runtime: Handle::current() }
    }
}

impl ObjectReader for BucketReader {
    fn read(&self, kind: &KeyKind, range: Option<Range<u64>>) -> Result<Option<Vec<u8>>, StoreError> {
        if range.as_ref().is_some_and(Range::is_empty) {
            return Ok(Some(Vec::new()));
        }
        let Some(key) = self.layout.key(kind) else { return Ok(None) };
        let request = GetRequest { key: key.as_str().into(), range, if_version: None };
        self.runtime.block_on(async {
            let whole = || async {
                let parts: Vec<Bytes> = self.bucket.get(&request).await?.body.try_collect().await?;
                Ok(parts.concat())
            };
            match retrying(RetryPolicy::default(), whole).await {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                Err(error) => Err(Box::new(error) as StoreError),
            }
        })
    }
}
