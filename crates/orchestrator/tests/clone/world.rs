//! A source like a Pachyderm bucket, a place for its clone, and what must be true of them in the end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use orchestrator::clone::{
    Before, CloneOrder, ClonePass, CloneSpec, CopyPath, Inventory, InventoryEntry, KeyMap, KindPrefixes, Ledger,
    verify_clone,
};
use orchestrator::retry::RetryPolicy;
use provider::testkit::memory::{MemoryBucket, MemoryStore};
use provider::{Bucket, BucketCapabilities, PutMode, PutRequest};

pub(crate) const QUICK: RetryPolicy = RetryPolicy {
    attempts: 10,
    first_wait: Duration::from_micros(200),
    longest_wait: Duration::from_millis(2),
    budget: Duration::from_secs(20),
};

pub(crate) struct World {
    pub(crate) source: MemoryBucket,
    pub(crate) clone: MemoryBucket,
    pub(crate) path: CopyPath,
    pub(crate) folder: tempfile::TempDir,
}

impl World {
    /// Source and clone in one store.
    pub(crate) fn in_store(store: &MemoryStore) -> Self {
        Self {
            source: store.bucket("data"),
            clone: store.bucket("clone"),
            path: CopyPath::ServerSide,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// Small pages and small single copies, so that everything takes several calls.
    pub(crate) fn server_side() -> Self {
        Self::in_store(&MemoryStore::new(small()))
    }

    /// Source and clone in two stores.
    pub(crate) fn streamed() -> Self {
        let clone = MemoryStore::new(small()).bucket("clone");
        Self { clone, path: CopyPath::Streamed, ..Self::server_side() }
    }

    pub(crate) fn both() -> [Self; 2] {
        [Self::server_side(), Self::streamed()]
    }

    pub(crate) fn spec(&self) -> CloneSpec {
        self.spec_between(Arc::new(self.source.clone()), Arc::new(self.clone.clone()))
    }

    pub(crate) fn spec_between(&self, source: Arc<dyn Bucket>, destination: Arc<dyn Bucket>) -> CloneSpec {
        CloneSpec { retry: QUICK, concurrency: 8, ..CloneSpec::new(source, destination, self.path, by_prefix()) }
    }

    /// A folder for an inventory.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A ledger that ends with the process.
    pub(crate) fn ledger(&self, name: &str) -> Arc<Ledger> {
        Arc::new(Ledger::in_folder(self.folder(name)))
    }

    /// The clone is exactly the source, the inventory exactly the clone.
    pub(crate) async fn assert_exact(&self, pass: &ClonePass) {
        let (source, clone) = (self.source.snapshot().unwrap(), self.clone.snapshot().unwrap());
        let keys = |objects: &[(provider::Key, bytes::Bytes)]| -> Vec<_> {
            objects.iter().map(|(key, _)| key.clone()).collect()
        };
        assert_eq!(keys(&clone), keys(&source));
        assert!(clone == source, "the same keys, other bytes");
        let verification =
            verify_clone(Arc::new(self.clone.clone()), &pass.inventory, &KeyMap::default(), QUICK).await.unwrap();
        assert!(verification.is_exact(), "{verification:?}");
        assert_eq!(verification.objects, source.len() as u64);
        assert_eq!(pass.report.objects, verification.objects);
        assert_eq!(pass.report.bytes, verification.bytes);
        assert_eq!(pass.inventory.objects(), verification.objects);
        for entry in all(&pass.inventory).await {
            let listed = self.source.head(&entry.source_key).await.unwrap().unwrap();
            assert_eq!((entry.source_version, entry.size), (listed.version, listed.size), "{}", entry.source_key);
        }
    }
}

pub(crate) fn small() -> BucketCapabilities {
    BucketCapabilities { page_keys: 7, single_copy_bytes: 64, delete_keys: 3, ..MemoryStore::CAPABLE }
}

pub(crate) fn by_prefix() -> CloneOrder {
    CloneOrder::ByPrefix(KindPrefixes {
        tag: "pach/tag/".to_owned(),
        object: "pach/object/".to_owned(),
        block: "pach/block/".to_owned(),
    })
}

/// Keys as Amazon deployments store them: character by character reversed.
pub(crate) fn reversed(key: &str) -> String {
    key.chars().rev().collect()
}

pub(crate) fn by_reversed_key() -> CloneOrder {
    CloneOrder::by_key(|key| by_prefix().kind_of(&reversed(key)))
}

/// Keys that are easily lost or mangled, among them those whose kind's prefix is nearly theirs.
pub(crate) fn odd_keys() -> Vec<String> {
    let mut keys: Vec<String> = [
        "/pach/block/leading",
        "//",
        "a b+c%2F&?#",
        "pach",
        "pach/block",
        "pach/block/",
        "pach/block//x",
        "pach/block/\u{10FFFF}",
        "pach/block/\u{10FFFF}\u{10FFFF}",
        "pach/block0",
        "pach/block-index",
        "pach/index/ab",
        "pach/object/ünïcode/日本",
        "pach/tag/a_stats",
        "pach/tag/..",
        "pach/tagged",
        "artifacts/job-1/chunk/0",
        "~",
        "\u{10FFFF}",
    ]
    .map(str::to_owned)
    .into();
    keys.push(format!("pach/tag/{}", "k".repeat(1024 - "pach/tag/".len())));
    keys
}

/// Fills a bucket with all kinds of keys, zero-byte objects and large ones among them.
pub(crate) async fn fill(bucket: &dyn Bucket, per_kind: usize, rename: impl Fn(&str) -> String) {
    for number in 0..per_kind {
        for (kind, size) in [("tag", 20), ("object", 30), ("block", if number % 9 == 0 { 1000 } else { 50 })] {
            let key = rename(&format!("pach/{kind}/{number:06x}"));
            write(bucket, &key, &vec![number as u8; size]).await;
        }
        if number % 5 == 0 {
            write(bucket, &rename(&format!("pach/block/{number:06x}-index")), b"").await;
        }
    }
    for key in odd_keys() {
        write(bucket, &rename(&key), key.as_bytes()).await;
    }
}

pub(crate) async fn write(bucket: &dyn Bucket, key: &str, content: &[u8]) {
    let mut request = PutRequest::bytes(key, PutMode::Overwrite, content.to_vec());
    request.headers.content_encoding = Some("application/octet-stream".to_owned());
    request.metadata.insert("origin".to_owned(), key.len().to_string());
    bucket.put(request).await.unwrap();
}

pub(crate) fn same(key: &str) -> String {
    key.to_owned()
}

pub(crate) async fn all(inventory: &Inventory) -> Vec<InventoryEntry> {
    let mut entries = inventory.entries();
    let mut found = Vec::new();
    while let Some(entry) = entries.next().await.unwrap() {
        found.push(entry);
    }
    found
}

/// The clone is as this inventory says.
pub(crate) fn recorded(inventory: &Inventory) -> Before {
    Before::Recorded(inventory.clone())
}

/// It was; somebody may have written to it since.
pub(crate) fn touched(inventory: &Inventory) -> Before {
    Before::Touched(inventory.clone())
}
