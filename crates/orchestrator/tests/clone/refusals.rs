//! What a clone must not begin.

use std::sync::Arc;

use async_trait::async_trait;
use orchestrator::clone::{Before, CloneError, PreCopyScope, final_pass, pre_copy};
use provider::testkit::memory::{MemoryBucket, MemoryStore};
use provider::{
    Bucket, BucketCapabilities, Copied, CopyRequest, CopyToken, DeleteOutcome, GetRequest, Key, KeyRules, ListRequest,
    ObjectMeta, ObjectStream, Page, Put, PutRequest, Result,
};

use crate::world::{World, fill, same, small, write};

#[tokio::test]
async fn a_place_that_holds_something_else_is_left_alone() {
    for world in World::both() {
        fill(&world.source, 10, same).await;
        write(&world.clone, "pach/block/000001", b"as if it were ours").await;
        for key in ["another/clusters/data", "zzz"] {
            write(&world.clone, key, b"foreign").await;
        }
        let before = world.clone.snapshot().unwrap();
        for refused in [
            pre_copy(&world.spec(), PreCopyScope::Blocks, &Before::Unknown, &world.ledger("pre")).await,
            final_pass(&world.spec(), &Before::Unknown, &world.ledger("final")).await,
        ] {
            match refused.unwrap_err() {
                CloneError::ForeignDestination { keys, .. } => assert_eq!(keys, ["another/clusters/data", "zzz"]),
                other => panic!("{other:?}"),
            }
        }
        assert!(world.clone.snapshot().unwrap() == before);
        assert!(!world.folder("final").exists());
    }
}

#[tokio::test]
async fn a_clone_is_not_made_into_its_source() {
    let world = World::server_side();
    let spec = world.spec_between(Arc::new(world.source.clone()), Arc::new(world.source.clone()));
    let refused = final_pass(&spec, &Before::Unknown, &world.ledger("final")).await;
    assert!(matches!(refused, Err(CloneError::Overlap { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_key_that_the_store_would_change_is_named() {
    let mut world = World::streamed();
    let rules = KeyRules { empty_segments: false, ..KeyRules::RAW };
    world.clone = MemoryStore::new(BucketCapabilities { keys: rules, ..small() }).bucket("clone");
    write(&world.source, "pach/block/fine", b"").await;
    write(&world.source, "pach/block//not", b"").await;
    let refused = final_pass(&world.spec(), &Before::Unknown, &world.ledger("final")).await;
    assert!(matches!(&refused, Err(CloneError::KeyNotHeld { key, .. }) if key == "pach/block//not"), "{refused:?}");
}

#[tokio::test]
async fn an_inventory_is_never_written_over_another_one() {
    let world = World::server_side();
    fill(&world.source, 3, same).await;
    final_pass(&world.spec(), &Before::Unknown, &world.ledger("final")).await.unwrap();
    let refused = final_pass(&world.spec(), &Before::Unknown, &world.ledger("final")).await;
    assert!(matches!(refused, Err(CloneError::InventoryFile { .. })), "{refused:?}");
}

/// A store that lists keys in an order of its own.
#[derive(Debug)]
struct Unsorted(MemoryBucket);

#[async_trait]
impl Bucket for Unsorted {
    fn capabilities(&self) -> BucketCapabilities {
        self.0.capabilities()
    }
    fn location(&self) -> String {
        self.0.location()
    }
    async fn list(&self, request: &ListRequest) -> Result<Page> {
        let mut page = self.0.list(request).await?;
        page.objects.reverse();
        Ok(page)
    }
    async fn copy_from(&self, request: &CopyRequest) -> Result<Copied> {
        self.0.copy_from(request).await
    }
    async fn abandon_copy(&self, to: &Key, token: &CopyToken) -> Result<()> {
        self.0.abandon_copy(to, token).await
    }
    async fn get(&self, request: &GetRequest) -> Result<ObjectStream> {
        self.0.get(request).await
    }
    async fn put(&self, request: PutRequest) -> Result<Put> {
        self.0.put(request).await
    }
    async fn head(&self, key: &Key) -> Result<Option<ObjectMeta>> {
        self.0.head(key).await
    }
    async fn delete(&self, keys: &[Key]) -> Result<Vec<DeleteOutcome>> {
        self.0.delete(keys).await
    }
}

#[tokio::test]
async fn an_unsorted_listing_is_not_merged() {
    let world = World::server_side();
    fill(&world.source, 5, same).await;
    let source = Unsorted(world.source.clone());
    let spec = world.spec_between(Arc::new(source), Arc::new(world.clone.clone()));
    let refused = final_pass(&spec, &Before::Unknown, &world.ledger("final")).await;
    assert!(matches!(refused, Err(CloneError::Unsorted { .. })), "{refused:?}");
}
