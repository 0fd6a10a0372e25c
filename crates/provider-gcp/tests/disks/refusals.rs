//! What is refused, and that the refusal says what to do about it.

use google_cloud_compute_v1::model::Snapshot;
use provider::{Error, ErrorKind, SnapshotId, VolumeId, VolumeSnapshots};
use provider_gcp::{PdOptions, PdSnapshots};
use sandbox::compute::{ComputeOptions, NewDisk};

use crate::place::{PROJECT, ZONE, clients, connect, count, cut, labels, options, ready, restore, sandbox, words};

/// The error of a call from which one permission was taken.
async fn without(permission: &str) -> Error {
    let (server, disk) = sandbox(ComputeOptions::default()).await;
    let pd = connect(&server).await;
    let snapshot = ready(&pd, &disk).await;
    server.deny(permission);
    let (mut request, _) = cut(&disk);
    request.identity = "another".to_owned();
    match permission {
        "compute.disks.get" => pd.inspect(&VolumeId(disk)).await.unwrap_err(),
        "compute.snapshots.get" => pd.status(&snapshot.id).await.unwrap_err(),
        "compute.snapshots.list" => pd.list(&snapshot.owner).await.unwrap_err(),
        "compute.snapshots.delete" | "compute.globalOperations.get" => pd.delete(&snapshot.id).await.unwrap_err(),
        "compute.disks.create" | "compute.snapshots.useReadOnly" | "compute.disks.setLabels" => {
            pd.create_volume(&restore(&snapshot)).await.unwrap_err()
        }
        _ => pd.cut(&request).await.unwrap_err(),
    }
}

#[tokio::test]
async fn a_missing_permission_is_named() {
    for permission in [
        "compute.disks.get",
        "compute.disks.createSnapshot",
        "compute.snapshots.create",
        "compute.snapshots.setLabels",
        "compute.zoneOperations.get",
        "compute.snapshots.get",
        "compute.snapshots.list",
        "compute.snapshots.delete",
        "compute.globalOperations.get",
        "compute.disks.create",
        "compute.disks.setLabels",
        "compute.snapshots.useReadOnly",
    ] {
        let error = without(permission).await;
        assert_eq!(error.kind(), ErrorKind::Denied, "{permission}: {}", words(&error));
        let named = format!("lack the permission {permission}:");
        assert!(words(&error).contains(&named), "{permission}: {}", words(&error));
    }
}

#[tokio::test]
async fn a_missing_permission_to_cut_is_known_before_the_pause() {
    let (server, disk) = sandbox(ComputeOptions::default()).await;
    server.deny("compute.disks.createSnapshot");
    let error = connect(&server).await.inspect(&VolumeId(disk)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{}", words(&error));
    assert!(words(&error).contains("lack the permission compute.disks.createSnapshot:"), "{}", words(&error));
    assert!(server.snapshots().is_empty());
}

#[tokio::test]
async fn a_disk_of_another_project_is_refused_before_anything_is_asked() {
    let (server, _) = sandbox(ComputeOptions::default()).await;
    let pd = connect(&server).await;
    let elsewhere = "projects/other/zones/us-central1-a/disks/d";
    let inspected = pd.inspect(&VolumeId(elsewhere.to_owned())).await.unwrap_err();
    let cut_there = pd.cut(&cut(elsewhere).0).await.unwrap_err();
    for error in [inspected, cut_there] {
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(words(&error).contains("in project other, and the configured project is sandbox"), "{}", words(&error));
    }
    assert!(server.calls().is_empty(), "{:?}", server.calls());
}

#[tokio::test]
async fn a_project_must_be_named() {
    let nameless = PdOptions { project: None, ..options("http://127.0.0.1:1") };
    let error = PdSnapshots::connect(nameless).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Invalid && words(&error).contains("project"), "{}", words(&error));
}

#[tokio::test]
async fn a_customer_supplied_key_is_known_before_the_pause() {
    let (server, _) = sandbox(ComputeOptions::default()).await;
    let disk = server.add_disk(NewDisk { customer_key: true, ..NewDisk::default() });
    let pd = connect(&server).await;
    let error = pd.inspect(&VolumeId(disk.clone())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(words(&error).contains("customer-supplied key"), "{}", words(&error));
    // Whoever cuts without a look hears of it too.
    assert_eq!(pd.cut(&cut(&disk).0).await.unwrap_err().kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn a_name_that_somebody_else_has_is_refused_and_what_is_not_ours_is_not_deleted() {
    let (server, disk) = sandbox(ComputeOptions::default()).await;
    let (disks, _) = clients(&server).await;
    let theirs = Snapshot::new()
        .set_name("pachsnap-run-1-etcd")
        .set_labels(labels(&[("pachsnap-identity", "pachsnap-run-1-etcd")]));
    let name = disk.rsplit('/').next().unwrap();
    let call = disks.create_snapshot().set_project(PROJECT).set_zone(ZONE).set_disk(name);
    call.set_body(theirs).send().await.unwrap();
    let pd = connect(&server).await;
    let error = pd.cut(&cut(&disk).0).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert!(words(&error).contains("snapshots/pachsnap-run-1-etcd was made by somebody else"), "{}", words(&error));
    assert_eq!(count(&server, "disks.createSnapshot"), 1);
    let path = server.snapshots()[0].path.clone();
    let error = pd.delete(&SnapshotId(path)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert_eq!((server.snapshots().len(), count(&server, "snapshots.delete")), (1, 0));
}

#[tokio::test]
async fn the_identity_of_another_disk_is_taken_even_if_it_has_the_same_name() {
    let (server, _) = sandbox(ComputeOptions::default()).await;
    let named = || NewDisk { name: Some("etcd".to_owned()), ..NewDisk::default() };
    let (disk, other) = (server.add_disk(named()), server.add_disk(NewDisk::default()));
    let pd = connect(&server).await;
    let first = pd.cut(&cut(&disk).0).await.unwrap();
    assert_eq!(pd.cut(&cut(&other).0).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    // The disk is gone: what was cut of it is still the answer.
    assert!(server.remove_disk(&disk));
    assert_eq!(connect(&server).await.cut(&cut(&disk).0).await.unwrap(), first);
    // Another disk of its name is another disk.
    assert_eq!(server.add_disk(named()), disk);
    assert_eq!(connect(&server).await.cut(&cut(&disk).0).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(count(&server, "disks.createSnapshot"), 1);
}
