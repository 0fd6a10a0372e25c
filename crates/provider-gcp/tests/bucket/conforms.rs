//! The conformance suite, on whole buckets and on prefixes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use google_cloud_auth::credentials::mds;
use provider::Bucket;
use provider::testkit::conformance::{self, BucketFixture, BucketPair};
use provider_gcp::{GcsBucket, GcsConfig, GoogleCredentials};
use sandbox::gcs::{GcsOptions, GcsServer};

use crate::place::MIB;

#[derive(Debug)]
struct Fixture {
    server: GcsServer,
    prefix: &'static str,
    made: AtomicUsize,
}

impl Fixture {
    async fn start(prefix: &'static str) -> Self {
        let options =
            GcsOptions { rewrite_bytes_per_call: Some(MIB), rewrite_always_in_steps: true, ..GcsOptions::default() };
        let server = GcsServer::start(options).await.unwrap();
        Self { server, prefix, made: AtomicUsize::new(0) }
    }

    fn open(&self, bucket: &str, credentials: GoogleCredentials) -> Arc<GcsBucket> {
        let config = GcsConfig {
            prefix: self.prefix.to_owned(),
            endpoint: Some(self.server.endpoint()),
            credentials,
            rewrite_bytes_per_call: Some(1 << 20),
            ..GcsConfig::new(bucket)
        };
        Arc::new(GcsBucket::open(&config).unwrap())
    }

    fn credentials(&self) -> GoogleCredentials {
        GoogleCredentials::Given(mds::Builder::default().with_endpoint(self.server.endpoint()).build().unwrap())
    }

    fn fresh_bucket(&self) -> Arc<GcsBucket> {
        let name = format!("bucket-{}", self.made.fetch_add(1, Ordering::Relaxed));
        let bucket = self.server.bucket(&name);
        // Neighbours that no call may touch or list.
        if !self.prefix.is_empty() {
            bucket.put("key", "a neighbour", None);
            bucket.put(&format!("{}0", self.prefix.trim_end_matches('/')), "a neighbour", None);
        }
        self.open(&name, self.credentials())
    }
}

#[async_trait]
impl BucketFixture for Fixture {
    /// Cloud Storage tells no unfinished rewrites, so nobody asks the destination for any.
    async fn fresh(&self) -> BucketPair {
        BucketPair { source: self.fresh_bucket(), destination: self.fresh_bucket(), facts: None }
    }

    async fn wrong_credentials(&self) -> Option<Arc<dyn Bucket>> {
        let _ = self.server.bucket("locked");
        Some(self.open("locked", GoogleCredentials::Anonymous))
    }

    async fn missing_bucket(&self) -> Option<Arc<dyn Bucket>> {
        Some(self.open("missing", self.credentials()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_conforms() {
    let report = conformance::bucket(&Fixture::start("").await).await;
    println!("{report}");
    report.assert_complete(&[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prefix_conforms() {
    let fixture = Fixture::start("/a prefix+%é/").await;
    let report = conformance::bucket(&fixture).await;
    println!("{report}");
    // Below a prefix Google holds every key.
    report.assert_complete(&[]);
    for made in 0..fixture.made.load(Ordering::Relaxed) {
        let bucket = fixture.server.bucket(&format!("bucket-{made}"));
        for key in ["key", "/a prefix+%é0"] {
            assert_eq!(bucket.get(key).unwrap().bytes, "a neighbour", "bucket-{made} {key}");
        }
    }
}
