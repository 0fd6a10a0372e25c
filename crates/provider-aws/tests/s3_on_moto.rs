//! The conformance suite for buckets on moto, whose S3 others wrote.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use provider::Bucket;
use provider::testkit::conformance::{self, BucketFixture, BucketPair};
use provider_aws::s3::{ClientKind, QuirkOverrides, S3Bucket, S3Config, StoreKind};
use sandbox::programs::moto::Moto;

const MIB: u64 = 1 << 20;

/// What moto can't be held to: it keeps no checksums of what comes without one, takes no notice of a copy's condition, and takes every
/// key pair.
const SKIPPED: [&str; 4] =
    ["put.checksum-told-is-right", "copy.changed-source", "copy-large.changed-source", "errors.wrong-credentials"];

#[derive(Debug)]
struct OnMoto {
    moto: Moto,
    client: ClientKind,
    made: AtomicUsize,
}

impl OnMoto {
    async fn open(&self, bucket: &str) -> Arc<S3Bucket> {
        let config = S3Config {
            client: self.client,
            quirks: QuirkOverrides {
                single_copy_bytes: Some(5 * MIB),
                copy_part_bytes: Some(5 * MIB),
                part_bytes: Some(5 * MIB),
                // moto takes no notice of a copy's condition, and of a checksum that is wrong.
                conditional_copy: Some(false),
                checksums: Some(false),
                ..QuirkOverrides::default()
            },
            ..S3Config::at(self.moto.endpoint(), StoreKind::Aws, bucket, "id", "secret")
        };
        Arc::new(S3Bucket::open(&config).await.unwrap())
    }

    async fn fresh_bucket(&self) -> Arc<S3Bucket> {
        let name = format!("bucket-{}", self.made.fetch_add(1, Ordering::Relaxed));
        self.moto.create_bucket(&name).await.unwrap();
        self.open(&name).await
    }
}

#[async_trait]
impl BucketFixture for OnMoto {
    async fn fresh(&self) -> BucketPair {
        let destination = self.fresh_bucket().await;
        BucketPair { source: self.fresh_bucket().await, destination: destination.clone(), facts: Some(destination) }
    }

    /// moto takes every key pair.
    async fn wrong_credentials(&self) -> Option<Arc<dyn Bucket>> {
        None
    }

    async fn missing_bucket(&self) -> Option<Arc<dyn Bucket>> {
        Some(self.open("missing").await)
    }
}

#[tokio::test]
async fn a_bucket_conforms_but_for_what_moto_lacks() {
    // Not by eprintln, which the test harness swallows.
    std::io::stderr().write_all(format!("SKIPPED on moto: {}\n", SKIPPED.join(", ")).as_bytes()).unwrap();
    for client in [ClientKind::Lean, ClientKind::Sdk] {
        let fixture = OnMoto { moto: Moto::start().await.unwrap(), client, made: AtomicUsize::new(0) };
        conformance::bucket(&fixture).await.assert_complete(&SKIPPED);
    }
}
