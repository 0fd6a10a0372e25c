//! Writes that fail: nothing new is visible.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream};
use tokio::sync::Notify;

use super::calls::{chunked, ensure_absent, ensure_content, keys, pattern, write};
use super::keys::not_held;
use super::property::{Outcome, Verdict, Violation, ensure, refused, skipped};
use super::{BucketFixture, Report};
use crate::{Bucket, Error, ErrorKind, PutMode, PutRequest};

pub(super) async fn run(fixture: &dyn BucketFixture, report: &mut Report) {
    report.check("put.failing-body", failing_body(fixture)).await;
    report.check("put.wrong-size", wrong_size(fixture)).await;
    report.check("put.wrong-sha256", wrong_sha256(fixture)).await;
    report.check("put.cancelled", cancelled(fixture)).await;
    report.check("put.key-not-held", key_not_held(fixture)).await;
}

/// Sends a write that must fail, over nothing, over another object, and create-only.
async fn fails(
    bucket: &dyn Bucket,
    kind: ErrorKind,
    request: impl Fn(&str, PutMode) -> PutRequest,
) -> Result<(), Violation> {
    refused("over nothing", bucket.put(request("absent", PutMode::Overwrite)).await, kind)?;
    ensure_absent(bucket, "absent").await?;
    write(bucket, "present", b"the old object").await?;
    refused("over an object", bucket.put(request("present", PutMode::Overwrite)).await, kind)?;
    ensure_content(bucket, "present", b"the old object").await?;
    if bucket.capabilities().create_only_put {
        refused("create-only", bucket.put(request("absent", PutMode::CreateOnly)).await, kind)?;
        ensure_absent(bucket, "absent").await?;
        bucket.put(PutRequest::bytes("absent", PutMode::CreateOnly, "now")).await?;
        ensure_content(bucket, "absent", b"now").await?;
    }
    Ok(())
}

/// Small, and large enough for a write in parts.
fn sizes(fixture: &dyn BucketFixture) -> [usize; 2] {
    [10, usize::try_from(fixture.largest_object().min(11 << 20)).unwrap_or(11 << 20)]
}

async fn failing_body(fixture: &dyn BucketFixture) -> Outcome {
    for size in sizes(fixture) {
        let bucket = fixture.fresh().await.destination;
        let request = |key: &str, mode| {
            let bytes = Bytes::from(pattern(size, 3));
            let broken = Error::new(ErrorKind::Exhausted, "read of the body", "nowhere");
            chunked(key, mode, vec![Ok(bytes.slice(..size / 2)), Ok(bytes.slice(size / 2..)), Err(broken)])
        };
        fails(&*bucket, ErrorKind::Exhausted, request).await?;
        let told = |key: &str, mode| PutRequest { size: Some(size as u64 + 1), ..request(key, mode) };
        fails(&*fixture.fresh().await.destination, ErrorKind::Exhausted, told).await?;
    }
    Ok(Verdict::Held)
}

async fn wrong_size(fixture: &dyn BucketFixture) -> Outcome {
    for size in sizes(fixture) {
        for wrong in [size - 1, size + 1, 0] {
            let bucket = fixture.fresh().await.destination;
            let request = |key: &str, mode| {
                let bytes = Bytes::from(pattern(size, 4));
                let chunks = vec![Ok(bytes.slice(..size / 2)), Ok(bytes.slice(size / 2..))];
                PutRequest { size: Some(wrong as u64), ..chunked(key, mode, chunks) }
            };
            fails(&*bucket, ErrorKind::Corrupt, request).await?;
        }
    }
    Ok(Verdict::Held)
}

async fn wrong_sha256(fixture: &dyn BucketFixture) -> Outcome {
    for size in sizes(fixture) {
        for told in [None, Some(size as u64)] {
            let bucket = fixture.fresh().await.destination;
            let request = |key: &str, mode| {
                let bytes = Bytes::from(pattern(size, 5));
                let chunks = vec![Ok(bytes.slice(..size / 2)), Ok(bytes.slice(size / 2..))];
                PutRequest { size: told, sha256: Some([7; 32]), ..chunked(key, mode, chunks) }
            };
            fails(&*bucket, ErrorKind::Corrupt, request).await?;
        }
    }
    Ok(Verdict::Held)
}

/// A caller that goes away in the middle of the body leaves the old object or none.
async fn cancelled(fixture: &dyn BucketFixture) -> Outcome {
    for size in sizes(fixture) {
        for old in [None, Some(b"the old object".as_slice())] {
            let bucket = fixture.fresh().await.destination;
            if let Some(old) = old {
                write(&*bucket, "key", old).await?;
            }
            let reached = Arc::new(Notify::new());
            let bytes = Bytes::from(pattern(size, 6));
            let stuck = {
                let reached = Arc::clone(&reached);
                stream::once(async move {
                    reached.notify_one();
                    futures::future::pending().await
                })
            };
            let mut request = chunked("key", PutMode::Overwrite, Vec::new());
            request.size = Some(size as u64 + 1);
            request.body = stream::iter([Ok(bytes)]).chain(stuck).boxed();
            let writer = {
                let bucket = Arc::clone(&bucket);
                tokio::spawn(async move { bucket.put(request).await })
            };
            let middle = tokio::time::timeout(Duration::from_secs(60), reached.notified()).await;
            ensure!(middle.is_ok(), "put never read its body to the middle");
            writer.abort();
            let ended = writer.await;
            ensure!(ended.is_err(), "a put without the end of its body ended: {ended:?}");
            // What was under way in the store may still arrive.
            for _ in 0..5 {
                match old {
                    None => ensure_absent(&*bucket, "key").await?,
                    Some(old) => ensure_content(&*bucket, "key", old).await?,
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            let left = keys(&*bucket).await?;
            ensure!(left.len() == usize::from(old.is_some()), "a cancelled put left {left:?}");
            write(&*bucket, "key", b"afterwards").await?;
            ensure_content(&*bucket, "key", b"afterwards").await?;
        }
    }
    Ok(Verdict::Held)
}

/// A key that the store would rewrite is refused, not stored under another name.
async fn key_not_held(fixture: &dyn BucketFixture) -> Outcome {
    let bucket = fixture.fresh().await.destination;
    let not_held = not_held(&bucket.capabilities().keys);
    if not_held.is_empty() {
        return skipped("capability keys holds every key");
    }
    for key in not_held {
        let request = PutRequest::bytes(key.as_str(), PutMode::Overwrite, "content");
        refused(&format!("put of {key:?}"), bucket.put(request).await, ErrorKind::Invalid)?;
    }
    let left = keys(&*bucket).await?;
    ensure!(left.is_empty(), "a key that was refused left {left:?}");
    Ok(Verdict::Held)
}
