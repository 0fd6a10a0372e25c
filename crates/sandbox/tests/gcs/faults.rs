//! Faults and latency.

use std::time::{Duration, Instant};

use sandbox::gcs::{Fault, FaultRule, Operation};
use tonic::Code;

use crate::raw::{Raw, delete, get, list, rewrite};

#[tokio::test]
async fn an_error_does_nothing() {
    let mut raw = Raw::start().await;
    raw.server.bucket("data").put("k", "x", None);
    for (fault, code, status) in [
        (Fault::slow_down(), Code::ResourceExhausted, 429),
        (Fault::unavailable(), Code::Unavailable, 503),
        (Fault::internal_error(), Code::Internal, 500),
        (Fault::error(504, "timeout"), Code::DeadlineExceeded, 504),
    ] {
        raw.server.faults().add(FaultRule::new(fault).key_contains("k").times(3));
        assert_eq!(raw.delete(delete("k")).await.unwrap_err().code(), code);
        assert_eq!(raw.read("k", "", None).await.status(), status);
        assert_eq!(raw.upload("name=k", "{}", b"new", None).await.status(), status);
    }
    assert_eq!(raw.server.faults().hits(), 12);
    assert_eq!(raw.server.bucket("data").get("k").unwrap().bytes, "x");
    let retry = Fault::Error { status: 429, reason: "rateLimitExceeded", retry_after: Some(7) };
    raw.server.faults().add(FaultRule::new(retry).on(Operation::ReadObject));
    assert_eq!(raw.read("k", "", None).await.headers()["retry-after"], "7");
    raw.get(get("k")).await.unwrap();
}

#[tokio::test]
async fn a_dropped_connection_is_before_or_after_the_effect() {
    let mut raw = Raw::start().await;
    raw.server.bucket("data").put("k", "x", None);
    for (fault, copies) in [(Fault::DropBefore, 0), (Fault::DropAfter, 1)] {
        raw.server.faults().add(FaultRule::new(fault.clone()).on(Operation::RewriteObject));
        raw.rewrite(rewrite("k")).await.unwrap_err();
        assert_eq!(raw.server.bucket("clone").object_count(), copies);
        raw.server.bucket("clone").clear();
        raw.server.faults().add(FaultRule::new(fault).on(Operation::ReadObject));
        let request = http::Request::get("/storage/v1/b/data/o/k?alt=media").body(bytes::Bytes::new()).unwrap();
        raw.try_send(request).await.unwrap_err();
    }
    // The next call finds a connection.
    raw.rewrite(rewrite("k")).await.unwrap();
}

#[tokio::test]
async fn content_breaks_as_ordered() {
    let mut raw = Raw::start().await;
    raw.server.bucket("data").put("k", "hello", None);
    let order = |fault| raw.server.faults().add(FaultRule::new(fault).on(Operation::ReadObject));
    order(Fault::FlippedByte);
    let read = raw.read("k", "", None).await;
    assert_eq!(
        (&read.body()[..], &read.headers()["x-goog-hash"].as_bytes()[..15]),
        (&b"iello"[..], &b"crc32c=mnG7TA=="[..])
    );
    order(Fault::WrongChecksum);
    let read = raw.read("k", "", None).await;
    assert!(read.body() == "hello" && !read.headers()["x-goog-hash"].as_bytes().starts_with(b"crc32c=mnG7TA=="));
    order(Fault::TruncatedBody { after: 2 });
    let request = http::Request::get("/storage/v1/b/data/o/k?alt=media").body(bytes::Bytes::new()).unwrap();
    raw.try_send(request).await.unwrap_err();
    order(Fault::SlowBody { chunk: 1, pause: Duration::from_millis(10) });
    let start = Instant::now();
    assert_eq!(raw.read("k", "", None).await.body(), "hello");
    assert!(start.elapsed() >= Duration::from_millis(50));
    raw.server.faults().add(FaultRule::new(Fault::WrongChecksum).times(4));
    let right = raw.server.bucket("data").get("k").unwrap().crc32c;
    let wrong = raw.get(get("k")).await.unwrap().checksums.unwrap().crc32c.unwrap();
    let listed = raw.list(list()).await.unwrap().objects.remove(0).checksums.unwrap().crc32c.unwrap();
    let copied = raw.rewrite(rewrite("k")).await.unwrap().resource.unwrap().checksums.unwrap().crc32c.unwrap();
    assert!(wrong != right && listed != right && copied != right);
    let written = raw.upload("name=new", "{}", b"hello", None).await;
    assert!(!String::from_utf8_lossy(written.body()).contains("mnG7TA=="));
    assert_eq!(raw.server.bucket("clone").get("k").unwrap().crc32c, right);
}

#[tokio::test]
async fn latency_is_per_operation() {
    let mut raw = Raw::start().await;
    raw.server.bucket("data").put("k", "x", None);
    raw.server.set_latency(None, Duration::from_millis(5));
    raw.server.set_latency(Operation::ListObjects, Duration::from_millis(60));
    raw.get(get("k")).await.unwrap();
    let start = Instant::now();
    raw.list(list()).await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(60));
    let start = Instant::now();
    raw.get(get("k")).await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(5));
    assert_eq!(
        (raw.server.request_count(Operation::GetObject), raw.server.request_count(Operation::ListObjects)),
        (2, 1)
    );
}
