//! A store with a hundred million objects, in simulated time: what a listing takes, sends and costs.
//!
//! By default a million objects; `PACHSNAP_SIMULATED=100000000 cargo test --workspace --test clone simulated -- --nocapture` has them all.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use orchestrator::clone::{Before, CloneOrder, CloneSpec, CopyPath, Kind, survey};
use provider::testkit::memory::{MemoryBucket, MemoryStore};
use provider::{
    Bucket, BucketCapabilities, Copied, CopyRequest, CopyToken, DeleteOutcome, GetRequest, Key, ListRequest,
    ObjectMeta, ObjectStream, ObjectVersion, Page, Put, PutRequest, Result,
};
use tokio::sync::oneshot;

/// Time that a page takes, in simulated milliseconds.
const PAGE: u64 = 60;
const PAGE_KEYS: u64 = 1000;
/// Listings a second that a store is published to answer for one prefix.
const LISTS_PER_SECOND: u64 = 5500;

/// Ranges that are listed at once.
const LISTERS: usize = 128;

/// Time that passes only when everybody waits for it.
#[derive(Clone, Default)]
struct Clock(Arc<Mutex<Waiting>>);

#[derive(Default)]
struct Waiting {
    now: u64,
    sleeping: BTreeMap<u64, Vec<oneshot::Sender<()>>>,
}

impl Clock {
    async fn sleep(&self, milliseconds: u64) {
        let (sender, woken) = oneshot::channel();
        {
            let mut waiting = self.0.lock().unwrap();
            let due = waiting.now + milliseconds;
            waiting.sleeping.entry(due).or_default().push(sender);
        }
        let _ = woken.await;
    }

    fn now(&self) -> u64 {
        self.0.lock().unwrap().now
    }

    /// Lets time pass, whenever nothing else can happen, until `work` is done.
    async fn run<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        loop {
            // Everything that can go on now does: each round lets every task that is ready run once.
            for _ in 0..64 {
                tokio::select! {
                    biased;
                    done = &mut work => return done,
                    () = tokio::task::yield_now() => {}
                }
            }
            let mut waiting = self.0.lock().unwrap();
            if let Some((due, sleepers)) = waiting.sleeping.pop_first() {
                waiting.now = due;
                for sleeper in sleepers {
                    let _ = sleeper.send(());
                }
            }
        }
    }
}

/// So many objects with evenly spread names, none of which is kept anywhere.
struct Endless {
    objects: u64,
    clock: Clock,
    lists: AtomicU64,
    most_at_once: Mutex<(u64, u64)>,
}

impl Endless {
    fn key(&self, number: u64) -> String {
        let step = u128::MAX / u128::from(self.objects);
        format!("pach/block/{:032x}", u128::from(number) * step)
    }

    /// The first object whose key comes after this one.
    fn after(&self, key: &str) -> u64 {
        let (mut low, mut high) = (0, self.objects);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.key(middle).as_str() > key { high = middle } else { low = middle + 1 }
        }
        low
    }
}

impl fmt::Debug for Endless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endless({})", self.objects)
    }
}

#[async_trait]
impl Bucket for Endless {
    fn capabilities(&self) -> BucketCapabilities {
        BucketCapabilities { page_keys: PAGE_KEYS as usize, ..MemoryStore::CAPABLE }
    }
    fn location(&self) -> String {
        "simulated://endless".to_owned()
    }
    async fn list(&self, request: &ListRequest) -> Result<Page> {
        self.lists.fetch_add(1, Ordering::Relaxed);
        let second = self.clock.now() / 1000;
        {
            let mut most = self.most_at_once.lock().unwrap();
            *most = if most.0 == second { (second, most.1 + 1) } else { (second, 1) };
            assert!(most.1 <= LISTS_PER_SECOND, "more listings a second than the store answers");
        }
        self.clock.sleep(PAGE).await;
        let from = request.after.as_ref().map_or(0, |after| self.after(after.as_str()));
        let to = (from + PAGE_KEYS).min(self.objects);
        let object = |number| ObjectMeta {
            key: Key::new(self.key(number)),
            size: 100,
            version: ObjectVersion(format!("{number:032x}")),
            modified: None,
            checksum: None,
            class: None,
            details: None,
        };
        let next = (to < self.objects).then(|| provider::ListToken(to.to_string()));
        Ok(Page { objects: (from..to).map(object).collect(), next })
    }
    async fn copy_from(&self, _: &CopyRequest) -> Result<Copied> {
        panic!("a survey copies nothing")
    }
    async fn abandon_copy(&self, _: &Key, _: &CopyToken) -> Result<()> {
        panic!("a survey copies nothing")
    }
    async fn get(&self, _: &GetRequest) -> Result<ObjectStream> {
        panic!("a survey reads nothing")
    }
    async fn put(&self, _: PutRequest) -> Result<Put> {
        panic!("a survey writes nothing")
    }
    async fn head(&self, _: &Key) -> Result<Option<ObjectMeta>> {
        panic!("a survey looks at nothing")
    }
    async fn delete(&self, _: &[Key]) -> Result<Vec<DeleteOutcome>> {
        panic!("a survey deletes nothing")
    }
}

#[tokio::test]
async fn a_hundred_million_objects_are_listed_in_a_minute() {
    let objects = std::env::var("PACHSNAP_SIMULATED").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let clock = Clock::default();
    let source =
        Arc::new(Endless { objects, clock: clock.clone(), lists: AtomicU64::new(0), most_at_once: Mutex::new((0, 0)) });
    let order = CloneOrder::by_key(|_| Kind::Block);
    let clone: Arc<dyn Bucket> = Arc::new(MemoryBucket::new("clone"));
    let source_bucket: Arc<dyn Bucket> = source.clone();
    let spec = CloneSpec::new(source_bucket, clone, CopyPath::ServerSide, order);
    let spec = CloneSpec { listers: LISTERS, in_turn: false, ..spec };
    let found = clock.run(survey(&spec, &Before::Unknown, false)).await.unwrap();
    assert_eq!((found.objects, found.to_copy, found.bytes), (objects, objects, objects * 100));
    assert_eq!(found.requests.copies, objects);
    let (lists, seconds) = (source.lists.load(Ordering::Relaxed), clock.now() as f64 / 1000.0);
    println!("{objects} objects: {lists} pages in {seconds} s");
    // The look at the clone's place is one more.
    assert_eq!(found.requests.lists, lists + 1);
    let pages = objects.div_ceil(PAGE_KEYS);
    // A fifth more, and at both ends of the listing some that find out where keys are and where none are left.
    assert!(lists < pages + pages / 5 + 8 * LISTERS as u64, "{lists} requests for {pages} pages");
    // In proportion, and a second for the first cuts.
    let allowed = 60.0 * objects as f64 / 1e8 + 1.0;
    assert!(seconds <= allowed, "{seconds} s, allowed are {allowed}");
}
