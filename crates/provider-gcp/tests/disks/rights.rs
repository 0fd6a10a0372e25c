//! The table of permissions is held to the calls that are made: with these everything works, without any one of them something does
//! not.

use std::collections::BTreeSet;

use provider::{ErrorKind, Owner, Result, VolumeId, VolumeSnapshot, VolumeSnapshots};
use provider_gcp::{PdPurpose, PdSnapshots};
use sandbox::compute::{ComputeFault, ComputeOptions, ComputeServer, NewDisk};

use crate::place::{connect, cut, options, owner, ready, restore, sandbox};

/// What is done for a purpose, the bad days included.
async fn work(server: &ComputeServer, purpose: PdPurpose, disk: &str, snapshot: &VolumeSnapshot) -> Result<()> {
    let pd = PdSnapshots::connect(options(&server.endpoint())).await?;
    match purpose {
        PdPurpose::Snapshot => {
            pd.inspect(&VolumeId(disk.to_owned())).await?;
            let (mut request, _) = cut(disk);
            request.identity = "another".to_owned();
            let made = pd.cut(&request).await?;
            pd.status(&made.id).await?;
            request.identity = "lost".to_owned();
            let lost = ComputeFault::lose_reply().on("disks.createSnapshot").on("regionDisks.createSnapshot");
            server.add_fault(lost);
            pd.cut(&request).await?;
            for left in pd.list(&owner()).await?.iter().filter(|left| left.identity != snapshot.identity) {
                pd.delete(&left.id).await?;
            }
        }
        PdPurpose::Restore => {
            pd.create_volume(&restore(snapshot)).await?;
        }
        PdPurpose::Verify => {
            pd.status(&snapshot.id).await?;
        }
        PdPurpose::Prune => {
            for left in pd.list(&Owner { run: String::new(), ..owner() }).await? {
                pd.delete(&left.id).await?;
            }
        }
    }
    Ok(())
}

/// A sandbox, a zonal or a regional disk, and a ready snapshot of it.
async fn begun(regional: bool) -> (ComputeServer, String, VolumeSnapshot) {
    let (server, zonal) = sandbox(ComputeOptions::default()).await;
    let region = regional.then(|| "us-central1".to_owned());
    let disk = if regional { server.add_disk(NewDisk { region, ..NewDisk::default() }) } else { zonal };
    let snapshot = ready(&connect(&server).await, &disk).await;
    (server, disk, snapshot)
}

#[tokio::test]
async fn each_purpose_needs_its_permissions_and_no_others() {
    for purpose in PdPurpose::ALL {
        for missing in purpose.permissions() {
            let regional = missing.starts_with("compute.regionOperations");
            let (server, disk, snapshot) = begun(regional).await;
            server.allow_only(purpose.permissions());
            server.deny(missing);
            let refused = work(&server, purpose, &disk, &snapshot).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Denied, "{purpose:?} without {missing}: {refused}");
        }
        let mut used = BTreeSet::new();
        for regional in [false, true] {
            let (server, disk, snapshot) = begun(regional).await;
            server.allow_only(purpose.permissions());
            work(&server, purpose, &disk, &snapshot).await.unwrap();
            used.extend(server.permissions_used());
        }
        assert!(purpose.permissions().iter().all(|permission| used.contains(*permission)), "{purpose:?}: {used:?}");
    }
}

#[tokio::test]
async fn what_is_missing_on_a_disk_or_a_snapshot_is_found_out_by_asking() {
    let (server, disk, snapshot) = begun(false).await;
    let pd = connect(&server).await;
    let (volume, id) = (VolumeId(disk), snapshot.id);
    for purpose in PdPurpose::ALL {
        server.allow_only(purpose.permissions());
        assert_eq!(pd.missing_permissions(purpose, Some(&volume), Some(&id)).await.unwrap(), [""; 0], "{purpose:?}");
    }
    server.allow_only(&[]);
    let missing = pd.missing_permissions(PdPurpose::Snapshot, Some(&volume), None).await.unwrap();
    assert_eq!(missing, ["compute.disks.createSnapshot", "compute.disks.get"]);
    let missing = pd.missing_permissions(PdPurpose::Prune, None, Some(&id)).await.unwrap();
    assert_eq!(missing, ["compute.snapshots.delete", "compute.snapshots.get"]);
}
