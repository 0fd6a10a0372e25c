//! Stores on bad days.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use orchestrator::clone::{Before, CloneError, CloneProgress, PreCopyScope, final_pass, pre_copy};
use provider::testkit::fault::{Fault, FaultPlan, FaultyBucket, Operation};
use provider::{BucketFacts, Error, ErrorKind};

use crate::hooked::{Call, Hooked};
use crate::world::{QUICK, World, fill, recorded, same};

const EVERY_CALL: [Operation; 7] = [
    Operation::List,
    Operation::CopyFrom,
    Operation::AbandonCopy,
    Operation::Get,
    Operation::Put,
    Operation::Head,
    Operation::Delete,
];

#[derive(Default)]
struct Slowed {
    lowest: AtomicUsize,
}

impl CloneProgress for Slowed {
    fn throttled(&self, concurrency: usize) {
        let lowest = self.lowest.load(Ordering::SeqCst);
        if lowest == 0 || concurrency < lowest {
            self.lowest.store(concurrency, Ordering::SeqCst);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn throttling_outages_and_lost_replies_are_ridden_out() {
    for seed in 1..=4 {
        for world in World::both() {
            fill(&world.source, 150, same).await;
            let faults = [Fault::Throttled, Fault::Unavailable, Fault::LostReply];
            let plan = FaultPlan::seeded(seed).drawn(&EVERY_CALL, 60, &faults);
            let source = FaultyBucket::new(Arc::new(world.source.clone()), plan.clone());
            let destination = FaultyBucket::new(Arc::new(world.clone.clone()), plan.clone());
            let slowed = Arc::new(Slowed::default());
            let mut spec = world.spec_between(Arc::new(source), Arc::new(destination));
            spec.progress = Arc::clone(&slowed) as Arc<dyn CloneProgress>;
            let first = pre_copy(&spec, PreCopyScope::Blocks, &Before::Unknown, &world.ledger("pre")).await.unwrap();
            let last = final_pass(&spec, &recorded(&first.inventory), &world.ledger("final")).await.unwrap();
            world.assert_exact(&last).await;
            assert!(plan.injected().len() > 20, "{} faults", plan.injected().len());
            let lowest = slowed.lowest.load(Ordering::SeqCst);
            assert!((1..=4).contains(&lowest), "half of 8 or less, not {lowest}");
        }
    }
}

#[tokio::test]
async fn a_fatal_error_ends_the_pass_with_its_kind() {
    for world in World::both() {
        fill(&world.source, 20, same).await;
        let destination = Hooked::new(world.clone.clone(), |call| match call {
            Call::Copy { key, .. } | Call::Put { key, .. } if key == "pach/block/000009" => {
                Err(Error::new(ErrorKind::Denied, "AnyWrite", "clone"))
            }
            _ => Ok(()),
        });
        let spec = world.spec_between(Arc::new(world.source.clone()), Arc::new(destination));
        let failed = final_pass(&spec, &Before::Unknown, &world.ledger("final")).await.unwrap_err();
        assert_eq!(failed.kind(), Some(ErrorKind::Denied), "{failed:?}");
        assert_eq!(failed.provider_error().unwrap().operation(), "AnyWrite");
    }
}

#[tokio::test]
async fn a_listing_that_fails_halfway_is_never_taken_for_the_end() {
    let world = World::server_side();
    fill(&world.source, 20, same).await;
    for (call, kind) in [(2, ErrorKind::Denied), (9, ErrorKind::Denied)] {
        let calls = AtomicUsize::new(0);
        let source = Hooked::new(world.source.clone(), move |seen| match seen {
            Call::List { .. } if calls.fetch_add(1, Ordering::SeqCst) + 1 == call => {
                Err(Error::new(kind, "List", "data"))
            }
            _ => Ok(()),
        });
        let spec = world.spec_between(Arc::new(source), Arc::new(world.clone.clone()));
        let failed = final_pass(&spec, &Before::Unknown, &world.ledger(&format!("final-{call}"))).await.unwrap_err();
        assert_eq!(failed.kind(), Some(kind), "{failed:?}");
    }
}

#[tokio::test]
async fn an_outage_outlasts_the_budget_and_leaves_no_upload() {
    let world = World::server_side();
    fill(&world.source, 5, same).await;
    let destination = Hooked::new(world.clone.clone(), |call| match call {
        Call::Copy { key, resumed: true } if key == "pach/block/000000" => {
            Err(Error::new(ErrorKind::Unavailable, "UploadPartCopy", "clone"))
        }
        _ => Ok(()),
    });
    let spec = world.spec_between(Arc::new(world.source.clone()), Arc::new(destination));
    let failed = final_pass(&spec, &Before::Unknown, &world.ledger("final")).await.unwrap_err();
    assert_eq!(failed.kind(), Some(ErrorKind::Unavailable), "{failed:?}");
    assert_eq!(world.clone.unfinished_uploads().await.unwrap(), []);
}

#[tokio::test]
async fn a_clone_bucket_that_vanishes_is_an_error_not_a_change() {
    for world in World::both() {
        fill(&world.source, 5, same).await;
        let destination = Hooked::new(world.clone.clone(), |call| match call {
            Call::Copy { .. } | Call::Put { .. } => Err(Error::new(ErrorKind::NotFound, "AnyWrite", "clone")),
            _ => Ok(()),
        });
        let mut spec = world.spec_between(Arc::new(world.source.clone()), Arc::new(destination));
        spec.retry.attempts = 3;
        assert!(spec.retry.attempts < QUICK.attempts);
        let failed = final_pass(&spec, &Before::Unknown, &world.ledger("final")).await.unwrap_err();
        assert!(matches!(failed, CloneError::Store { .. }), "{failed:?}");
        assert_eq!(failed.kind(), Some(ErrorKind::NotFound));
    }
}
