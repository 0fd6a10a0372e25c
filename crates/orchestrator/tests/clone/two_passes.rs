//! A pre-copy while the source is written to, then the final pass.

use std::sync::Arc;

use orchestrator::clone::{Before, Inventory, PreCopyScope, final_pass, pre_copy};
use provider::{Bucket, Key};

use crate::hooked::{Call, Hooked, delete_now, write_now};
use crate::world::{World, all, fill, recorded, same, touched, write};

#[tokio::test]
async fn the_final_pass_copies_only_what_changed() {
    for world in World::both() {
        fill(&world.source, 30, same).await;
        let before = world.source.snapshot().unwrap().len() as u64;
        let first =
            pre_copy(&world.spec(), PreCopyScope::Everything, &Before::Unknown, &world.ledger("pre")).await.unwrap();
        assert_eq!((first.report.copied, first.report.skipped), (before, 0));

        // A tag with the same size, an object that is gone, a new block, a key that was never ours.
        write(&world.source, "pach/tag/000003", &[0xff; 20]).await;
        delete_now(&world.source, "pach/object/000004");
        delete_now(&world.source, "pach/block/000004");
        write(&world.source, "pach/block/new", b"new").await;

        let last = final_pass(&world.spec(), &recorded(&first.inventory), &world.ledger("final")).await.unwrap();
        world.assert_exact(&last).await;
        assert_eq!((last.report.copied, last.report.deleted), (2, 2));
        assert_eq!(last.report.skipped, before - 3);

        let again = final_pass(&world.spec(), &recorded(&last.inventory), &world.ledger("again")).await.unwrap();
        world.assert_exact(&again).await;
        assert_eq!((again.report.copied, again.report.deleted), (0, 0));
    }
}

#[tokio::test]
async fn a_pre_copy_of_blocks_copies_blocks_and_deletes_nothing() {
    let world = World::server_side();
    fill(&world.source, 20, same).await;
    let first = pre_copy(&world.spec(), PreCopyScope::Blocks, &Before::Unknown, &world.ledger("pre")).await.unwrap();
    let keys: Vec<_> = world.clone.snapshot().unwrap().into_iter().map(|(key, _)| key.into_string()).collect();
    assert!(keys.iter().all(|key| key.starts_with("pach/block/")) && keys.len() > 20);
    let recorded_keys: Vec<_> =
        all(&first.inventory).await.into_iter().map(|entry| entry.into_destination().0.into_string()).collect();
    assert_eq!(recorded_keys, keys);

    delete_now(&world.source, "pach/block/000001");
    let (spec, ledger) = (world.spec(), world.ledger("round"));
    let round = pre_copy(&spec, PreCopyScope::Blocks, &recorded(&first.inventory), &ledger).await.unwrap();
    assert_eq!((round.report.copied, round.report.deleted), (0, 0));
    assert_eq!(round.report.objects, keys.len() as u64 - 1);
    assert!(world.clone.head(&Key::from("pach/block/000001")).await.unwrap().is_some());

    let last = final_pass(&world.spec(), &recorded(&round.inventory), &world.ledger("final")).await.unwrap();
    world.assert_exact(&last).await;
    assert_eq!((last.report.skipped, last.report.deleted), (keys.len() as u64 - 1, 1));
}

#[tokio::test]
async fn a_clone_touched_by_others_is_mended() {
    let world = World::server_side();
    fill(&world.source, 10, same).await;
    let first =
        pre_copy(&world.spec(), PreCopyScope::Everything, &Before::Unknown, &world.ledger("pre")).await.unwrap();
    write(&world.clone, "pach/block/000003", &[9; 50]).await;
    delete_now(&world.clone, "pach/tag/000003");
    write(&world.clone, "pach/object/stray", b"stray").await;
    let last = final_pass(&world.spec(), &touched(&first.inventory), &world.ledger("final")).await.unwrap();
    world.assert_exact(&last).await;
    assert_eq!((last.report.copied, last.report.deleted), (2, 1));
}

#[tokio::test]
async fn without_an_inventory_only_blocks_of_equal_size_are_skipped() {
    let world = World::server_side();
    fill(&world.source, 10, same).await;
    pre_copy(&world.spec(), PreCopyScope::Everything, &Before::Unknown, &world.ledger("pre")).await.unwrap();
    let blocks = world.source.snapshot().unwrap();
    let blocks = blocks.iter().filter(|(key, _)| key.as_str().starts_with("pach/block/")).count() as u64;
    write(&world.source, "pach/tag/000003", &[0xff; 20]).await;
    write(&world.clone, "pach/block/000003", b"shorter").await;
    let last = final_pass(&world.spec(), &Before::Unknown, &world.ledger("final")).await.unwrap();
    world.assert_exact(&last).await;
    assert_eq!(last.report.skipped, blocks - 1);
}

#[tokio::test]
async fn what_changes_during_a_pre_copy_is_left_to_the_final_pass() {
    for world in World::both() {
        fill(&world.source, 10, same).await;
        let writer = world.source.clone();
        let meddle = move |call: &Call| {
            if matches!(call, Call::Copy { key, .. } | Call::Put { key, .. } if key == "pach/tag/000002") {
                write_now(&writer, "pach/tag/000002", "changed while it was copied");
            }
            Ok(())
        };
        let source = world.source.clone();
        let read = Hooked::new(world.source.clone(), {
            let writer = world.source.clone();
            move |call| {
                if matches!(call, Call::Get { key } if key == "pach/tag/000002") {
                    write_now(&writer, "pach/tag/000002", "changed while it was copied");
                }
                Ok(())
            }
        });
        let spec = world.spec_between(Arc::new(read), Arc::new(Hooked::new(world.clone.clone(), meddle)));
        let first = pre_copy(&spec, PreCopyScope::Everything, &Before::Unknown, &world.ledger("pre")).await.unwrap();
        assert_eq!(first.report.changed, 1);
        assert_eq!(first.report.changed_keys, ["pach/tag/000002"]);
        assert_eq!(world.clone.head(&Key::from("pach/tag/000002")).await.unwrap(), None);
        assert_eq!(first.report.objects, source.snapshot().unwrap().len() as u64 - 1);
        let last = final_pass(&world.spec(), &recorded(&first.inventory), &world.ledger("final")).await.unwrap();
        world.assert_exact(&last).await;
        assert_eq!(last.report.copied, 1);
    }
}

#[tokio::test]
async fn an_inventory_read_back_from_its_files_serves_as_well() {
    let world = World::server_side();
    fill(&world.source, 10, same).await;
    let first =
        pre_copy(&world.spec(), PreCopyScope::Everything, &Before::Unknown, &world.ledger("pre")).await.unwrap();
    let paths: Vec<_> = first.inventory.parts().iter().map(|part| part.path.clone()).collect();
    let read = Inventory::open(&paths).await.unwrap();
    assert_eq!(read.parts(), first.inventory.parts());
    let last = final_pass(&world.spec(), &recorded(&read), &world.ledger("final")).await.unwrap();
    assert_eq!(last.report.copied, 0);
    world.assert_exact(&last).await;
}
