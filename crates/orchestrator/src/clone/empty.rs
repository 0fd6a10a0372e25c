//! Removes a clone that nobody needs any more, and other keys of a bucket.

use std::sync::Arc;

use futures::stream::{FuturesUnordered, StreamExt};
use provider::{Bucket, Key, ListRequest};

use super::lock::is_lock;
use super::{CloneError, Result, small_object};
use crate::retry::{RetryPolicy, retrying};

/// Calls that are under way at once.
const AT_ONCE: usize = 8;

/// Deletes every key of a clone but its lock, which the caller holds, and answers how many. Done again, it goes on.
///
/// # Errors
/// Those of the store.
pub async fn empty(clone: &Arc<dyn Bucket>, told: impl Fn(u64) + Send) -> Result<u64> {
    let emptied = delete_where(clone.as_ref(), |key| !is_lock(key.as_str()), told);
    emptied.await.map_err(CloneError::at(clone.location()))
}

/// Deletes every key for which `is_ours` holds, several calls at once, and answers how many. Done again, it goes on.
///
/// # Errors
/// Those of the store, after patience.
pub(crate) async fn delete_where(
    bucket: &dyn Bucket,
    mut is_ours: impl FnMut(&Key) -> bool + Send,
    told: impl Fn(u64) + Send,
) -> provider::Result<u64> {
    let most = bucket.capabilities().delete_keys.max(1);
    let (mut calls, mut deleted) = (FuturesUnordered::new(), 0);
    let mut request = ListRequest::default();
    loop {
        let page = retrying(RetryPolicy::default(), || bucket.list(&request)).await?;
        let keys: Vec<Key> = page.objects.into_iter().map(|object| object.key).filter(&mut is_ours).collect();
        for keys in keys.chunks(most) {
            let keys = keys.to_vec();
            calls.push(async move {
                retrying(RetryPolicy::default(), || small_object::delete(bucket, &keys)).await?;
                Ok::<_, provider::Error>(keys.len() as u64)
            });
            while calls.len() >= AT_ONCE {
                if let Some(ended) = calls.next().await {
                    deleted += ended?;
                    told(deleted);
                }
            }
        }
        match page.next {
            Some(token) => request.token = Some(token),
            None => break,
        }
    }
    while let Some(ended) = calls.next().await {
        deleted += ended?;
        told(deleted);
    }
    Ok(deleted)
}
