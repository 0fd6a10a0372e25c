//! The inventory's files by themselves.

use std::path::Path;

use orchestrator::clone::{CloneError, Inventory, Kind, final_pass};
use sha2::{Digest, Sha256};

use crate::world::{World, all, fill, of_kind, same};

#[tokio::test]
async fn parts_are_sorted_digested_private_and_of_one_kind() {
    let world = World::server_side();
    fill(&world.source, 3000, same).await;
    let pass = final_pass(&world.spec(), None, &world.folder("final")).await.unwrap();
    let parts = pass.inventory.parts();
    assert_eq!(parts.iter().map(|part| part.kind).collect::<Vec<_>>(), Kind::ALL);
    for (number, part) in parts.iter().enumerate() {
        assert_eq!(part.path, world.folder("final").join(format!("part-{number:05}.parquet")));
        let bytes = std::fs::read(&part.path).unwrap();
        assert_eq!((part.size, part.sha256), (bytes.len() as u64, Sha256::digest(&bytes).into()));
        #[cfg(unix)]
        assert_eq!(mode(&part.path), 0o600);
        let keys = of_kind(&pass.inventory, part.kind).await;
        assert_eq!(keys.len() as u64, part.objects);
        assert!(keys.is_sorted());
    }
    let merged: Vec<_> = all(&pass.inventory).await.into_iter().map(|entry| entry.destination_key).collect();
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
    let pass = final_pass(&world.spec(), None, &world.folder("final")).await.unwrap();
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
    let mut entries = pass.inventory.entries(Kind::Tag);
    assert!(entries.next().await.is_err());
}

#[tokio::test]
async fn parts_in_the_wrong_order_are_noticed() {
    let world = World::server_side();
    fill(&world.source, 5, same).await;
    let pass = final_pass(&world.spec(), None, &world.folder("final")).await.unwrap();
    let path = pass.inventory.parts()[0].path.clone();
    let twice = Inventory::open(&[path.clone(), path]).await.unwrap();
    let mut entries = twice.entries(Kind::Tag);
    let failed = loop {
        match entries.next().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("one part twice was taken for an inventory"),
            Err(error) => break error,
        }
    };
    assert!(matches!(failed, CloneError::InventoryFormat { .. }), "{failed:?}");
}
