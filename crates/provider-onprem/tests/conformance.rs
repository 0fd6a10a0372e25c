//! A directory keeps the contract.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use provider::Bucket;
use provider::testkit::conformance::{self, BucketFixture, BucketPair};
use provider_onprem::{FileBucket, FileOptions, MissingRoot};
use tempfile::TempDir;

#[derive(Debug)]
struct Directories {
    above: TempDir,
    number: AtomicU64,
}

impl Directories {
    async fn new_bucket(&self) -> FileBucket {
        // A name that a careless URL would change.
        let name = format!("bücket 100% #{}", self.number.fetch_add(1, Ordering::Relaxed));
        let options = FileOptions { missing: MissingRoot::Create, ..FileOptions::default() };
        FileBucket::open(self.above.path().join(name), options).await.unwrap()
    }
}

#[async_trait]
impl BucketFixture for Directories {
    async fn fresh(&self) -> BucketPair {
        let destination = Arc::new(self.new_bucket().await);
        BucketPair {
            source: Arc::new(self.new_bucket().await),
            destination: destination.clone(),
            facts: Some(destination),
        }
    }

    async fn missing_bucket(&self) -> Option<Arc<dyn Bucket>> {
        let bucket = self.new_bucket().await;
        std::fs::remove_dir(bucket.path()).unwrap();
        Some(Arc::new(bucket))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_keeps_every_promise() {
    let fixture = Directories { above: tempfile::tempdir().unwrap(), number: AtomicU64::new(0) };
    let report = conformance::bucket(&fixture).await;
    println!("{report}");
    report.assert_complete(&[
        // One call copies a file of any size.
        "copy-large.at-the-limit",
        "copy-large.resumes-from-token",
        "copy-large.token-sent-again",
        "copy-large.headers-and-metadata",
        "copy-large.changed-source",
        "copy-large.abandoned",
        "copy-large.cancelled",
        // A file has no place for these.
        "put.headers-and-metadata",
        "put.checksum-told-is-right",
        "copy.headers-and-metadata",
        // The user who runs this is the credential, and may be root.
        "errors.wrong-credentials",
    ]);
}
