//! Disks made of snapshots.

use provider::{ErrorKind, RestoredVolume, VolumeSnapshots};
use provider_gcp::{PdOptions, PdSnapshots};
use sandbox::compute::{ComputeOptions, NewDisk};

use crate::place::{connect, count, cut, options, ready, restore, sandbox, sent, words};

#[tokio::test]
async fn a_disk_is_as_its_snapshot_remembers() {
    let (server, _) = sandbox(ComputeOptions::default()).await;
    let key = "projects/keys/locations/us/keyRings/r/cryptoKeys/k";
    let disk = server.add_disk(NewDisk {
        zone: "us-central1-c".to_owned(),
        kind: "hyperdisk-balanced".to_owned(),
        iops: Some(5000),
        throughput: Some(200),
        kms_key: Some(format!("{key}/cryptoKeyVersions/1")),
        ..NewDisk::default()
    });
    let snapshot = ready(&connect(&server).await, &disk).await;
    // Another process, which never saw the disk.
    let restored = connect(&server).await.create_volume(&restore(&snapshot)).await.unwrap();
    let RestoredVolume::Volume { driver, handle, size, zone } = restored else { panic!("{restored:?}") };
    assert_eq!((driver.as_str(), size, zone.as_deref()), ("pd.csi.storage.gke.io", 10 << 30, Some("us-central1-c")));
    assert_eq!(handle, "projects/sandbox/zones/us-central1-c/disks/pachsnap-restore-1-etcd");
    let body = sent(&server, "disks.insert");
    assert_eq!(body["type"], "projects/sandbox/zones/us-central1-c/diskTypes/hyperdisk-balanced");
    assert_eq!((&body["provisionedIops"], &body["provisionedThroughput"]), (&"5000".into(), &"200".into()));
    assert_eq!((&body["sizeGb"], &body["diskEncryptionKey"]["kmsKeyName"]), (&"10".into(), &key.into()));
    assert_eq!(body["sourceSnapshot"], snapshot.id.0);
    assert_eq!(server.disks()[&handle]["pachsnap-cluster"], "prod");
}

#[tokio::test]
async fn options_and_request_choose_zone_type_and_key() {
    let (server, disk) = sandbox(ComputeOptions::default()).await;
    let snapshot = ready(&connect(&server).await, &disk).await;
    let key = "projects/keys/locations/us/keyRings/r/cryptoKeys/mine";
    let chosen = PdOptions {
        disk_type: Some("pd-extreme".to_owned()),
        iops: Some(20_000),
        kms_key: Some(key.to_owned()),
        ..options(&server.endpoint())
    };
    let pd = PdSnapshots::connect(chosen).await.unwrap();
    let mut request = restore(&snapshot);
    request.zone = Some("us-central1-b".to_owned());
    request.size = Some((20 << 30) + 1);
    request.class = Some("standard".to_owned());
    let restored = pd.create_volume(&request).await.unwrap();
    assert!(
        matches!(&restored, RestoredVolume::Volume { size, handle, .. }
        if *size == 21 << 30 && handle.contains("/zones/us-central1-b/")),
        "{restored:?}"
    );
    let body = sent(&server, "disks.insert");
    assert!(body["type"].as_str().unwrap().ends_with("zones/us-central1-b/diskTypes/pd-extreme"), "{body}");
    assert_eq!(body["diskEncryptionKey"]["kmsKeyName"], key);
    let mut request = restore(&snapshot);
    (request.class, request.identity) = (Some("pd-balanced".to_owned()), "another".to_owned());
    connect(&server).await.create_volume(&request).await.unwrap();
    assert!(sent(&server, "disks.insert")["type"].as_str().unwrap().ends_with("diskTypes/pd-balanced"));
}

#[tokio::test]
async fn a_regional_disk_is_restored_to_its_zones_or_to_one() {
    let (server, _) = sandbox(ComputeOptions::default()).await;
    let disk = server.add_disk(NewDisk { region: Some("us-central1".to_owned()), ..NewDisk::default() });
    let pd = connect(&server).await;
    let snapshot = ready(&pd, &disk).await;
    let restored = pd.create_volume(&restore(&snapshot)).await.unwrap();
    let RestoredVolume::Volume { handle, zone, .. } = restored else { panic!("{restored:?}") };
    assert_eq!(handle, "projects/sandbox/regions/us-central1/disks/pachsnap-restore-1-etcd");
    assert_eq!(zone.as_deref(), Some("us-central1-a__us-central1-b"));
    let mut request = restore(&snapshot);
    (request.zone, request.identity) = (Some("us-central1-f".to_owned()), "zonal".to_owned());
    let restored = pd.create_volume(&request).await.unwrap();
    let RestoredVolume::Volume { handle, zone, .. } = restored else { panic!("{restored:?}") };
    assert_eq!(
        (handle.as_str(), zone.as_deref()),
        ("projects/sandbox/zones/us-central1-f/disks/zonal", Some("us-central1-f"))
    );
    let mut request = restore(&snapshot);
    request.zone = Some("us-central1-a__europe-west1-b".to_owned());
    assert_eq!(pd.create_volume(&request).await.unwrap_err().kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn a_snapshot_of_another_project_makes_a_disk_in_this_one() {
    let (server, _) = sandbox(ComputeOptions::default()).await;
    let disk = server.add_disk(NewDisk { project: Some("old".to_owned()), ..NewDisk::default() });
    let old = PdOptions { project: Some("old".to_owned()), ..options(&server.endpoint()) };
    let snapshot = ready(&PdSnapshots::connect(old).await.unwrap(), &disk).await;
    assert!(snapshot.id.0.starts_with("projects/old/"));
    let restored = connect(&server).await.create_volume(&restore(&snapshot)).await.unwrap();
    let RestoredVolume::Volume { handle, .. } = restored else { panic!("{restored:?}") };
    assert!(handle.starts_with("projects/sandbox/zones/us-central1-a/"), "{handle}");
}

#[tokio::test]
async fn the_name_of_somebody_elses_disk_is_not_taken() {
    let (server, disk) = sandbox(ComputeOptions::default()).await;
    let theirs = server.add_disk(NewDisk { name: Some("pachsnap-restore-1-etcd".to_owned()), ..NewDisk::default() });
    let pd = connect(&server).await;
    let snapshot = ready(&pd, &disk).await;
    let error = pd.create_volume(&restore(&snapshot)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert!(words(&error).contains(&theirs), "{}", words(&error));
    // Neither is that of a disk that is ours and was made of another snapshot.
    let mut request = restore(&snapshot);
    request.identity = "mine".to_owned();
    pd.create_volume(&request).await.unwrap();
    let (mut second, _) = cut(&disk);
    second.identity = "another".to_owned();
    let second = pd.cut(&second).await.unwrap();
    assert!(server.complete(&second.id.0));
    request.snapshot = second.id;
    assert_eq!(pd.create_volume(&request).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(count(&server, "disks.insert"), 1);
}

#[tokio::test]
async fn a_disk_that_was_deleted_is_made_again() {
    let (server, disk) = sandbox(ComputeOptions::default()).await;
    let pd = connect(&server).await;
    let snapshot = ready(&pd, &disk).await;
    let first = pd.create_volume(&restore(&snapshot)).await.unwrap();
    let RestoredVolume::Volume { handle, .. } = &first else { panic!("{first:?}") };
    assert!(server.remove_disk(handle));
    // The request id of the first call is still known, and its operation is done.
    assert_eq!(pd.create_volume(&restore(&snapshot)).await.unwrap(), first);
    assert!(server.disks().contains_key(handle));
}
