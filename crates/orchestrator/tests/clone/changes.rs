//! A source that changes between listing and copy, in the final pass.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use orchestrator::clone::{
    Before, CloneError, ClonePass, CloneSpec, CopyPath, PreCopyScope, Result, final_pass, pre_copy,
};
use provider::testkit::memory::{MemoryBucket, MemoryStore};
use provider::{BucketCapabilities, BucketFacts, Key, Retry};

use crate::hooked::{Call, Hooked, delete_now, write_now};
use crate::world::{World, fill, same, small};

/// A spec whose source does something at the first calls for a key: just before it is read or copied, or, for a large
/// server-side copy, between its parts.
fn meddling(
    world: &World,
    at: &'static str,
    times: u32,
    meddle: impl Fn(&MemoryBucket, u32) + Send + Sync + Clone + 'static,
) -> CloneSpec {
    let done = Arc::new(AtomicU32::new(0));
    let hook = |watched: MemoryBucket, path: CopyPath| {
        let (source, done, meddle) = (world.source.clone(), Arc::clone(&done), meddle.clone());
        Hooked::new(watched, move |call| {
            let now = match call {
                Call::Copy { key, .. } => path == CopyPath::ServerSide && key == at,
                Call::Get { key } => path == CopyPath::Streamed && key == at,
                _ => false,
            };
            if now && done.load(Ordering::SeqCst) < times {
                meddle(&source, done.fetch_add(1, Ordering::SeqCst));
            }
            Ok(())
        })
    };
    let source = hook(world.source.clone(), world.path);
    let destination = hook(world.clone.clone(), world.path);
    world.spec_between(Arc::new(source), Arc::new(destination))
}

async fn finish(world: &World, spec: &CloneSpec) -> Result<ClonePass> {
    final_pass(spec, &Before::Unknown, &world.ledger("final")).await
}

#[tokio::test]
async fn the_clone_gets_the_newer_object_whole() {
    for world in World::both() {
        fill(&world.source, 20, same).await;
        let spec = meddling(&world, "pach/object/000003", 1, |source, _| {
            write_now(source, "pach/object/000003", "newer, and of another size");
        });
        let pass = finish(&world, &spec).await.unwrap();
        world.assert_exact(&pass).await;
        assert_eq!((pass.report.changed, pass.report.changed_keys), (1, vec!["pach/object/000003".to_owned()]));
    }
}

#[tokio::test]
async fn an_object_that_is_gone_is_gone_from_the_clone_too() {
    for world in World::both() {
        fill(&world.source, 20, same).await;
        pre_copy(&world.spec(), PreCopyScope::Everything, &Before::Unknown, &world.ledger("pre")).await.unwrap();
        let spec = meddling(&world, "pach/tag/000003", 1, |source, _| delete_now(source, "pach/tag/000003"));
        let pass = finish(&world, &spec).await.unwrap();
        world.assert_exact(&pass).await;
        assert_eq!((pass.report.changed, pass.report.deleted), (1, 1));
    }
}

#[tokio::test]
async fn a_large_copy_is_never_a_mixture() {
    let world = World::server_side();
    fill(&world.source, 20, same).await;
    let newer = "n".repeat(1000);
    let calls = Arc::new(AtomicU32::new(0));
    let (source, content) = (world.source.clone(), newer.clone());
    let between_parts = Hooked::new(world.clone.clone(), move |call| {
        if matches!(call, Call::Copy { key, resumed: true } if key == "pach/block/000009")
            && calls.fetch_add(1, Ordering::SeqCst) == 3
        {
            write_now(&source, "pach/block/000009", &content);
        }
        Ok(())
    });
    let spec = world.spec_between(Arc::new(world.source.clone()), Arc::new(between_parts));
    let pass = finish(&world, &spec).await.unwrap();
    world.assert_exact(&pass).await;
    let copied = world.clone.snapshot().unwrap();
    let copied = copied.iter().find(|(key, _)| *key == Key::from("pach/block/000009")).unwrap();
    assert_eq!(copied.1, newer.as_bytes());
    assert_eq!(world.clone.unfinished_uploads().await.unwrap(), [], "an abandoned copy costs money");
}

#[tokio::test]
async fn a_store_without_conditional_copy_finds_the_change_afterwards() {
    let poor = BucketCapabilities { conditional_copy: false, ..small() };
    let world = World::in_store(&MemoryStore::new(poor));
    fill(&world.source, 20, same).await;
    let spec = meddling(&world, "pach/tag/000003", 1, |source, _| write_now(source, "pach/tag/000003", "newer"));
    let pass = finish(&world, &spec).await.unwrap();
    world.assert_exact(&pass).await;
}

#[tokio::test]
async fn a_copy_whose_source_is_gone_by_then_is_deleted_again() {
    let poor = BucketCapabilities { conditional_copy: false, ..small() };
    let world = World::in_store(&MemoryStore::new(poor));
    fill(&world.source, 20, same).await;
    let writer = world.source.clone();
    let source = Hooked::new(world.source.clone(), move |call| {
        if matches!(call, Call::Head { key } if key == "pach/tag/000003") {
            delete_now(&writer, "pach/tag/000003");
        }
        Ok(())
    });
    let spec = world.spec_between(Arc::new(source), Arc::new(world.clone.clone()));
    let pass = finish(&world, &spec).await.unwrap();
    world.assert_exact(&pass).await;
    assert_eq!(pass.report.changed_keys, ["pach/tag/000003"]);
}

#[tokio::test]
async fn a_source_that_is_written_to_without_end_is_named() {
    for world in World::both() {
        fill(&world.source, 5, same).await;
        let spec = meddling(&world, "pach/tag/000003", u32::MAX, |source, time| {
            write_now(source, "pach/tag/000003", &format!("change {time}"));
        });
        let failed = finish(&world, &spec).await.unwrap_err();
        assert!(
            matches!(&failed, CloneError::SourceKeepsChanging { key, .. } if key == "pach/tag/000003"),
            "{failed:?}"
        );
        assert_eq!(failed.retry(), Retry::Again);
    }
}
