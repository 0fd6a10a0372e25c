//! One writer at a time.

use std::sync::Arc;
use std::time::Duration;

use orchestrator::clone::{Before, CloneError, Holder, Lock, LockTimes, final_pass, is_lock};
use provider::testkit::memory::{MemoryBucket, MemoryStore};
use provider::{Bucket, BucketCapabilities, PutMode, PutRequest};

use crate::world::{World, fill, same, write};

const QUICK: LockTimes =
    LockTimes { beat: Duration::from_millis(20), dead: Duration::from_millis(200), settle: Duration::from_millis(20) };

fn holder(name: &str) -> Holder {
    Holder { name: name.to_owned(), process: format!("process of {name}") }
}

async fn take(clone: &MemoryBucket, name: &str) -> Result<Lock, CloneError> {
    let clone: Arc<dyn Bucket> = Arc::new(clone.clone());
    Lock::take(&clone, holder(name), |_| None, QUICK).await
}

/// What a holder leaves that is killed.
async fn killed(clone: &MemoryBucket, name: &str) {
    let left = serde_json::json!({"holder": holder(name), "beat": 3});
    clone.put(PutRequest::bytes(".pachsnap-lock", PutMode::Overwrite, left.to_string())).await.unwrap();
}

fn stores() -> [MemoryStore; 2] {
    let poor = BucketCapabilities { create_only_put: false, ..MemoryStore::CAPABLE };
    [MemoryStore::default(), MemoryStore::new(poor)]
}

#[tokio::test]
async fn the_second_is_refused_while_the_first_lives_and_admitted_when_it_is_done() {
    for store in stores() {
        let clone = store.bucket("clone");
        let first = take(&clone, "first").await.unwrap();
        let refused = take(&clone, "second").await;
        assert!(matches!(&refused, Err(CloneError::Locked { holder, .. }) if holder.contains("first")), "{refused:?}");
        first.give_back().await.unwrap();
        assert!(clone.snapshot().unwrap().is_empty());
        take(&clone, "second").await.unwrap();
    }
}

#[tokio::test]
async fn of_many_at_once_one_gets_it() {
    for store in stores() {
        let clone = store.bucket("clone");
        let all = futures::future::join_all((0..8).map(|number| {
            let clone = clone.clone();
            async move { take(&clone, &number.to_string()).await }
        }));
        let all = all.await;
        assert_eq!(all.iter().filter(|taken| taken.is_ok()).count(), 1, "{all:?}");
    }
}

#[tokio::test]
async fn a_dead_holder_is_replaced_at_once_where_that_is_known_and_after_a_while_elsewhere() {
    let clone = MemoryStore::default().bucket("clone");
    killed(&clone, "killed").await;
    let began = std::time::Instant::now();
    let second = take(&clone, "second").await.unwrap();
    assert!(began.elapsed() >= QUICK.dead);
    second.give_back().await.unwrap();
    killed(&clone, "second").await;
    let bucket: Arc<dyn Bucket> = Arc::new(clone.clone());
    let alive = Lock::take(&bucket, holder("third"), |_| Some(false), QUICK).await;
    assert!(matches!(alive, Err(CloneError::Locked { .. })), "{alive:?}");
    let patient = LockTimes { dead: Duration::from_secs(3600), ..QUICK };
    let knows = Lock::take(&bucket, holder("third"), |dead| Some(dead.name == "second"), patient).await.unwrap();
    assert!(clone.snapshot().unwrap().iter().all(|(key, _)| is_lock(key.as_str())));
    knows.give_back().await.unwrap();
}

#[tokio::test]
async fn who_was_taken_for_dead_hears_of_it() {
    let clone = MemoryStore::default().bucket("clone");
    let first = take(&clone, "first").await.unwrap();
    let bucket: Arc<dyn Bucket> = Arc::new(clone.clone());
    let second = Lock::take(&bucket, holder("second"), |_| Some(true), QUICK).await.unwrap();
    let lost = tokio::time::timeout(Duration::from_secs(60), first.lost()).await.unwrap();
    assert!(matches!(&lost, CloneError::LockLost { holder, .. } if holder.contains("second")), "{lost:?}");
    second.give_back().await.unwrap();
}

#[tokio::test]
async fn a_lock_whose_work_is_cancelled_is_given_back() {
    let clone = MemoryStore::default().bucket("clone");
    drop(take(&clone, "cancelled").await.unwrap());
    assert!(provider::cleanup::finish(Duration::from_secs(60)).await);
    assert!(clone.snapshot().unwrap().is_empty());
}

#[tokio::test]
async fn a_lock_is_no_part_of_the_clone_and_of_no_source() {
    let world = World::server_side();
    fill(&world.source, 5, same).await;
    let lock = take(&world.clone, "run").await.unwrap();
    let pass = final_pass(&world.spec(), &Before::Unknown, &world.ledger("final")).await.unwrap();
    let again =
        final_pass(&world.spec(), &Before::Touched(pass.inventory.clone()), &world.ledger("again")).await.unwrap();
    assert_eq!((again.report.deleted, again.report.copied), (0, 0));
    lock.give_back().await.unwrap();
    world.assert_exact(&again).await;

    write(&world.source, ".pachsnap-lock", b"").await;
    let refused = final_pass(&world.spec(), &Before::Unknown, &world.ledger("refused")).await;
    assert!(matches!(refused, Err(CloneError::KeyNotHeld { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_damaged_lock_is_an_error_and_stays() {
    let clone = MemoryStore::default().bucket("clone");
    clone.put(PutRequest::bytes(".pachsnap-lock", PutMode::Overwrite, "{")).await.unwrap();
    let failed = take(&clone, "second").await;
    assert!(matches!(&failed, Err(error) if error.kind() == Some(provider::ErrorKind::Corrupt)), "{failed:?}");
}

async fn take_shard(clone: &MemoryBucket, shard: &str, name: &str) -> Result<Lock, CloneError> {
    let clone: Arc<dyn Bucket> = Arc::new(clone.clone());
    Lock::take_shard(&clone, shard, holder(name), |_| None, QUICK).await
}

#[tokio::test]
async fn shards_are_locked_side_by_side_and_keep_the_whole_clone_from_being_locked() {
    let clone = World::server_side().clone;
    let first = take_shard(&clone, "p-0", "first").await.unwrap();
    let second = take_shard(&clone, "p-1", "second").await.unwrap();
    assert!(matches!(take_shard(&clone, "p-1", "third").await, Err(CloneError::Locked { .. })));
    assert!(matches!(take(&clone, "whole").await, Err(CloneError::Locked { .. })));
    first.give_back().await.unwrap();
    second.give_back().await.unwrap();
    let whole = take(&clone, "whole").await.unwrap();
    assert!(matches!(take_shard(&clone, "p-0", "first").await, Err(CloneError::Locked { .. })));
    whole.give_back().await.unwrap();
    assert_eq!(clone.snapshot().unwrap(), []);
}

#[tokio::test]
async fn a_shard_that_was_taken_for_dead_learns_of_it() {
    let clone = World::server_side().clone;
    let shard = take_shard(&clone, "p-0", "first").await.unwrap();
    let bucket: Arc<dyn Bucket> = Arc::new(clone.clone());
    let whole = Lock::take(&bucket, holder("whole"), |_| Some(true), QUICK).await.unwrap();
    assert!(matches!(shard.lost().await, CloneError::LockLost { .. }));
    shard.give_back().await.unwrap();
    whole.give_back().await.unwrap();
}
