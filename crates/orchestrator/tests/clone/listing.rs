//! Listings: complete and without repetition whatever the keys, and servers that do it wrong.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use orchestrator::clone::{Before, CloneError, CloneOrder, CloneSpec, CopyPath, Kind, final_pass};
use proptest::prelude::*;
use provider::testkit::memory::{MemoryBucket, MemoryStore};
use provider::{
    Bucket, BucketCapabilities, Copied, CopyRequest, CopyToken, DeleteOutcome, GetRequest, Key, ListRequest,
    ObjectMeta, ObjectStream, Page, PutMode, PutRequest, Result,
};

use crate::world::{World, by_prefix, fill, same, small};

type Relist = dyn Fn(&MemoryBucket, &ListRequest, Page) -> Page + Send + Sync;

/// A bucket whose pages are changed on their way.
pub(crate) struct Relisted {
    inner: MemoryBucket,
    relist: Box<Relist>,
}

impl Relisted {
    pub(crate) fn new(
        inner: MemoryBucket,
        relist: impl Fn(&MemoryBucket, &ListRequest, Page) -> Page + Send + Sync + 'static,
    ) -> Self {
        Self { inner, relist: Box::new(relist) }
    }
}

impl fmt::Debug for Relisted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Relisted")
    }
}

#[async_trait]
impl Bucket for Relisted {
    fn capabilities(&self) -> BucketCapabilities {
        self.inner.capabilities()
    }
    fn location(&self) -> String {
        self.inner.location()
    }
    async fn list(&self, request: &ListRequest) -> Result<Page> {
        let page = self.inner.list(request).await?;
        Ok((self.relist)(&self.inner, request, page))
    }
    async fn copy_from(&self, request: &CopyRequest) -> Result<Copied> {
        self.inner.copy_from(request).await
    }
    async fn abandon_copy(&self, to: &Key, token: &CopyToken) -> Result<()> {
        self.inner.abandon_copy(to, token).await
    }
    async fn get(&self, request: &GetRequest) -> Result<ObjectStream> {
        self.inner.get(request).await
    }
    async fn put(&self, request: PutRequest) -> Result<provider::Put> {
        self.inner.put(request).await
    }
    async fn head(&self, key: &Key) -> Result<Option<ObjectMeta>> {
        self.inner.head(key).await
    }
    async fn delete(&self, keys: &[Key]) -> Result<Vec<DeleteOutcome>> {
        self.inner.delete(keys).await
    }
}

/// Clones keys with many listers and answers with how many pages it took.
async fn clone_keys(keys: &[String], threads: usize, order: CloneOrder) -> u64 {
    let world = World::in_store(&MemoryStore::new(BucketCapabilities { page_keys: 5, ..small() }));
    for key in keys {
        world.source.put(PutRequest::bytes(key.as_str(), PutMode::Overwrite, "x")).await.unwrap();
    }
    let spec = CloneSpec { listers: 8, threads, order, ..world.spec() };
    let pass = final_pass(&spec, &Before::Unknown, &world.ledger("final")).await.unwrap();
    world.assert_exact(&pass).await;
    assert_eq!(pass.report.copied, keys.len() as u64);
    pass.report.requests.lists
}

fn alphabet() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9a-f]{1,8}",
        "[0-9a-f]{4}/kcolb/hcap",
        "/{1,3}[ab]{0,3}/?",
        "pach/(tag|object|block)/[0-9a-f]{1,6}",
        "pach/block/0000000000000000000000[01]{1,9}",
        "[\u{0}-\u{ff}]{1,3}",
        "[\u{d000}-\u{ffff}\u{10000}\u{10ffff}]{1,4}",
        "[a\u{10ffff}]{1,6}",
        ".{1,12}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_key_is_listed_once_whatever_the_keys(
        keys in proptest::collection::btree_set(alphabet(), 0..400),
        threads in 1_usize..4,
        by_key in any::<bool>(),
    ) {
        let keys: Vec<String> = keys.into_iter().filter(|key| !key.is_empty() && key.len() <= 1024).collect();
        let order = if by_key { CloneOrder::by_key(|_| Kind::Other) } else { by_prefix() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(clone_keys(&keys, threads, order));
    }
}

/// Cutting ranges must not cost more than it gains: most requests bring a page of keys.
#[tokio::test]
async fn cutting_ranges_asks_for_few_empty_pages() {
    let hex: Vec<String> =
        (0_u32..4000).map(|number| format!("pach/block/{:08x}", number.wrapping_mul(2_654_435_761))).collect();
    let pages = hex.len() as u64 / 5;
    let lists = clone_keys(&hex, 1, by_prefix()).await;
    assert!(lists < pages * 3 / 2, "{lists} requests for {pages} pages");
}

#[tokio::test]
async fn a_page_that_comes_twice_is_noticed() {
    let world = World::server_side();
    fill(&world.source, 30, same).await;
    let again = |_: &MemoryBucket, _: &ListRequest, mut page: Page| {
        if let Some(first) = page.objects.first().cloned() {
            page.objects.push(first);
        }
        page
    };
    let source = Relisted::new(world.source.clone(), again);
    let spec = world.spec_between(Arc::new(source), Arc::new(world.clone.clone()));
    let refused = final_pass(&spec, &Before::Unknown, &world.ledger("final")).await;
    assert!(matches!(refused, Err(CloneError::Unsorted { .. })), "{refused:?}");
}

/// The next page is asked for by the last key, so tokens that lead astray lose nothing.
#[tokio::test]
async fn a_token_that_leads_astray_loses_nothing() {
    let world = World::server_side();
    fill(&world.source, 30, same).await;
    let astray = |bucket: &MemoryBucket, _: &ListRequest, mut page: Page| {
        let _ = bucket;
        if let Some(token) = &mut page.next {
            token.0 = "pach/block/000010".to_owned();
        }
        page
    };
    let source = Relisted::new(world.source.clone(), astray);
    let spec = world.spec_between(Arc::new(source), Arc::new(world.clone.clone()));
    let pass = final_pass(&spec, &Before::Unknown, &world.ledger("final")).await.unwrap();
    world.assert_exact(&pass).await;
    assert_eq!(world.path, CopyPath::ServerSide);
}
