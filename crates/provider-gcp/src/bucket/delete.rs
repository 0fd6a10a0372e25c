//! `DeleteObject`, many side by side: gRPC has no call for several.

use futures::{StreamExt as _, stream};
use provider::{DeleteOutcome, ErrorKind, Key, Result};

use super::GcsBucket;
use super::call::answer;
use super::list::exists;

const DELETE: &str = "DeleteObject";

/// Keys of one call of the contract.
pub(super) const KEYS: usize = 100;

/// Deletes under way at once.
const LANES: usize = 32;

pub(super) async fn delete(bucket: &GcsBucket, keys: &[Key]) -> Result<Vec<DeleteOutcome>> {
    let calls = keys.iter().cloned().map(|key| async move { delete_one(bucket, &key).await });
    let results: Vec<Result<Deleted>> = stream::iter(calls).buffered(LANES).collect().await;
    if results.iter().any(|result| matches!(result, Ok(Deleted::WasAbsent))) {
        // The answer does not tell whether the key or the bucket is missing.
        exists(bucket).await?;
    }
    let outcome = |(key, result): (&Key, Result<Deleted>)| DeleteOutcome { key: key.clone(), result: result.map(drop) };
    Ok(keys.iter().zip(results).map(outcome).collect())
}

/// What became of an object.
enum Deleted {
    Now,
    WasAbsent,
}

async fn delete_one(bucket: &GcsBucket, key: &Key) -> Result<Deleted> {
    let Ok(full) = bucket.full_to_read(key, DELETE) else { return Ok(Deleted::WasAbsent) };
    let resource = || bucket.resource(&full);
    let limit = bucket.inner.terms.timeouts.call;
    let client = bucket.inner.connections.control().await?;
    let call = client.delete_object().set_bucket(bucket.parent()).set_object(&full);
    let sent = bucket.on_terms(call, limit).send();
    match answer(DELETE, &resource, limit, ErrorKind::Invalid, sent).await {
        Ok(_) => Ok(Deleted::Now),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Deleted::WasAbsent),
        Err(error) => Err(error),
    }
}
