//! The conformance suite on the sandbox's S3, whole buckets and prefixes, with each capability missing, by both clients.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use provider::Bucket;
use provider::testkit::conformance::{self, BucketFixture, BucketPair};
use s3::{ClientKind, QuirkOverrides, S3Bucket, S3Config, StoreKind};
use sandbox::s3::{S3Options, S3Server};

const MIB: u64 = 1 << 20;

const CLIENTS: [ClientKind; 2] = [ClientKind::Lean, ClientKind::Sdk];

#[derive(Debug)]
struct Fixture {
    server: S3Server,
    client: ClientKind,
    prefix: &'static str,
    quirks: QuirkOverrides,
    made: AtomicUsize,
}

impl Fixture {
    async fn start(client: ClientKind, prefix: &'static str, quirks: QuirkOverrides) -> Self {
        let options = S3Options { single_copy_limit: 5 * MIB, ..S3Options::default() };
        let server = S3Server::start(options).await.unwrap();
        Self { server, client, prefix, quirks, made: AtomicUsize::new(0) }
    }

    async fn open(&self, bucket: &str, secret: &str) -> Arc<S3Bucket> {
        let endpoint = self.server.endpoint();
        let config = S3Config {
            client: self.client,
            prefix: self.prefix.to_owned(),
            quirks: self.quirks.clone(),
            ..S3Config::at(endpoint, StoreKind::Aws, bucket, &self.server.options().access_key, secret)
        };
        Arc::new(S3Bucket::open(&config).await.unwrap())
    }

    async fn fresh_bucket(&self) -> Arc<S3Bucket> {
        let name = format!("bucket-{}", self.made.fetch_add(1, Ordering::Relaxed));
        // Neighbours that no call may touch or list.
        let bucket = self.server.bucket(&name);
        if !self.prefix.is_empty() {
            bucket.put("key", "a neighbour", None);
            bucket.put(&format!("{}0", self.prefix.trim_end_matches('/')), "a neighbour", None);
        }
        self.open(&name, &self.server.options().secret_key).await
    }
}

#[async_trait]
impl BucketFixture for Fixture {
    async fn fresh(&self) -> BucketPair {
        let destination = self.fresh_bucket().await;
        BucketPair { source: self.fresh_bucket().await, destination: destination.clone(), facts: Some(destination) }
    }

    async fn wrong_credentials(&self) -> Option<Arc<dyn Bucket>> {
        let _ = self.server.bucket("locked");
        Some(self.open("locked", "not the secret").await)
    }

    async fn missing_bucket(&self) -> Option<Arc<dyn Bucket>> {
        Some(self.open("missing", &self.server.options().secret_key).await)
    }
}

fn small() -> QuirkOverrides {
    QuirkOverrides {
        single_copy_bytes: Some(5 * MIB),
        copy_part_bytes: Some(5 * MIB),
        part_bytes: Some(5 * MIB),
        ..QuirkOverrides::default()
    }
}

#[tokio::test]
async fn a_bucket_conforms() {
    for client in CLIENTS {
        let fixture = Fixture::start(client, "", small()).await;
        conformance::bucket(&fixture).await.assert_complete(&[]);
    }
}

#[tokio::test]
async fn a_prefix_conforms() {
    for client in CLIENTS {
        let fixture = Fixture::start(client, "a prefix+%é/", small()).await;
        conformance::bucket(&fixture).await.assert_complete(&[]);
        for made in 0..fixture.made.load(Ordering::Relaxed) {
            let bucket = fixture.server.bucket(&format!("bucket-{made}"));
            for key in ["key", "a prefix+%é0"] {
                assert_eq!(bucket.get(key).unwrap().bytes, "a neighbour", "bucket-{made} {key}");
            }
        }
    }
}

#[tokio::test]
async fn a_store_without_conditions_and_checksums_conforms() {
    let quirks = QuirkOverrides {
        create_only_put: Some(false),
        conditional_copy: Some(false),
        checksums: Some(false),
        bulk_delete: Some(false),
        start_after: Some(false),
        page_keys: Some(100),
        ..small()
    };
    for client in CLIENTS {
        let fixture = Fixture::start(client, "", quirks.clone()).await;
        conformance::bucket(&fixture).await.assert_complete(&[
            "listing.after-any-key",
            "put.checksum-told-is-right",
            "put.create-only",
            "put.create-only-race",
            "put.create-only-lost-reply",
            "copy.changed-source",
            "copy-large.changed-source",
        ]);
    }
}
