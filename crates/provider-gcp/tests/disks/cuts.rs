//! What a cut asks for, when it is answered, and what it tells.

use std::time::Duration;

use provider::{Owner, SnapshotState, VolumeId, VolumeSnapshots};
use provider_gcp::{PdOptions, PdSnapshots};
use sandbox::compute::{ComputeOptions, NewDisk, Phase};

use crate::place::{connect, count, cut, options, outcome, owner, ready, sandbox, sent};

#[tokio::test]
async fn the_point_in_time_is_waited_for_and_the_upload_is_not() {
    let slow = ComputeOptions {
        creating: Phase::looks(4),
        uploading: Phase::lasting(Duration::from_secs(600)),
        ..ComputeOptions::default()
    };
    let (server, disk) = sandbox(slow).await;
    assert!(server.write(&disk, "before"));
    let pd = connect(&server).await;
    let snapshot = pd.cut(&cut(&disk).0).await.unwrap();
    assert_eq!(server.snapshots()[0].status, "UPLOADING");
    assert_eq!(pd.status(&snapshot.id).await.unwrap().state, SnapshotState::Pending { percent: None });
    assert!(server.write(&disk, "after"));
    assert!(server.complete(&snapshot.id.0));
    let status = pd.status(&snapshot.id).await.unwrap();
    assert_eq!(status.state, SnapshotState::Ready);
    assert_eq!(status.stored_bytes, Some(6));
    let restored = pd.create_volume(&crate::place::restore(&snapshot)).await.unwrap();
    let provider::RestoredVolume::Volume { handle, .. } = restored else { panic!("{restored:?}") };
    assert_eq!(server.read(&handle).unwrap(), "before");
}

#[tokio::test]
async fn a_snapshot_that_is_not_found_at_once_is_waited_for() {
    let hidden = ComputeOptions { hidden: Phase::looks(3), ..ComputeOptions::default() };
    let (server, disk) = sandbox(hidden).await;
    connect(&server).await.cut(&cut(&disk).0).await.unwrap();
    assert_eq!((count(&server, "disks.createSnapshot"), server.snapshots().len()), (1, 1));
}

#[tokio::test]
async fn a_cut_says_what_a_restore_elsewhere_needs() {
    let (server, _) = sandbox(ComputeOptions::default()).await;
    let key = "projects/keys/locations/us/keyRings/r/cryptoKeys/k";
    let disk = server.add_disk(NewDisk {
        zone: "us-central1-f".to_owned(),
        kind: "hyperdisk-balanced".to_owned(),
        iops: Some(5000),
        throughput: Some(200),
        kms_key: Some(format!("{key}/cryptoKeyVersions/1")),
        ..NewDisk::default()
    });
    let chosen = PdOptions { storage_location: Some("us-central1".to_owned()), ..options(&server.endpoint()) };
    let pd = PdSnapshots::connect(chosen).await.unwrap();
    let facts = pd.inspect(&VolumeId(disk.clone())).await.unwrap();
    assert_eq!(facts.size, 10 << 30);
    let cautions = facts.cautions.join("\n");
    assert!(cautions.contains(key) && cautions.contains("stored in us-central1"), "{cautions}");
    let snapshot = ready(&pd, &disk).await;
    assert_eq!(snapshot.id.0, "projects/sandbox/global/snapshots/pachsnap-run-1-etcd");
    for (name, value) in [
        ("project", "sandbox"),
        ("disk", disk.as_str()),
        ("zone", "us-central1-f"),
        ("type", "hyperdisk-balanced"),
        ("iops", "5000"),
        ("throughput", "200"),
        ("kms-key", key),
        ("storage-locations", "us-central1"),
    ] {
        assert_eq!(snapshot.details.get(name).map(String::as_str), Some(value), "{name}: {snapshot:?}");
    }
    assert!((jiff::Timestamp::now() - snapshot.cut_at).total(jiff::Unit::Second).unwrap().abs() < 60.0, "{snapshot:?}");
    let body = sent(&server, "disks.createSnapshot");
    assert_eq!(body["labels"]["pachsnap-cluster"], "prod");
    assert!(body["description"].as_str().unwrap().starts_with("etcd of prod\n"), "{body}");
}

#[tokio::test]
async fn every_name_of_a_disk_is_one_disk() {
    let (server, _) = sandbox(ComputeOptions::default()).await;
    let path = server.add_disk(NewDisk { name: Some("etcd-1".to_owned()), ..NewDisk::default() });
    let zone = PdOptions { zone: Some("us-central1-a".to_owned()), ..options(&server.endpoint()) };
    let pd = PdSnapshots::connect(zone).await.unwrap();
    for (number, name) in [
        path.as_str(),
        "projects/UNSPECIFIED/zones/us-central1-a/disks/etcd-1",
        "projects/UNSPECIFIED/zones/UNSPECIFIED/disks/etcd-1",
        "gce://us-central1-a/etcd-1",
        "etcd-1",
    ]
    .into_iter()
    .enumerate()
    {
        let (mut request, _) = cut(name);
        request.identity = format!("cut-{number}");
        let snapshot = pd.cut(&request).await.unwrap();
        assert_eq!((snapshot.volume.0.as_str(), snapshot.details["disk"].as_str()), (name, path.as_str()));
    }
}

#[tokio::test]
async fn regional_disks_are_cut_in_their_region() {
    let (server, _) = sandbox(ComputeOptions::default()).await;
    let region = Some("us-central1".to_owned());
    let path = server.add_disk(NewDisk { region, name: Some("etcd".to_owned()), ..NewDisk::default() });
    assert_eq!(path, "projects/sandbox/regions/us-central1/disks/etcd");
    let pd = connect(&server).await;
    let in_tree = "gce://us-central1-a__us-central1-b/etcd";
    pd.inspect(&VolumeId(in_tree.to_owned())).await.unwrap();
    let snapshot = pd.cut(&cut(in_tree).0).await.unwrap();
    assert_eq!(snapshot.details["zone"], "us-central1-a__us-central1-b");
    assert_eq!(count(&server, "regionDisks.createSnapshot"), 1);
    assert!(count(&server, "regionOperations.get") > 0 && count(&server, "disks.createSnapshot") == 0);
    assert_eq!(outcome(&pd, &snapshot).await, SnapshotState::Ready);
}

#[tokio::test]
async fn every_page_of_a_listing_is_read() {
    let (server, disk) = sandbox(ComputeOptions { page: 2, ..ComputeOptions::default() }).await;
    let pd = connect(&server).await;
    for number in 0..5 {
        let (mut request, _) = cut(&disk);
        request.identity = format!("cut-{number}");
        request.owner.run = format!("run-{number}");
        pd.cut(&request).await.unwrap();
    }
    let listed = pd.list(&Owner { run: String::new(), ..owner() }).await.unwrap();
    assert_eq!(listed.len(), 5);
    assert_eq!(count(&server, "snapshots.list"), 3);
    assert_eq!(pd.list(&Owner { run: "run-3".to_owned(), ..owner() }).await.unwrap().len(), 1);
}

#[tokio::test]
async fn clusters_of_any_name_find_only_their_own() {
    let (server, disk) = sandbox(ComputeOptions::default()).await;
    let pd = connect(&server).await;
    let clusters = ["prod", "Prod", "prod of \"us\"", "ünïcode", &"long-".repeat(30), "prod*"];
    for (number, cluster) in clusters.iter().enumerate() {
        let (mut request, _) = cut(&disk);
        request.identity = format!("cut-{number}");
        request.owner.cluster = (*cluster).to_owned();
        assert_eq!(pd.cut(&request).await.unwrap().owner, request.owner);
    }
    for cluster in clusters {
        let listed = pd.list(&Owner { cluster: cluster.to_owned(), ..owner() }).await.unwrap();
        assert_eq!(listed.len(), 1, "{cluster}: {listed:?}");
        assert_eq!(listed[0].owner.cluster, cluster);
    }
}

#[tokio::test]
async fn an_identity_that_is_no_name_is_one_all_the_same() {
    let (server, disk) = sandbox(ComputeOptions::default()).await;
    let pd = connect(&server).await;
    for identity in ["1-etcd", "etcd-"] {
        let (mut request, _) = cut(&disk);
        request.identity = identity.to_owned();
        let snapshot = pd.cut(&request).await.unwrap();
        assert_eq!(snapshot.identity, identity);
        assert_eq!(connect(&server).await.cut(&request).await.unwrap(), snapshot);
    }
}

#[tokio::test]
async fn writers_wait_for_few_calls() {
    let (server, disk) = sandbox(ComputeOptions::default()).await;
    let pd = connect(&server).await;
    pd.inspect(&VolumeId(disk.clone())).await.unwrap();
    let before = server.calls().len();
    pd.cut(&cut(&disk).0).await.unwrap();
    let mut calls: Vec<_> = server.calls()[before..].iter().map(|call| call.call.clone()).collect();
    assert_eq!(calls.iter().position(|call| call == "disks.createSnapshot"), Some(1), "{calls:?}");
    calls.retain(|call| call != "snapshots.get" && call != "zoneOperations.get");
    assert_eq!(calls, ["disks.createSnapshot"]);
}
