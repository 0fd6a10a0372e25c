//! A clone made in one pass.

use std::sync::Arc;

use orchestrator::clone::{Before, CloneReport, CopyPath, final_pass};
use provider::testkit::memory::{MemoryBucket, MemoryStore};
use provider::{Bucket, BucketCapabilities, Checksum, ListingStart};

use crate::hooked::Hooked;
use crate::world::{World, all, by_reversed_key, fill, recorded, reversed, same, small};

#[tokio::test]
async fn every_key_and_byte_arrives_with_headers_and_metadata() {
    for world in World::both() {
        fill(&world.source, 40, same).await;
        let pass = final_pass(&world.spec(), &Before::Unknown, &world.ledger("final")).await.unwrap();
        world.assert_exact(&pass).await;
        assert_eq!(pass.report.copied, pass.report.objects);
        assert_eq!(pass.report.copied_bytes, pass.report.bytes);
        for entry in all(&pass.inventory).await {
            let (there, here) = (world.clone.head(entry.destination_key()), world.source.head(&entry.source_key));
            let (there, here) = (there.await.unwrap().unwrap(), here.await.unwrap().unwrap());
            assert_eq!(there.details(), here.details());
            assert_eq!(*entry.destination_version(), there.version);
            assert!(matches!(entry.checksum, Some(Checksum::Sha256(_))));
            assert_eq!(entry.checksum, there.checksum);
        }
    }
}

#[tokio::test]
async fn an_empty_source_makes_an_empty_clone() {
    for world in World::both() {
        let pass = final_pass(&world.spec(), &Before::Unknown, &world.ledger("final")).await.unwrap();
        world.assert_exact(&pass).await;
        let requests = pass.report.requests;
        assert_eq!(pass.report, CloneReport { requests, ..CloneReport::default() });
        assert!(pass.inventory.parts().is_empty());
    }
}

#[tokio::test]
async fn reversed_keys_are_told_apart_one_by_one() {
    let world = World::server_side();
    fill(&world.source, 30, reversed).await;
    let mut spec = world.spec();
    spec.order = by_reversed_key();
    let pass = final_pass(&spec, &Before::Unknown, &world.ledger("final")).await.unwrap();
    world.assert_exact(&pass).await;
    let lists = pass.report.requests.lists;
    spec.in_turn = false;
    let at_once = final_pass(&spec, &recorded(&pass.inventory), &world.ledger("at-once")).await.unwrap();
    world.assert_exact(&at_once).await;
    assert_eq!(at_once.report.copied, 0);
    assert!(at_once.report.requests.lists * 3 < lists, "one listing is enough for a source that nobody writes to");
}

#[tokio::test]
async fn stores_without_start_after_and_without_conditional_copy_serve_too() {
    let poor = BucketCapabilities { listing_start: ListingStart::AtPrefix, conditional_copy: false, ..small() };
    let world = World::in_store(&MemoryStore::new(poor));
    fill(&world.source, 30, same).await;
    let pass = final_pass(&world.spec(), &Before::Unknown, &world.ledger("final")).await.unwrap();
    world.assert_exact(&pass).await;
}

#[tokio::test]
async fn the_listing_of_other_keys_steps_over_the_rest() {
    let world = World::in_store(&MemoryStore::new(BucketCapabilities { page_keys: 100, ..MemoryStore::CAPABLE }));
    fill(&world.source, 3000, same).await;
    let pass = final_pass(&world.spec(), &Before::Unknown, &world.ledger("final")).await.unwrap();
    world.assert_exact(&pass).await;
    let copies = pass.report.copied;
    let pages = copies.div_ceil(100);
    assert!(pass.report.requests.all() < copies + pages + 400, "{:?}", pass.report.requests);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_keys_with_bounded_concurrency() {
    for mut world in [World::in_store(&MemoryStore::default()), World::streamed()] {
        if world.path == CopyPath::Streamed {
            world.clone = MemoryBucket::new("clone");
        }
        fill(&world.source, 3200, same).await;
        let destination = Arc::new(Hooked::new(world.clone.clone(), |_| Ok(())));
        let mut spec = world.spec_between(Arc::new(world.source.clone()), destination.clone());
        spec.concurrency = 16;
        let pass = final_pass(&spec, &Before::Unknown, &world.ledger("final")).await.unwrap();
        assert!(pass.report.objects > 10_000);
        world.assert_exact(&pass).await;
        let most = destination.most_in_flight();
        assert!((2..=16).contains(&most), "{most} in flight");
    }
}
