//! Bytes on fake-gcs-server, whose Cloud Storage others wrote. It has no gRPC, so what is written by us is read back without us, and of
//! the contract's conditions it takes no notice. It sends resumable uploads to the host that a request names, which Google's library
//! names without its port. All of that is held on the sandbox.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use provider::{Bucket, ErrorKind, PutMode, PutRequest};
use provider_gcp::{GcsBucket, GcsConfig, GoogleCredentials};
use sandbox::programs::fake_gcs::FakeGcs;

/// Text of so many bytes, no line of it like another one.
fn text(bytes: usize) -> String {
    let lines = (0_u64..).map(|number| format!("{:016x}\n", number.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    let mut text: String = lines.take(bytes.div_ceil(17)).collect();
    text.truncate(bytes);
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_is_there_as_it_was() {
    let server = FakeGcs::start().await.unwrap();
    server.create_bucket("data").await.unwrap();
    let config = GcsConfig {
        endpoint: Some(server.endpoint()),
        credentials: GoogleCredentials::Anonymous,
        ..GcsConfig::new("data")
    };
    let bucket = GcsBucket::open(&config).unwrap();
    // The largest one is the largest that goes in one request.
    for (key, encoded, bytes) in [
        ("/pach/block/empty", "%2Fpach%2Fblock%2Fempty", 0),
        ("//double//slash", "%2F%2Fdouble%2F%2Fslash", 1000),
        ("/pach/block/8-mib", "%2Fpach%2Fblock%2F8-mib", 8 << 20),
        ("/pach/block/\u{e9} +%", "%2Fpach%2Fblock%2F%C3%A9%20%2B%25", 100_000),
    ] {
        let content = text(bytes);
        let put = bucket.put(PutRequest::bytes(key, PutMode::Overwrite, content.clone())).await.unwrap();
        assert_eq!(put.size, bytes as u64, "{key}");
        assert!(server.read("data", encoded).await.unwrap() == content, "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_is_missing_is_told() {
    let server = FakeGcs::start().await.unwrap();
    let config = GcsConfig {
        endpoint: Some(server.endpoint()),
        credentials: GoogleCredentials::Anonymous,
        ..GcsConfig::new("nowhere")
    };
    let bucket = GcsBucket::open(&config).unwrap();
    let error = bucket.put(PutRequest::bytes("key", PutMode::Overwrite, "value")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
}
