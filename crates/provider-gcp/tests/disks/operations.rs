//! Operations that are done and have failed: they never yield a snapshot, whatever the SDK thinks of them.

use std::time::Duration;

use google_cloud_compute_v1::model::{Snapshot, operation};
use google_cloud_lro::Poller as _;
use provider::{ErrorKind, Retry, VolumeSnapshots};
use sandbox::compute::{ComputeFault, ComputeOptions, NewDisk, Phase};

use crate::place::{PROJECT, ZONE, clients, connect, count, cut, ready, request_ids, restore, sandbox, words};

#[tokio::test]
async fn the_sdk_itself_answers_such_an_operation_as_a_success() {
    let (server, disk) = sandbox(ComputeOptions::default()).await;
    let name = disk.rsplit('/').next().unwrap();
    server.add_fault(ComputeFault::fail_operation("QUOTA_EXCEEDED", 403, "Quota 'SNAPSHOTS' exceeded."));
    let (disks, _) = clients(&server).await;
    let call = disks.create_snapshot().set_project(PROJECT).set_zone(ZONE).set_disk(name);
    let told = call.set_body(Snapshot::new().set_name("s")).poller().until_done().await.unwrap();
    assert_eq!(told.status, Some(operation::Status::Done));
    assert_eq!(told.error.unwrap().errors[0].code.as_deref(), Some("QUOTA_EXCEEDED"));
    assert_eq!(told.http_error_status_code, Some(403));
    assert!(server.snapshots().is_empty());
}

#[tokio::test]
async fn a_quota_is_told_at_once_and_named() {
    let (server, disk) = sandbox(ComputeOptions::default()).await;
    let message = "Quota 'SNAPSHOTS' exceeded.  Limit: 5000.0 globally.";
    server.add_fault(ComputeFault::fail_operation("QUOTA_EXCEEDED", 403, message).on("disks.createSnapshot"));
    let pd = connect(&server).await;
    let error = pd.cut(&cut(&disk).0).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Exhausted, Retry::Never));
    assert!(words(&error).contains("Quota 'SNAPSHOTS' exceeded"), "{}", words(&error));
    assert_eq!((count(&server, "disks.createSnapshot"), server.snapshots().len()), (1, 0));
    // The quota was raised: the same identity has a snapshot, though its request id is that of the failure.
    let snapshot = pd.cut(&cut(&disk).0).await.unwrap();
    assert_eq!(server.snapshots()[0].path, snapshot.id.0);
    let ids = request_ids(&server, "disks.createSnapshot");
    assert!(ids.len() == 3 && ids[0] == ids[1] && ids[1] != ids[2], "{ids:?}");
}

#[tokio::test]
async fn what_passes_is_ridden_out_with_a_request_id_of_its_own() {
    for code in ["RESOURCE_IN_USE_BY_ANOTHER_RESOURCE", "RESOURCE_NOT_READY", "INTERNAL_ERROR"] {
        let (server, disk) = sandbox(ComputeOptions::default()).await;
        let status = if code == "INTERNAL_ERROR" { 500 } else { 400 };
        server.add_fault(ComputeFault::fail_operation(code, status, "Not now.").on("disks.createSnapshot").times(2));
        let (request, told) = cut(&disk);
        let snapshot = connect(&server).await.cut(&request).await.unwrap();
        assert_eq!(server.snapshots().iter().map(|snapshot| &snapshot.path).collect::<Vec<_>>(), [&snapshot.id.0]);
        let mut ids = request_ids(&server, "disks.createSnapshot");
        ids.dedup();
        assert_eq!(ids.len(), 3, "{code}: {ids:?}");
        assert!(told.lock().unwrap().iter().any(|sentence| sentence.contains(code)), "{told:?}");
    }
}

#[tokio::test]
async fn the_rate_of_one_disk_is_waited_out() {
    let interval = Duration::from_millis(1200);
    let (server, disk) = sandbox(ComputeOptions { snapshot_interval: interval, ..ComputeOptions::default() }).await;
    let pd = connect(&server).await;
    pd.cut(&cut(&disk).0).await.unwrap();
    let (mut second, told) = cut(&disk);
    second.identity = "pachsnap-run-2-etcd".to_owned();
    pd.cut(&second).await.unwrap();
    let told = told.lock().unwrap();
    assert!(told[0].contains("RESOURCE_OPERATION_RATE_EXCEEDED") && told[0].contains("10 minutes"), "{told:?}");
    assert_eq!(server.snapshots().len(), 2);
}

#[tokio::test]
async fn a_rate_that_outlasts_the_limit_is_explained() {
    let interval = Duration::from_secs(600);
    let (server, disk) = sandbox(ComputeOptions { snapshot_interval: interval, ..ComputeOptions::default() }).await;
    let pd = connect(&server).await;
    pd.cut(&cut(&disk).0).await.unwrap();
    let (mut second, _) = cut(&disk);
    second.identity = "pachsnap-run-2-etcd".to_owned();
    second.limit = Duration::from_millis(1500);
    let error = pd.cut(&second).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Timeout, Retry::Again));
    assert!(words(&error).contains("at most one snapshot of a disk in 10 minutes"), "{}", words(&error));
    assert_eq!(server.snapshots().len(), 1);
}

#[tokio::test]
async fn a_key_that_is_disabled_is_named() {
    let (server, _) = sandbox(ComputeOptions::default()).await;
    let key = "projects/keys/locations/us/keyRings/r/cryptoKeys/k";
    let version = format!("{key}/cryptoKeyVersions/1");
    let disk = server.add_disk(NewDisk { kms_key: Some(version), ..NewDisk::default() });
    let pd = connect(&server).await;
    let snapshot = ready(&pd, &disk).await;
    server.deny_key(key);
    let (mut request, _) = cut(&disk);
    request.identity = "another".to_owned();
    let error = pd.cut(&request).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Denied, Retry::Never));
    assert!(words(&error).contains(&format!("the Cloud KMS key {key}")), "{}", words(&error));
    let error = pd.create_volume(&restore(&snapshot)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(words(&error).contains(&format!("the Cloud KMS key {key}")), "{}", words(&error));
    assert_eq!((server.snapshots().len(), server.disks().len()), (1, 2));
}

#[tokio::test]
async fn a_deletion_that_fails_is_told() {
    let (server, disk) = sandbox(ComputeOptions { operation: Phase::looks(2), ..ComputeOptions::default() }).await;
    let pd = connect(&server).await;
    let snapshot = ready(&pd, &disk).await;
    let message = "The snapshot resource is already being used by an image.";
    let fails = ComputeFault::fail_operation("RESOURCE_IN_USE_BY_ANOTHER_RESOURCE", 400, message);
    server.add_fault(fails.on("snapshots.delete"));
    let error = pd.delete(&snapshot.id).await.unwrap_err();
    assert!(words(&error).contains("used by an image"), "{}", words(&error));
    assert_eq!(server.snapshots().len(), 1);
    pd.delete(&snapshot.id).await.unwrap();
    assert!(server.snapshots().is_empty());
}

#[tokio::test]
async fn a_disk_whose_operation_fails_is_not_answered() {
    let (server, disk) = sandbox(ComputeOptions::default()).await;
    let pd = connect(&server).await;
    let snapshot = ready(&pd, &disk).await;
    let message = "Quota 'SSD_TOTAL_GB' exceeded.  Limit: 500.0 in region us-central1.";
    server.add_fault(ComputeFault::fail_operation("QUOTA_EXCEEDED", 403, message).on("disks.insert"));
    let error = pd.create_volume(&restore(&snapshot)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exhausted);
    assert!(words(&error).contains("SSD_TOTAL_GB"), "{}", words(&error));
    assert_eq!(server.disks().len(), 1);
    pd.create_volume(&restore(&snapshot)).await.unwrap();
    assert_eq!(server.disks().len(), 2);
}
