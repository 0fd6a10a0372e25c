//! Passes that are killed and gone on with, by another process that has only the vault.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use orchestrator::clone::{Before, ClonePass, CloneSpec, Ledger, PreCopyScope, final_pass, pre_copy};
use provider::testkit::memory::{MemoryBucket, MemoryStore};
use tokio::sync::Notify;

use crate::hooked::{Call, Hooked, delete_now};
use crate::world::{World, fill, recorded, same, write};

async fn open(world: &World, vault: &MemoryBucket, pass: &str, attempt: usize) -> Arc<Ledger> {
    let folder = world.folder(&format!("{pass}-{attempt}"));
    Arc::new(Ledger::open(folder, Arc::new(vault.clone()), format!("{pass}/")).await.unwrap())
}

/// Parts are ended all the time, so that there is something to go on from.
fn spec(world: &World, destination: Hooked) -> CloneSpec {
    let spec = world.spec_between(Arc::new(world.source.clone()), Arc::new(destination));
    CloneSpec { checkpoint: Duration::ZERO, ..spec }
}

/// Makes a pass again and again, each time killed after `step` more writes, until it ends; something changes in between.
async fn until_it_ends(world: &World, vault: &MemoryBucket, before: &Before, step: usize) -> (ClonePass, usize) {
    for attempt in 0.. {
        let ledger = open(world, vault, "pass", attempt).await;
        assert_eq!(ledger.is_resumed(), attempt > 0);
        let (enough, writes) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
        let (reached, counted) = (Arc::clone(&enough), Arc::clone(&writes));
        let destination = Hooked::new(world.clone.clone(), move |call| {
            if matches!(call, Call::Copy { resumed: false, .. } | Call::Put { .. } | Call::Delete { .. })
                && counted.fetch_add(1, Ordering::SeqCst) + 1 == step
            {
                reached.notify_one();
            }
            Ok(())
        });
        let spec = spec(world, destination);
        tokio::select! {
            biased;
            () = enough.notified() => {}
            pass = final_pass(&spec, before, &ledger) => return (pass.unwrap(), attempt),
        }
        if attempt >= 5 {
            continue;
        }
        write(&world.source, &format!("pach/tag/{attempt:06x}"), format!("changed {attempt}").as_bytes()).await;
        write(&world.source, &format!("pach/object/new-{attempt}"), b"new").await;
        delete_now(&world.source, &format!("pach/object/{:06x}", 2 * attempt + 1));
    }
    unreachable!()
}

#[tokio::test]
async fn a_first_pass_goes_on_where_it_was_killed() {
    for step in [25, 60] {
        for world in World::both() {
            fill(&world.source, 40, same).await;
            let vault = MemoryStore::default().bucket("vault");
            let (_, kills) = until_it_ends(&world, &vault, &Before::Unknown, step).await;
            assert!(kills > 1, "{kills} kills");
            // What changed in stretches that were finished by then is found by the next pass.
            let first = open(&world, &vault, "pass", 1000).await.finished();
            let ledger = open(&world, &vault, "next", 0).await;
            let last = final_pass(&world.spec(), &recorded(&first), &ledger).await.unwrap();
            world.assert_exact(&last).await;
            assert_eq!(last.report.copied + last.report.skipped, last.report.objects);
        }
    }
}

#[tokio::test]
async fn what_is_finished_is_neither_copied_nor_counted_again() {
    let world = World::server_side();
    fill(&world.source, 100, same).await;
    let vault = MemoryStore::default().bucket("vault");
    let objects = world.source.snapshot().unwrap().len();
    let mut copies = 0;
    let mut pass = None;
    for attempt in 0..100 {
        let ledger = open(&world, &vault, "pass", attempt).await;
        let (enough, writes) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
        let (reached, counted) = (Arc::clone(&enough), Arc::clone(&writes));
        let destination = Hooked::new(world.clone.clone(), move |call| {
            if matches!(call, Call::Copy { resumed: false, .. }) && counted.fetch_add(1, Ordering::SeqCst) == 60 {
                reached.notify_one();
            }
            Ok(())
        });
        let spec = spec(&world, destination);
        tokio::select! {
            biased;
            () = enough.notified() => {}
            ended = final_pass(&spec, &Before::Unknown, &ledger) => pass = Some(ended.unwrap()),
        }
        copies += writes.load(Ordering::SeqCst);
        if pass.is_some() {
            break;
        }
    }
    let pass = pass.unwrap();
    world.assert_exact(&pass).await;
    assert_eq!(pass.report.copied + pass.report.skipped, objects as u64);
    // Each kill loses what was in flight, and no block.
    assert!(copies < objects + 10 * 20, "{copies} copies of {objects} objects");
}

#[tokio::test]
async fn an_update_of_a_clone_goes_on_and_leaves_it_exact() {
    for step in [20, 30] {
        for world in World::both() {
            fill(&world.source, 60, same).await;
            let first = world.ledger("first");
            let first = pre_copy(&world.spec(), PreCopyScope::Everything, &Before::Unknown, &first).await.unwrap();
            for number in 0..60 {
                write(&world.source, &format!("pach/tag/{number:06x}"), &[0xee; 20]).await;
                if number % 3 == 0 {
                    delete_now(&world.source, &format!("pach/object/{number:06x}"));
                }
            }
            let vault = MemoryStore::default().bucket("vault");
            let (_, kills) = until_it_ends(&world, &vault, &recorded(&first.inventory), step).await;
            assert!(kills > 1, "{kills} kills");
            let updated = open(&world, &vault, "pass", 1000).await.finished();
            let last = final_pass(&world.spec(), &recorded(&updated), &world.ledger("last")).await.unwrap();
            world.assert_exact(&last).await;
        }
    }
}

#[tokio::test]
async fn a_part_that_the_vault_lacks_is_not_taken_for_finished() {
    let world = World::server_side();
    fill(&world.source, 30, same).await;
    let vault = MemoryStore::default().bucket("vault");
    let ledger = open(&world, &vault, "pass", 0).await;
    final_pass(&world.spec(), &Before::Unknown, &ledger).await.unwrap();
    let (lost, _) = vault.snapshot().unwrap().into_iter().find(|(key, _)| key.as_str().contains("part-2")).unwrap();
    delete_now(&vault, lost.as_str());
    // The same folder: what it has beyond the vault's parts was never kept.
    let again = Ledger::open(world.folder("pass-0"), Arc::new(vault.clone()), "pass/").await.unwrap();
    let pass = final_pass(&world.spec(), &Before::Unknown, &Arc::new(again)).await.unwrap();
    world.assert_exact(&pass).await;
}
