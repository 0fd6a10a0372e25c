//! A pass that is given up: whole objects remain, and the next pass finishes the work.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use orchestrator::clone::{Before, CloneSpec, final_pass};
use provider::{BucketFacts, cleanup};
use tokio::sync::Notify;

use crate::hooked::{Call, Hooked};
use crate::world::{World, fill, same};

/// Begins a pass and drops it when `reached` tells so.
async fn give_up(world: &World, spec: &CloneSpec, reached: &Notify) {
    let ledger = world.ledger("given-up");
    tokio::select! {
        biased;
        () = reached.notified() => {}
        _ = final_pass(spec, &Before::Unknown, &ledger) => panic!("it was to be given up"),
    }
}

#[tokio::test]
async fn only_whole_objects_are_left_and_nothing_goes_on() {
    for stop_at in [1, 7, 60, 130] {
        for world in World::both() {
            fill(&world.source, 40, same).await;
            let (enough, writes) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
            let (reached, counted) = (Arc::clone(&enough), Arc::clone(&writes));
            let clone = Hooked::new(world.clone.clone(), move |call| {
                if matches!(call, Call::Copy { .. } | Call::Put { .. })
                    && counted.fetch_add(1, Ordering::SeqCst) + 1 == stop_at
                {
                    reached.notify_one();
                }
                Ok(())
            });
            let spec = world.spec_between(Arc::new(world.source.clone()), Arc::new(clone));
            give_up(&world, &spec, &enough).await;
            let source: BTreeMap<_, _> = world.source.snapshot().unwrap().into_iter().collect();
            let clone = world.clone.snapshot().unwrap();
            assert!(clone.len() < source.len());
            assert!(clone.iter().all(|(key, bytes)| source[key] == *bytes));

            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            let later = writes.load(Ordering::SeqCst);
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            assert_eq!(writes.load(Ordering::SeqCst), later, "somebody goes on writing");

            let pass = final_pass(&world.spec(), &Before::Unknown, &world.ledger("final")).await.unwrap();
            world.assert_exact(&pass).await;
        }
    }
}

#[tokio::test]
async fn a_large_copy_that_is_given_up_half_way_keeps_nothing_in_the_store() {
    let world = World::server_side();
    fill(&world.source, 5, same).await;
    let half_way = Arc::new(Notify::new());
    let reached = Arc::clone(&half_way);
    let clone = Hooked::new(world.clone.clone(), move |call| {
        if matches!(call, Call::Copy { key, resumed: true } if key == "pach/block/000000") {
            reached.notify_one();
        }
        Ok(())
    });
    let spec = world.spec_between(Arc::new(world.source.clone()), Arc::new(clone));
    give_up(&world, &spec, &half_way).await;
    assert!(cleanup::finish(Duration::from_secs(60)).await, "what is owed to the store is never given back");
    assert_eq!(world.clone.unfinished_uploads().await.unwrap(), []);
    assert!(world.clone.snapshot().unwrap().iter().all(|(key, _)| key.as_str() != "pach/block/000000"));
}
