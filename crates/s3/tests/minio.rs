//! The conformance suite and MinIO's own ways on a real MinIO.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod create_only_race;

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use provider::testkit::conformance::{self, BucketFixture, BucketPair};
use provider::{
    Bucket, BucketFacts, Checksum, CopyRequest, ErrorKind, Exposure, GetRequest, Key, KeyRules, PutMode, PutRequest,
};
use s3::{ClientKind, QuirkOverrides, S3Bucket, S3Config, StoreKind};
use sandbox::programs::ProgramError;
use sandbox::programs::minio::{self, MINIO_SECRET, MINIO_USER};

const MIB: u64 = 1 << 20;

#[derive(Debug)]
struct Minio {
    server: minio::Minio,
    kind: ClientKind,
    client: aws_sdk_s3::Client,
    made: AtomicUsize,
}

impl Minio {
    /// A running MinIO, or `None` when the environment says to skip.
    async fn start() -> Option<Self> {
        let server = match minio::Minio::start(&[]).await {
            Err(ProgramError::Missing { .. })
                if std::env::var_os("PACHSNAP_SKIP_MINIO").is_some_and(|value| value == "1") =>
            {
                // Not by eprintln, which the test harness swallows.
                std::io::stderr().write_all(b"SKIPPED: no minio found and PACHSNAP_SKIP_MINIO=1\n").unwrap();
                return None;
            }
            started => started.unwrap(),
        };
        let client = aws_sdk_s3::Client::from_conf(
            aws_sdk_s3::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::new("us-east-1"))
                .credentials_provider(Credentials::new(MINIO_USER, MINIO_SECRET, None, None, "test"))
                .endpoint_url(server.endpoint())
                .force_path_style(true)
                .build(),
        );
        Some(Self { server, kind: ClientKind::default(), client, made: AtomicUsize::new(0) })
    }

    async fn open(&self, bucket: &str, secret: &str) -> S3Bucket {
        let quirks = QuirkOverrides {
            single_copy_bytes: Some(5 * MIB),
            copy_part_bytes: Some(5 * MIB),
            part_bytes: Some(5 * MIB),
            ..QuirkOverrides::default()
        };
        let config =
            S3Config { quirks, ..S3Config::at(self.server.endpoint(), StoreKind::Minio, bucket, MINIO_USER, secret) };
        let config = S3Config { client: self.kind, ..config };
        S3Bucket::open(&config).await.unwrap()
    }

    async fn bucket(&self) -> S3Bucket {
        let name = format!("bucket-{}", self.made.fetch_add(1, Ordering::Relaxed));
        self.client.create_bucket().bucket(&name).send().await.unwrap();
        self.open(&name, MINIO_SECRET).await
    }
}

#[async_trait]
impl BucketFixture for Minio {
    async fn fresh(&self) -> BucketPair {
        // MinIO lists the unfinished uploads of one key, and of no prefix.
        BucketPair { source: Arc::new(self.bucket().await), destination: Arc::new(self.bucket().await), facts: None }
    }

    async fn wrong_credentials(&self) -> Option<Arc<dyn Bucket>> {
        self.bucket().await;
        Some(Arc::new(self.open("bucket-0", "not the secret").await))
    }

    async fn missing_bucket(&self) -> Option<Arc<dyn Bucket>> {
        Some(Arc::new(self.open("missing-bucket", MINIO_SECRET).await))
    }
}

#[tokio::test]
async fn minio_conforms() {
    let Some(mut minio) = Minio::start().await else { return };
    for client in [ClientKind::Lean, ClientKind::Sdk] {
        minio.kind = client;
        conformance::bucket(&minio).await.assert_complete(&[]);
    }
}

#[tokio::test]
async fn one_of_two_writers_of_a_new_key_wins() {
    let Some(minio) = Minio::start().await else { return };
    create_only_race::one_of_two_writers_wins(&minio.bucket().await).await;
}

/// What the preset claims is what this MinIO does: a key that it would rewrite is refused, and its neighbour is safe.
#[tokio::test]
async fn keys_that_minio_rewrites_touch_nothing() {
    let Some(minio) = Minio::start().await else { return };
    let bucket = minio.bucket().await;
    bucket.put(PutRequest::bytes("lead", PutMode::Overwrite, "kept")).await.unwrap();
    // The store itself takes the one for the other.
    let raw = minio.client.get_object().bucket("bucket-0").key("/lead").send().await.unwrap();
    assert_eq!(raw.body.collect().await.unwrap().into_bytes(), "kept");

    let key = Key::new("/lead");
    assert_eq!(bucket.head(&key).await.unwrap(), None);
    assert_eq!(bucket.get(&GetRequest::whole("/lead")).await.unwrap_err().kind(), ErrorKind::NotFound);
    let put = bucket.put(PutRequest::bytes("/lead", PutMode::Overwrite, "other")).await;
    assert_eq!(put.unwrap_err().kind(), ErrorKind::Invalid);
    bucket.delete(std::slice::from_ref(&key)).await.unwrap().pop().unwrap().result.unwrap();
    let source = CopyRequest {
        source: &bucket,
        from: key,
        to: Key::new("copy"),
        size: 4,
        class: None,
        if_version: None,
        token: None,
    };
    assert_eq!(bucket.copy_from(&source).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(bucket.head(&Key::new("lead")).await.unwrap().unwrap().size, 4);
}

/// The key rules of the preset, looked at one by one below this crate.
#[tokio::test]
async fn the_key_rules_are_minios() {
    let Some(minio) = Minio::start().await else { return };
    let bucket = minio.bucket().await;
    let KeyRules { empty_segments, dot_segments, max_segment_bytes, max_bytes, .. } = bucket.capabilities().keys;
    assert!(!empty_segments && !dot_segments);
    let put = |key: String| {
        let call = minio.client.put_object().bucket("bucket-0").key(key).body(b"x".to_vec().into());
        async move { call.send().await.is_ok() }
    };
    assert!(put("s".repeat(max_segment_bytes)).await);
    assert!(!put("s".repeat(max_segment_bytes + 1)).await);
    let long = "abcdefghi/".repeat(200);
    assert!(put(long[..max_bytes - 5].to_owned() + "ABCDE").await);
    assert!(!put(long[..max_bytes - 4].to_owned() + "ABCDE").await);
    assert!(!put("a/../b".to_owned()).await);
    assert!(!put("./b".to_owned()).await);
}

#[tokio::test]
async fn facts_and_checksums_of_minio() {
    let Some(minio) = Minio::start().await else { return };
    let bucket = minio.bucket().await;
    let facts = bucket.facts().await.unwrap();
    assert_eq!(facts.region.as_deref(), Some("us-east-1"));
    assert_eq!(facts.versioning, Some(false));
    assert_eq!(facts.object_lock, Some(false));
    assert_eq!(facts.lifecycle, Some(Vec::new()));
    assert_eq!(facts.encryption.as_deref(), Some("none"));
    assert_eq!(facts.exposure, Some(Exposure::Private));

    let open = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["*"]},
        "Action":["s3:GetObject","s3:ListBucket"],"Resource":["arn:aws:s3:::bucket-0","arn:aws:s3:::bucket-0/*"]}]}"#;
    minio.client.put_bucket_policy().bucket("bucket-0").policy(open).send().await.unwrap();
    assert_eq!(bucket.facts().await.unwrap().exposure, Some(Exposure::Public));

    bucket.put(PutRequest::bytes("sum", PutMode::Overwrite, "abc")).await.unwrap();
    let meta = bucket.head(&Key::new("sum")).await.unwrap().unwrap();
    assert!(matches!(meta.checksum, Some(Checksum::Sha256(sum)) if sum.starts_with(&[0xba, 0x78, 0x16, 0xbf])));
    let unfinished = bucket.unfinished_uploads().await;
    assert_eq!(unfinished.unwrap_err().kind(), ErrorKind::Unsupported);
}
