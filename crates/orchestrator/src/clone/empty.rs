//! Removes a clone that nobody needs any more.

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
    let at = || CloneError::at(clone.location());
    let most = clone.capabilities().delete_keys.max(1);
    let (mut calls, mut deleted) = (FuturesUnordered::new(), 0);
    let mut request = ListRequest::default();
    loop {
        let page = retrying(RetryPolicy::default(), || clone.list(&request)).await.map_err(at())?;
        let keys: Vec<Key> =
            page.objects.into_iter().map(|object| object.key).filter(|key| !is_lock(key.as_str())).collect();
        for keys in keys.chunks(most) {
            let keys = keys.to_vec();
            calls.push(async move {
                retrying(RetryPolicy::default(), || small_object::delete(clone.as_ref(), &keys)).await?;
                Ok::<_, provider::Error>(keys.len() as u64)
            });
            while calls.len() >= AT_ONCE {
                if let Some(ended) = calls.next().await {
                    deleted += ended.map_err(at())?;
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
        deleted += ended.map_err(at())?;
        told(deleted);
    }
    Ok(deleted)
}
