//! Calls that many properties need.

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, poll, stream};

use super::property::{Violation, ensure};
use crate::{
    Bucket, ContentHeaders, Copied, CopyRequest, GetRequest, Key, ListRequest, ObjectMeta, PutMode, PutRequest, Result,
};

/// Writes an object, replacing any other.
pub(super) async fn write(bucket: &dyn Bucket, key: &str, bytes: &[u8]) -> Result<()> {
    bucket.put(PutRequest::bytes(key, PutMode::Overwrite, Bytes::copy_from_slice(bytes))).await.map(|_| ())
}

/// Reads an object, or part of it.
pub(super) async fn read(bucket: &dyn Bucket, request: &GetRequest) -> Result<Vec<u8>> {
    let stream = bucket.get(request).await?;
    let chunks: Vec<Bytes> = stream.body.try_collect().await?;
    Ok(chunks.concat())
}

/// Holds an object to its content.
pub(super) async fn ensure_content(bucket: &dyn Bucket, key: &str, wanted: &[u8]) -> Result<(), Violation> {
    let found = read(bucket, &GetRequest::whole(key)).await?;
    ensure!(found == wanted, "{key:?} holds {} bytes, not the {} that belong there", found.len(), wanted.len());
    Ok(())
}

/// Follows a listing to its end.
pub(super) async fn list(bucket: &dyn Bucket, mut request: ListRequest) -> Result<Vec<ObjectMeta>, Violation> {
    let mut found = Vec::new();
    for _ in 0..10_000 {
        let page = bucket.list(&request).await?;
        let limit = request.max_keys;
        ensure!(limit == 0 || page.objects.len() <= limit, "{} keys in a page of {limit}", page.objects.len());
        found.extend(page.objects);
        ensure!(page.next.is_none() || page.next != request.token, "the listing answers its own token again");
        request.token = page.next;
        if request.token.is_none() {
            return Ok(found);
        }
    }
    Err(Violation("the listing has no end after 10,000 pages".to_owned()))
}

/// Every key of a bucket.
pub(super) async fn keys(bucket: &dyn Bucket) -> Result<Vec<String>, Violation> {
    let objects = list(bucket, ListRequest::default()).await?;
    Ok(objects.into_iter().map(|object| object.key.into_string()).collect())
}

/// Holds a bucket to having nothing under a key: for the reader, for the facts, for the listing.
pub(super) async fn ensure_absent(bucket: &dyn Bucket, key: &str) -> Result<(), Violation> {
    let head = bucket.head(&Key::new(key)).await?;
    ensure!(head.is_none(), "{key:?} must not be there, and is: {head:?}");
    let listed = keys(bucket).await?;
    ensure!(!listed.iter().any(|listed| listed == key), "{key:?} must not be there, and is listed");
    Ok(())
}

/// A copy of a whole object with no condition.
pub(super) fn copy<'a>(source: &'a dyn Bucket, from: &str, to: &str, size: u64) -> CopyRequest<'a> {
    CopyRequest { source, from: Key::new(from), to: Key::new(to), size, class: None, if_version: None, token: None }
}

/// Calls again with each token until the copy is done; answers with the facts and the number of calls.
pub(super) async fn copy_to_end(to: &dyn Bucket, mut request: CopyRequest<'_>) -> Result<(ObjectMeta, u32), Violation> {
    let mut before = 0;
    for call in 1..10_000 {
        match to.copy_from(&request).await? {
            Copied::Done(meta) => return Ok((meta, call)),
            Copied::More { token, bytes } => {
                ensure!(bytes > before && bytes <= request.size, "progress went from {before} to {bytes} bytes");
                before = bytes;
                request.token = Some(token);
            }
        }
    }
    Err(Violation("the copy isn't done after 10,000 calls".to_owned()))
}

/// Facts of an object that must be there.
pub(super) async fn present(bucket: &dyn Bucket, key: &str) -> Result<ObjectMeta, Violation> {
    bucket.head(&Key::new(key)).await?.ok_or_else(|| Violation(format!("{key:?} isn't there")))
}

/// Bytes that differ at every offset that matters, from a seed.
pub(super) fn pattern(size: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// A write of these chunks, with neither size nor checksum told.
pub(super) fn chunked(key: &str, mode: PutMode, chunks: Vec<Result<Bytes>>) -> PutRequest {
    PutRequest {
        key: Key::new(key),
        mode,
        body: stream::iter(chunks).boxed(),
        size: None,
        sha256: None,
        headers: ContentHeaders::default(),
        metadata: BTreeMap::new(),
    }
}

/// Headers and metadata that a store must give back as they are.
pub(super) fn described(mut request: PutRequest) -> PutRequest {
    request.headers = ContentHeaders {
        content_type: Some("application/x-pachsnap".to_owned()),
        content_encoding: Some("application/octet-stream".to_owned()),
        cache_control: Some("no-store".to_owned()),
        content_disposition: Some("attachment; filename=\"a b.bin\"".to_owned()),
        content_language: Some("de".to_owned()),
    };
    request.metadata = BTreeMap::from([
        ("pachsnap-run".to_owned(), "0190".to_owned()),
        ("words".to_owned(), "with spaces, commas; = signs".to_owned()),
    ]);
    request
}

/// Holds an object to what [`described`] gave it.
pub(super) async fn ensure_described(bucket: &dyn Bucket, key: &str) -> Result<(), Violation> {
    let wanted = described(chunked(key, PutMode::Overwrite, Vec::new()));
    let read = bucket.get(&GetRequest::whole(key)).await?.meta;
    for (call, found) in [("head", present(bucket, key).await?), ("get", read)] {
        let found = found.details();
        ensure!(found.headers == wanted.headers, "{call} of {key:?} tells headers {:?}", found.headers);
        ensure!(found.metadata == wanted.metadata, "{call} of {key:?} tells metadata {:?}", found.metadata);
    }
    Ok(())
}

/// How often calls are polled before they are cancelled: from never begun to nearly done.
pub(super) const CANCELLED_AFTER_POLLS: [usize; 6] = [1, 2, 3, 5, 8, 13];

/// Polls a call so often, then drops it. `false`: it had ended by then.
pub(super) async fn cancel_after<T>(polls: usize, call: impl Future<Output = T>) -> bool {
    let mut call = pin!(call);
    for _ in 0..polls {
        if poll!(&mut call).is_ready() {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    true
}
