//! A clone held against its inventory.

use std::sync::Arc;

use orchestrator::clone::{Before, KeyMap, final_pass, verify_clone};

use crate::hooked::{delete_now, write_now};
use crate::world::{QUICK, World, fill, same};

#[tokio::test]
async fn what_is_missing_extra_or_changed_is_named() {
    for world in World::both() {
        fill(&world.source, 40, same).await;
        let pass = final_pass(&world.spec(), &Before::Unknown, &world.ledger("final")).await.unwrap();
        delete_now(&world.clone, "~");
        for number in 0..25 {
            delete_now(&world.clone, &format!("pach/tag/{number:06x}"));
        }
        write_now(&world.clone, "pach/object/000002", &"x".repeat(30));
        write_now(&world.clone, "pach/object/000003", "shorter");
        write_now(&world.clone, "pach/extra", "");
        let found =
            verify_clone(Arc::new(world.clone.clone()), &pass.inventory, &KeyMap::default(), QUICK).await.unwrap();
        assert!(!found.is_exact());
        assert_eq!(found.objects, pass.report.objects);
        assert_eq!(found.bytes, pass.report.bytes);
        assert_eq!((found.missing.count, found.missing.first.len()), (26, 20));
        assert_eq!(found.missing.first[0], "pach/tag/000000");
        assert_eq!((found.extra.count, found.extra.first), (1, vec!["pach/extra".to_owned()]));
        let changed = vec!["pach/object/000002".to_owned(), "pach/object/000003".to_owned()];
        assert_eq!((found.changed.count, found.changed.first), (2, changed));
    }
}

#[tokio::test]
async fn an_emptied_clone_is_missing_and_an_unlisted_one_is_an_error() {
    let world = World::server_side();
    fill(&world.source, 5, same).await;
    let pass = final_pass(&world.spec(), &Before::Unknown, &world.ledger("final")).await.unwrap();
    for (key, _) in world.clone.snapshot().unwrap() {
        delete_now(&world.clone, key.as_str());
    }
    let found = verify_clone(Arc::new(world.clone.clone()), &pass.inventory, &KeyMap::default(), QUICK).await.unwrap();
    assert_eq!(found.missing.count, pass.report.objects);
    let gone = provider::testkit::memory::MemoryStore::default().open("gone");
    let failed = verify_clone(Arc::new(gone), &pass.inventory, &KeyMap::default(), QUICK).await.unwrap_err();
    assert_eq!(failed.kind(), Some(provider::ErrorKind::NotFound));
}
