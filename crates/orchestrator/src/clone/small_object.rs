//! Small objects that are read whole, and keys that are listed and deleted together.

use futures::StreamExt;
use provider::{Bucket, Error, ErrorKind, GetRequest, Key, ListRequest, Result};

use crate::retry::{RetryPolicy, retrying};

/// The content of an object, if there is one.
///
/// # Errors
/// `Corrupt` when it has more than `largest` bytes; those of the store, after patience.
pub(crate) async fn read(bucket: &dyn Bucket, key: &str, largest: usize) -> Result<Option<Vec<u8>>> {
    match beginning(bucket, key, largest).await? {
        Some(bytes) if bytes.len() > largest => Err(Error::new(ErrorKind::Corrupt, "read", key)),
        read => Ok(read),
    }
}

/// The content of an object, if there is one; of one with more than `largest` bytes only as much as tells that, or a little more.
///
/// # Errors
/// Those of the store, after patience.
pub(crate) async fn beginning(bucket: &dyn Bucket, key: &str, largest: usize) -> Result<Option<Vec<u8>>> {
    let whole = GetRequest::whole(key);
    let read = || async {
        let mut stream = match bucket.get(&whole).await {
            Ok(stream) => stream,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        while let Some(chunk) = stream.body.next().await {
            bytes.extend(chunk?);
            if bytes.len() > largest {
                break;
            }
        }
        Ok(Some(bytes))
    };
    retrying(RetryPolicy::default(), read).await
}

/// Deletes keys, as many as one call takes; every one of them is gone then.
///
/// # Errors
/// That of the call, or of the first key that stays. Sent once.
pub(crate) async fn delete(bucket: &dyn Bucket, keys: &[Key]) -> Result<()> {
    for outcome in bucket.delete(keys).await? {
        outcome.result?;
    }
    Ok(())
}

/// Deletes any number of keys, one call after the other. Done again, it goes on.
///
/// # Errors
/// As [`delete`], after patience.
pub(crate) async fn delete_all(bucket: &dyn Bucket, keys: &[Key]) -> Result<()> {
    for keys in keys.chunks(bucket.capabilities().delete_keys.max(1)) {
        retrying(RetryPolicy::default(), || delete(bucket, keys)).await?;
    }
    Ok(())
}

/// The keys that begin with a prefix, sorted: for places that hold few.
///
/// # Errors
/// Those of the store, after patience.
pub(crate) async fn keys_below(bucket: &dyn Bucket, prefix: &str) -> Result<Vec<Key>> {
    let mut request = ListRequest { prefix: prefix.to_owned(), ..ListRequest::default() };
    let mut keys = Vec::new();
    loop {
        let page = retrying(RetryPolicy::default(), || bucket.list(&request)).await?;
        keys.extend(page.objects.into_iter().map(|object| object.key));
        match page.next {
            Some(token) => request.token = Some(token),
            None => return Ok(keys),
        }
    }
}
