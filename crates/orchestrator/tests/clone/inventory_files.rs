//! The inventory's files by themselves.

use std::path::Path;

use orchestrator::clone::{Before, CloneError, Inventory, final_pass};
use sha2::{Digest, Sha256};

use crate::world::{World, all, fill, same};

#[tokio::test]
async fn parts_are_sorted_digested_private_and_speak_for_a_range() {
    let world = World::server_side();
    fill(&world.source, 3000, same).await;
    let pass = final_pass(&world.spec(), &Before::Unknown, &world.ledger("final")).await.unwrap();
    for part in pass.inventory.parts() {
        let bytes = std::fs::read(&part.path).unwrap();
        assert_eq!((part.size, part.sha256), (bytes.len() as u64, Sha256::digest(&bytes).into()));
        #[cfg(unix)]
        assert_eq!(mode(&part.path), 0o600);
        let alone = Inventory::open(std::slice::from_ref(&part.path)).await.unwrap();
        assert_eq!(alone.parts(), std::slice::from_ref(part));
        let keys: Vec<_> = all(&alone).await.into_iter().map(|entry| entry.source_key.into_string()).collect();
        assert_eq!(keys.len() as u64, part.objects);
        assert!(keys.is_sorted() && keys.iter().all(|key| part.facts.range.contains(key)));
        assert_eq!(part.facts.ends, keys.first().cloned().zip(keys.last().cloned()));
    }
    let merged: Vec<_> = all(&pass.inventory).await.into_iter().map(|entry| entry.into_destination().0).collect();
    let wanted: Vec<_> = world.source.snapshot().unwrap().into_iter().map(|(key, _)| key).collect();
    assert_eq!(merged, wanted);
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(path).unwrap().permissions()) & 0o777
}

#[tokio::test]
async fn damage_is_an_error_and_never_a_shorter_inventory() {
    let world = World::server_side();
    fill(&world.source, 50, same).await;
    let pass = final_pass(&world.spec(), &Before::Unknown, &world.ledger("final")).await.unwrap();
    let path = &pass.inventory.parts()[0].path;
    let whole = std::fs::read(path).unwrap();
    for kept in [0, 3, whole.len() / 2, whole.len() - 1] {
        let cut = world.folder(&format!("cut-{kept}"));
        std::fs::write(&cut, &whole[..kept]).unwrap();
        let opened = Inventory::open(&[cut]).await;
        assert!(matches!(opened, Err(CloneError::InventoryFormat { .. })), "{kept} bytes: {opened:?}");
    }
    let missing = Inventory::open(&[world.folder("missing")]).await;
    assert!(matches!(missing, Err(CloneError::InventoryFile { .. })), "{missing:?}");
    // A part that vanishes or is cut after it was opened.
    std::fs::write(path, &whole[..whole.len() / 2]).unwrap();
    let mut entries = pass.inventory.entries();
    let mut read = 0;
    let failed = loop {
        match entries.next().await {
            Ok(Some(_)) => read += 1,
            Ok(None) => panic!("a part that was cut was taken for a whole one"),
            Err(error) => break error,
        }
    };
    assert!(matches!(failed, CloneError::InventoryFormat { .. }), "{failed:?}");
    assert!(read < pass.inventory.objects());
}

#[tokio::test]
async fn parts_in_the_wrong_order_are_noticed() {
    let world = World::server_side();
    fill(&world.source, 5, same).await;
    let pass = final_pass(&world.spec(), &Before::Unknown, &world.ledger("final")).await.unwrap();
    let path = pass.inventory.parts()[0].path.clone();
    let twice = Inventory::open(&[path.clone(), path]).await.unwrap();
    let mut entries = twice.entries();
    let failed = loop {
        match entries.next().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("one part twice was taken for an inventory"),
            Err(error) => break error,
        }
    };
    assert!(matches!(failed, CloneError::InventoryFormat { .. }), "{failed:?}");
}
