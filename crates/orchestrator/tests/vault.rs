//! The vault against buckets in memory: proven usable, pinned to one cluster, nothing in it ever replaced.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod hooked;

use std::sync::Arc;
use std::time::Duration;

use hooked::{Call, Hooked};
use jiff::Timestamp;
use orchestrator::retry::RetryPolicy;
use orchestrator::run_id::RunId;
use orchestrator::vault::{ClusterIdentity, PartState, RunEntry, RunState, StoredFile, Vault, VaultError, layout};
use provider::testkit::fault::{Fault, FaultPlan, FaultyBucket, Operation};
use provider::testkit::memory::{MemoryBucket, MemoryStore};
use provider::{
    Bucket, BucketCapabilities, BucketFacts, Error, ErrorKind, Exposure, Facts, PutMode, PutRequest, Retry,
};
use serde_json::json;

const QUICK: RetryPolicy = RetryPolicy {
    attempts: 6,
    first_wait: Duration::from_millis(1),
    longest_wait: Duration::from_millis(4),
    budget: Duration::from_secs(5),
};

fn vault(bucket: impl Bucket + 'static) -> Vault {
    Vault::new(Arc::new(bucket), None, "alpha").unwrap().with_retry(QUICK)
}

fn run() -> RunId {
    "20261124t034500z-1f3a9c".parse().unwrap()
}

fn keys(bucket: &MemoryBucket) -> Vec<String> {
    bucket.snapshot().unwrap().into_iter().map(|(key, _)| key.into_string()).collect()
}

fn file(content: &[u8]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), content).unwrap();
    file
}

#[tokio::test]
async fn a_usable_vault_is_left_as_it_was() {
    let bucket = MemoryBucket::new("vault");
    vault(bucket.clone()).check_usable().await.unwrap();
    assert_eq!(keys(&bucket), Vec::<String>::new());
}

#[tokio::test]
async fn a_public_vault_is_refused_before_anything_is_written() {
    let store = MemoryStore::default();
    for exposure in [Exposure::Public, Exposure::Private] {
        store.set_facts("vault", Facts { exposure: Some(exposure), ..Facts::default() });
        let bucket = store.bucket("vault");
        let facts: Arc<dyn BucketFacts> = Arc::new(bucket.clone());
        let plan = FaultPlan::scripted();
        let counted = Arc::new(FaultyBucket::new(Arc::new(bucket), plan.clone()));
        let checked = Vault::new(counted, Some(facts), "alpha").unwrap().check_usable().await;
        if exposure == Exposure::Public {
            assert!(matches!(checked, Err(VaultError::Public { .. })), "{checked:?}");
            assert_eq!(plan.calls(Operation::Put), 0);
        } else {
            assert_eq!(checked.unwrap().exposure(), Some(Exposure::Private));
        }
    }
}

#[tokio::test]
async fn a_store_that_says_it_lacks_create_only_is_refused() {
    let store = MemoryStore::new(BucketCapabilities { create_only_put: false, ..MemoryStore::CAPABLE });
    let refused = vault(store.bucket("vault")).check_usable().await;
    assert!(matches!(refused, Err(VaultError::WithoutCreateOnly { source: None, .. })), "{refused:?}");
}

/// A store that takes a create-only write and replaces what is there: older S3 servers ignore the condition.
#[derive(Debug)]
struct Ignoring(MemoryBucket);

#[async_trait::async_trait]
impl Bucket for Ignoring {
    fn capabilities(&self) -> BucketCapabilities {
        self.0.capabilities()
    }
    fn location(&self) -> String {
        self.0.location()
    }
    async fn list(&self, request: &provider::ListRequest) -> provider::Result<provider::Page> {
        self.0.list(request).await
    }
    async fn copy_from(&self, request: &provider::CopyRequest) -> provider::Result<provider::Copied> {
        self.0.copy_from(request).await
    }
    async fn abandon_copy(&self, to: &provider::Key, token: &provider::CopyToken) -> provider::Result<()> {
        self.0.abandon_copy(to, token).await
    }
    async fn get(&self, request: &provider::GetRequest) -> provider::Result<provider::ObjectStream> {
        self.0.get(request).await
    }
    async fn put(&self, mut request: PutRequest) -> provider::Result<provider::Put> {
        request.mode = PutMode::Overwrite;
        self.0.put(request).await
    }
    async fn head(&self, key: &provider::Key) -> provider::Result<Option<provider::ObjectMeta>> {
        self.0.head(key).await
    }
    async fn delete(&self, keys: &[provider::Key]) -> provider::Result<Vec<provider::DeleteOutcome>> {
        self.0.delete(keys).await
    }
}

#[tokio::test]
async fn a_store_that_only_claims_create_only_is_found_out_and_left_empty() {
    let bucket = MemoryBucket::new("vault");
    let refused = vault(Ignoring(bucket.clone())).check_usable().await;
    assert!(matches!(refused, Err(VaultError::WithoutCreateOnly { .. })), "{refused:?}");
    assert_eq!(keys(&bucket), Vec::<String>::new());
}

#[tokio::test]
async fn missing_rights_are_told_apart_from_a_missing_vault() {
    for denied in ["put", "get", "delete"] {
        let bucket = Hooked::new(MemoryBucket::new("vault"), move |call| {
            let name = match call {
                Call::Put { .. } => "put",
                Call::Get { .. } => "get",
                Call::Delete { .. } => "delete",
                _ => "",
            };
            if name == denied { Err(Error::new(ErrorKind::Denied, "AnyCall", "vault")) } else { Ok(()) }
        });
        let refused = vault(bucket).check_usable().await.unwrap_err();
        assert!(matches!(refused, VaultError::NotWritable { .. }), "{denied}: {refused:?}");
        assert_eq!(refused.provider_error().unwrap().kind(), ErrorKind::Denied);
        assert_eq!(refused.retry(), Retry::Never);
    }
    let store = MemoryStore::default();
    for (bucket, kind) in [
        (store.open("nowhere"), ErrorKind::NotFound),
        (store.open_with_wrong_credentials("nowhere"), ErrorKind::Unauthenticated),
    ] {
        let refused = vault(bucket).check_usable().await.unwrap_err();
        assert!(matches!(refused, VaultError::Unreachable { .. }), "{refused:?}");
        assert_eq!(refused.provider_error().unwrap().kind(), kind);
    }
}

#[tokio::test]
async fn a_name_belongs_to_the_first_cluster() {
    let bucket = MemoryBucket::new("vault");
    let vault = vault(bucket.clone());
    let ours = ClusterIdentity::new("uid-1", "cluster-1", "deployment-1");
    let theirs = ClusterIdentity::new("uid-2", "cluster-2", "");
    assert_eq!(vault.pinned_cluster().await.unwrap(), None);
    vault.check_cluster(&theirs).await.unwrap();
    vault.pin_cluster(&ours).await.unwrap();
    vault.pin_cluster(&ours).await.unwrap();
    assert_eq!(vault.pinned_cluster().await.unwrap(), Some(ours.clone()));
    assert_eq!(keys(&bucket), ["alpha/cluster.json"]);
    for refused in [vault.pin_cluster(&theirs).await, vault.check_cluster(&theirs).await] {
        let message = refused.unwrap_err().to_string();
        assert!(message.contains("cluster-1") && message.contains("cluster-2"), "{message}");
    }
    for another in [
        ClusterIdentity::new("uid-2", "cluster-1", "deployment-1"),
        ClusterIdentity::new("uid-1", "cluster-2", "deployment-1"),
        ClusterIdentity::new("uid-1", "cluster-1", "deployment-2"),
    ] {
        assert!(matches!(vault.pin_cluster(&another).await, Err(VaultError::AnotherCluster { .. })));
    }
}

#[tokio::test]
async fn a_pin_of_a_later_format_is_not_guessed_at() {
    let bucket = MemoryBucket::new("vault");
    let pin = json!({"format": 2, "namespace_uid": "u", "cluster_id": "c", "deployment_id": "", "more": 1});
    bucket.put(PutRequest::bytes("alpha/cluster.json", PutMode::CreateOnly, pin.to_string())).await.unwrap();
    let refused = vault(bucket).pinned_cluster().await;
    assert!(matches!(refused, Err(VaultError::Format { found: 2, known: 1, .. })), "{refused:?}");
}

#[tokio::test]
async fn files_arrive_whole_with_their_digests() {
    let bucket = MemoryBucket::new("vault");
    let vault = vault(bucket.clone());
    let content: Vec<u8> = (0..1_000_003_u32).map(|n| n as u8 ^ (n >> 9) as u8).collect();
    for (name, content) in [("metadata.pachd", content.as_slice()), ("empty", b"")] {
        let part = vault.put_file_from_path(&run(), name, file(content).path()).await.unwrap();
        assert_eq!((part.name.as_str(), part.size), (name, content.len() as u64));
        assert_eq!(vault.check_part(&run(), &part).await.unwrap(), PartState::Whole);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("back");
        assert_eq!(vault.get_file_to_path(&run(), name, &path).await.unwrap(), part);
        assert_eq!(std::fs::read(&path).unwrap(), content);
        let again = vault.get_file_to_path(&run(), name, &path).await;
        assert!(matches!(again, Err(VaultError::File { .. })), "an existing file is not replaced: {again:?}");
    }
    let abc = vault.put_bytes(&run(), "abc", "abc").await.unwrap();
    assert_eq!(abc.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

#[tokio::test]
async fn a_flipped_byte_and_a_lost_part_are_told_apart() {
    let bucket = MemoryBucket::new("vault");
    let vault = vault(bucket.clone());
    let part = vault.put_bytes(&run(), "part", "content").await.unwrap();
    hooked::write_now(&bucket, "alpha/20261124t034500z-1f3a9c/part", "cOntent");
    let state = vault.check_part(&run(), &part).await.unwrap();
    assert!(matches!(state, PartState::Different { size: 7, .. }), "{state:?}");
    hooked::delete_now(&bucket, "alpha/20261124t034500z-1f3a9c/part");
    assert_eq!(vault.check_part(&run(), &part).await.unwrap(), PartState::Missing);
    assert!(matches!(vault.open_stream(&run(), "part").await, Err(VaultError::Missing { .. })));
}

#[tokio::test]
async fn nothing_is_replaced_and_the_same_bytes_succeed_twice() {
    let bucket = MemoryBucket::new("vault");
    let vault = vault(bucket.clone());
    let first = vault.put_json_create_only(&run(), layout::MANIFEST, &json!({"a": 1})).await.unwrap();
    let again = vault.put_json_create_only(&run(), layout::MANIFEST, &json!({"a": 1})).await.unwrap();
    assert_eq!(first, again);
    let other = vault.put_json_create_only(&run(), layout::MANIFEST, &json!({"a": 2})).await;
    assert!(matches!(other, Err(VaultError::Occupied { .. })), "{other:?}");
    let value: serde_json::Value = vault.get_json(&run(), layout::MANIFEST).await.unwrap();
    assert_eq!(value, json!({"a": 1}));
    assert_eq!(vault.read_manifest(&run()).await.unwrap().len() as u64, first.size);
}

#[tokio::test]
async fn a_lost_reply_is_a_success_and_trouble_is_ridden_out() {
    let bucket = Arc::new(MemoryBucket::new("vault"));
    let plan = FaultPlan::scripted()
        .at(Operation::Put, 1, Fault::Throttled)
        .at(Operation::Put, 2, Fault::LostReply)
        .at(Operation::Get, 1, Fault::Unavailable)
        .at(Operation::Get, 3, Fault::Unavailable)
        .at(Operation::List, 1, Fault::Unavailable);
    let vault = vault(FaultyBucket::new(Arc::clone(&bucket), plan.clone()));
    let part = vault.put_file_from_path(&run(), "part", file(b"content").path()).await.unwrap();
    assert_eq!(vault.check_part(&run(), &part).await.unwrap(), PartState::Whole);
    assert_eq!(vault.list_files(&run()).await.unwrap(), [StoredFile { name: "part".to_owned(), size: 7 }]);
    assert_eq!(plan.injected().len(), 5);
}

#[tokio::test]
async fn the_budget_ends_and_the_last_error_is_kept() {
    let plan = FaultPlan::seeded(1).drawn(&[Operation::Put], 1000, &[Fault::Unavailable]);
    let vault = vault(FaultyBucket::new(Arc::new(MemoryBucket::new("vault")), plan.clone()));
    let failed = vault.put_bytes(&run(), "part", "content").await.unwrap_err();
    assert!(matches!(failed, VaultError::Store { .. }), "{failed:?}");
    assert_eq!(failed.retry(), Retry::Again);
    assert_eq!(plan.calls(Operation::Put), u64::from(QUICK.attempts));
}

#[tokio::test]
async fn runs_are_listed_with_how_far_they_got() {
    let store = MemoryStore::new(BucketCapabilities { page_keys: 2, ..MemoryStore::CAPABLE });
    let vault = vault(store.bucket("vault"));
    let other = Vault::new(Arc::new(store.bucket("vault")), None, "alpha-2").unwrap();
    let at = |second: i64| RunId::new(Timestamp::from_second(1_800_000_000 + second).unwrap());
    let (complete, captured, incomplete) = (at(1), at(2), at(3));
    for (run, names) in [
        (&complete, vec![layout::CAPTURED, layout::MANIFEST, layout::METADATA, "zzz"]),
        (&captured, vec![layout::CAPTURED, "inventory/part-00000.parquet"]),
        (&incomplete, vec!["inventory/manifest.json"]),
    ] {
        for name in names {
            vault.put_bytes(run, name, name.to_owned()).await.unwrap();
        }
    }
    other.put_bytes(&at(4), layout::MANIFEST, "{}").await.unwrap();
    vault.pin_cluster(&ClusterIdentity::new("u", "c", "d")).await.unwrap();
    vault.bucket().put(PutRequest::bytes("alpha/notes/manifest.json", PutMode::CreateOnly, "")).await.unwrap();
    let entry = |run, state| RunEntry { run, state };
    assert_eq!(
        vault.list_runs().await.unwrap(),
        [
            entry(complete.clone(), RunState::Complete),
            entry(captured, RunState::Captured),
            entry(incomplete, RunState::Incomplete)
        ]
    );
    let files: Vec<_> = vault.list_files(&complete).await.unwrap().into_iter().map(|file| file.name).collect();
    assert_eq!(files, [layout::CAPTURED, layout::MANIFEST, layout::METADATA, "zzz"]);
}

#[test]
fn names_that_would_change_the_layout_are_refused() {
    for name in ["", ".", "..", ".hidden", "a/b", "a b", "é", "a\n"] {
        let refused = Vault::new(Arc::new(MemoryBucket::new("vault")), None, name);
        assert!(matches!(refused, Err(VaultError::ClusterName { .. })), "{name:?}");
    }
}
