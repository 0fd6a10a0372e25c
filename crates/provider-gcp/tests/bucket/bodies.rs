//! Bytes: large ones in chunks, broken ones never taken for whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use provider::{Bucket as _, Checksum, ErrorKind, GetRequest, ObjectVersion, PutMode, PutRequest};
use sandbox::gcs::{Fault, FaultRule, Operation};

use crate::place::{head, open, pattern, read, server};

#[tokio::test]
async fn a_large_body_goes_in_chunks_and_a_small_one_at_once() {
    let server = server().await;
    let bucket = open(&server, "data");
    for (key, size, told) in
        [("told", 16 << 20, true), ("untold", (16 << 20) + 5, false), ("small", 8 << 20, true), ("empty", 0, false)]
    {
        let bytes = pattern(size);
        let chunks: Vec<_> = bytes.chunks(1 << 20).map(|chunk| Ok(bytes.slice_ref(chunk))).collect();
        let body = stream::iter(chunks).boxed();
        let size = told.then_some(size as u64);
        let request = PutRequest { body, size, ..PutRequest::bytes(key, PutMode::CreateOnly, "") };
        let before = server.request_count(Operation::WriteChunk);
        let put = bucket.put(request).await.unwrap();
        let chunks = server.request_count(Operation::WriteChunk) - before;
        assert_eq!(
            chunks,
            match key {
                "told" => 2,
                "untold" => 3,
                _ => 0,
            },
            "{key}"
        );
        let there = server.bucket("data").get(key).unwrap();
        assert!(there.bytes == bytes, "{key}");
        let meta = head(&bucket, key).await;
        assert_eq!((put.version, put.size), (meta.version, meta.size), "{key}");
        assert_eq!(meta.checksum, Some(Checksum::Crc32c(crc32c::crc32c(&bytes))), "{key}");
        let again = bucket.put(PutRequest::bytes(key, PutMode::CreateOnly, bytes)).await.unwrap_err();
        assert_eq!(again.kind(), ErrorKind::AlreadyExists, "{key}");
    }
}

/// A chunk that is counted while somebody keeps it.
struct Counted {
    bytes: Vec<u8>,
    alive: Arc<AtomicUsize>,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_large_body_is_never_kept_whole() {
    const CHUNKS: usize = 64;
    let server = server().await;
    let bucket = open(&server, "data");
    for (key, told) in [("told", true), ("untold", false)] {
        let (alive, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let body = {
            let (alive, most) = (Arc::clone(&alive), Arc::clone(&most));
            stream::iter(0..CHUNKS).map(move |_| {
                let now = alive.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(now, Ordering::SeqCst);
                Ok(Bytes::from_owner(Counted { bytes: vec![7; 1 << 20], alive: Arc::clone(&alive) }))
            })
        };
        let size = told.then_some((CHUNKS as u64) << 20);
        let request = PutRequest { body: body.boxed(), size, ..PutRequest::bytes(key, PutMode::Overwrite, "") };
        bucket.put(request).await.unwrap();
        assert_eq!(server.bucket("data").get(key).unwrap().bytes.len(), CHUNKS << 20);
        // Eight on their way, one more that was read to know that the body is large, one held back, one just made.
        let most = most.load(Ordering::SeqCst);
        assert!((8..=11).contains(&most), "{key}: {most} chunks of 1 MiB were alive at once");
        assert_eq!(alive.load(Ordering::SeqCst), 0, "{key}");
    }
}

#[tokio::test]
async fn a_lost_chunk_fails_the_write_and_leaves_nothing() {
    let server = server().await;
    let bucket = open(&server, "data");
    for fault in [Fault::unavailable(), Fault::DropBefore] {
        server.faults().add(FaultRule::new(fault.clone()).on(Operation::WriteChunk).skip(1));
        let request = PutRequest::bytes("key", PutMode::Overwrite, pattern(20 << 20));
        let error = bucket.put(request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{fault:?}: {error:?}");
        assert_eq!(server.bucket("data").object_count(), 0);
    }
}

#[tokio::test]
async fn a_body_that_is_short_or_wrong_ends_with_an_error() {
    let server = server().await;
    let bucket = open(&server, "data");
    server.bucket("data").put("key", pattern(300_000), None);
    server.faults().add(FaultRule::new(Fault::TruncatedBody { after: 100_000 }).on(Operation::ReadObject));
    let error = read(&bucket, "key").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    server.faults().add(FaultRule::new(Fault::FlippedByte).on(Operation::ReadObject));
    let error = read(&bucket, "key").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
    assert_eq!(read(&bucket, "key").await.unwrap(), pattern(300_000));
    assert_eq!(server.request_count(Operation::ReadObject), 3);
}

#[tokio::test]
async fn a_version_that_goes_while_it_is_read_is_told() {
    let server = server().await;
    let bucket = open(&server, "data");
    server.bucket("data").put("key", "first", None);
    let version = head(&bucket, "key").await.version;
    server.set_latency(Operation::ReadObject, Duration::from_millis(300));
    let request = GetRequest { if_version: Some(version.clone()), ..GetRequest::whole("key") };
    for (request, kind) in [(request, ErrorKind::Changed), (GetRequest::whole("key"), ErrorKind::Unavailable)] {
        let overwrite = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            server.bucket("data").put("key", "first", None);
        };
        if request.if_version.is_some() {
            assert_eq!(head(&bucket, "key").await.version, version);
        }
        let (got, ()) = futures::join!(bucket.get(&request), overwrite);
        assert_eq!(got.unwrap_err().kind(), kind);
    }
    let strange = GetRequest { if_version: Some(ObjectVersion("etag".to_owned())), ..GetRequest::whole("key") };
    assert_eq!(bucket.get(&strange).await.unwrap_err().kind(), ErrorKind::Changed);
}

#[tokio::test]
async fn names_that_google_has_not_are_refused_and_never_found() {
    let server = server().await;
    let bucket = open(&server, "data");
    for key in ["", ".", "..", "a\nb", "a\rb", ".well-known/acme-challenge/x"] {
        let error = bucket.put(PutRequest::bytes(key, PutMode::Overwrite, "x")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{key:?}");
        assert!(bucket.head(&key.into()).await.unwrap().is_none(), "{key:?}");
        assert_eq!(bucket.get(&GetRequest::whole(key)).await.unwrap_err().kind(), ErrorKind::NotFound, "{key:?}");
    }
    // What somebody else wrote is read, though this provider would not write it.
    server.bucket("data").put("a/../b", "x", None);
    assert_eq!(read(&bucket, "a/../b").await.unwrap(), b"x");
    let found = bucket.get(&GetRequest { range: Some(0..1), ..GetRequest::whole("a/../b") }).await.unwrap();
    assert_eq!(found.body.try_collect::<Vec<_>>().await.unwrap().concat(), b"x");
}
