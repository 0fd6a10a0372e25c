//! Clones under other names.

use orchestrator::clone::{Before, CloneError, CloneSpec, final_pass, verify_clone};
use provider::testkit::memory::MemoryStore;
use std::sync::Arc;

use crate::hooked::delete_now;
use crate::world::{QUICK, World, by_reversed_key, fill, recorded, reversed, same, touched, write};

fn with_map(world: &World, map: &str) -> CloneSpec {
    CloneSpec { key_map: map.parse().unwrap(), ..world.spec() }
}

/// The clone is the source under the map's names, the inventory says so, and is exact.
async fn assert_mapped(world: &World, spec: &CloneSpec, pass: &orchestrator::clone::ClonePass) {
    let mut wanted: Vec<_> = world
        .source
        .snapshot()
        .unwrap()
        .into_iter()
        .map(|(key, bytes)| (spec.key_map.apply(key.as_str()).unwrap(), bytes))
        .collect();
    wanted.sort();
    let found: Vec<_> =
        world.clone.snapshot().unwrap().into_iter().map(|(key, bytes)| (key.into_string(), bytes)).collect();
    assert!(found == wanted);
    let clone = Arc::new(world.clone.clone());
    let verification = verify_clone(clone, &pass.inventory, &spec.key_map, QUICK).await.unwrap();
    assert!(verification.is_exact(), "{verification:?}");
    assert_eq!(verification.objects, wanted.len() as u64);
}

#[tokio::test]
async fn every_map_makes_an_exact_clone_and_keeps_it_exact() {
    for (map, rename) in [
        ("reverse", same as fn(&str) -> String),
        ("reverse", reversed),
        ("add-slash", same),
        ("root:=a copy/of ", same),
        ("add-slash,reverse", same),
    ] {
        for world in World::both() {
            fill(&world.source, 30, rename).await;
            // A key of 1,024 bytes has no longer name.
            delete_now(&world.source, &rename(&format!("pach/tag/{}", "k".repeat(1024 - "pach/tag/".len()))));
            let mut spec = with_map(&world, map);
            if rename("ab") == "ba" {
                spec.order = by_reversed_key();
            }
            let first = final_pass(&spec, &Before::Unknown, &world.ledger("first")).await.unwrap();
            assert_mapped(&world, &spec, &first).await;
            write(&world.source, &rename("pach/tag/000003"), &[0xff; 20]).await;
            delete_now(&world.source, &rename("pach/object/000004"));
            let second = final_pass(&spec, &recorded(&first.inventory), &world.ledger("second")).await.unwrap();
            assert_mapped(&world, &spec, &second).await;
            assert_eq!((second.report.copied, second.report.deleted), (1, 1), "{map}");
            delete_now(&world.source, &rename("pach/object/000005"));
            delete_now(&world.clone, &spec.key_map.apply(&rename("pach/object/000006")).unwrap());
            let third = final_pass(&spec, &touched(&second.inventory), &world.ledger("third")).await.unwrap();
            assert_mapped(&world, &spec, &third).await;
        }
    }
}

#[tokio::test]
async fn a_key_without_a_name_is_told() {
    let world = World::server_side();
    write(&world.source, "/with", b"").await;
    write(&world.source, "without", b"").await;
    let refused = final_pass(&with_map(&world, "strip-slash"), &Before::Unknown, &world.ledger("final")).await;
    assert!(matches!(&refused, Err(CloneError::KeyNotHeld { key, .. }) if key == "without"), "{refused:?}");
}

#[tokio::test]
async fn nothing_is_renamed_into_a_place_that_is_not_empty() {
    let world = World::in_store(&MemoryStore::default());
    fill(&world.source, 3, same).await;
    write(&world.clone, "3/gat/hcap", b"somebody's").await;
    let refused = final_pass(&with_map(&world, "reverse"), &Before::Unknown, &world.ledger("final")).await;
    assert!(matches!(refused, Err(CloneError::ForeignDestination { .. })), "{refused:?}");
}
