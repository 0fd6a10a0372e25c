//! What only the clone has: how much of it a pass may delete, and when it must not.

use std::sync::Arc;

use orchestrator::clone::{Before, CloneError, CloneSpec, PreCopyScope, final_pass, pre_copy};
use provider::testkit::memory::MemoryBucket;
use provider::{ListRequest, Page};

use crate::hooked::delete_now;
use crate::listing::Relisted;
use crate::world::{World, fill, recorded, same};

/// A clone of 400 objects and more, of whose source 200 are gone.
async fn half_gone() -> (World, Before) {
    let world = World::server_side();
    fill(&world.source, 130, same).await;
    let first = pre_copy(&world.spec(), PreCopyScope::Everything, &Before::Unknown, &world.ledger("first")).await;
    for number in 0..100 {
        delete_now(&world.source, &format!("pach/tag/{number:06x}"));
        delete_now(&world.source, &format!("pach/object/{number:06x}"));
    }
    (world, recorded(&first.unwrap().inventory))
}

#[tokio::test]
async fn too_many_are_found_before_the_pause_and_nothing_is_deleted() {
    let (world, before) = half_gone().await;
    let clone = world.clone.snapshot().unwrap();
    for (number, refused) in [
        pre_copy(&world.spec(), PreCopyScope::Everything, &before, &world.ledger("pre")).await,
        final_pass(&world.spec(), &before, &world.ledger("final")).await,
    ]
    .into_iter()
    .enumerate()
    {
        match refused.unwrap_err() {
            CloneError::TooManyDeletes { extra, objects, .. } => {
                assert_eq!((extra, objects), (200, clone.len() as u64), "{number}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(world.clone.snapshot().unwrap() == clone);
}

#[tokio::test]
async fn as_many_as_are_allowed_are_deleted() {
    let (world, before) = half_gone().await;
    let spec = CloneSpec { most_deletes: 0.5, ..world.spec() };
    let pass = final_pass(&spec, &before, &world.ledger("final")).await.unwrap();
    world.assert_exact(&pass).await;
    assert_eq!((pass.report.deleted, pass.report.extra, pass.report.copied), (200, 200, 0));
}

/// A listing that leaves out what is there would make the clone lose it.
#[tokio::test]
async fn what_a_listing_dropped_is_not_deleted() {
    let world = World::server_side();
    fill(&world.source, 30, same).await;
    let first =
        pre_copy(&world.spec(), PreCopyScope::Everything, &Before::Unknown, &world.ledger("first")).await.unwrap();
    let drops = |_: &MemoryBucket, request: &ListRequest, mut page: Page| {
        if request.prefix == "pach/object/" {
            page.objects.retain(|object| object.key.as_str() != "pach/object/000003");
        }
        page
    };
    let source = Relisted::new(world.source.clone(), drops);
    let spec = world.spec_between(Arc::new(source), Arc::new(world.clone.clone()));
    let failed = final_pass(&spec, &recorded(&first.inventory), &world.ledger("final")).await.unwrap_err();
    assert!(matches!(&failed, CloneError::ListingIncomplete { key, .. } if key == "pach/object/000003"), "{failed:?}");
    assert!(world.clone.snapshot().unwrap() == world.source.snapshot().unwrap());
}
