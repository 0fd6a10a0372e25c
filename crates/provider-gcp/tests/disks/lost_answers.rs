//! Answers that are lost: one snapshot is made, and it is the one that is answered.

use std::time::Duration;

use provider::{ErrorKind, SnapshotState, VolumeSnapshots};
use sandbox::compute::{ComputeFault, ComputeOptions, NewDisk, Phase};

use crate::place::{connect, count, cut, outcome, ready, request_ids, restore, sandbox, words};

#[tokio::test]
async fn a_snapshot_whose_answer_was_lost_is_found_by_its_name() {
    let (server, disk) = sandbox(ComputeOptions::default()).await;
    server.add_fault(ComputeFault::lose_reply().on("disks.createSnapshot"));
    let (request, told) = cut(&disk);
    let pd = connect(&server).await;
    let snapshot = pd.cut(&request).await.unwrap();
    // Asked for again with the same request id, which tells its operation and makes nothing.
    let mut ids = request_ids(&server, "disks.createSnapshot");
    ids.dedup();
    assert_eq!((ids.len(), server.snapshots().len()), (1, 1));
    assert!(told.lock().unwrap()[0].contains("the answer to createSnapshot was lost"), "{told:?}");
    assert_eq!(connect(&server).await.cut(&request).await.unwrap(), snapshot);
    assert_eq!(outcome(&pd, &snapshot).await, SnapshotState::Ready);
}

#[tokio::test]
async fn one_that_is_found_late_is_asked_for_with_the_same_request_id() {
    let late = ComputeOptions { hidden: Phase::lasting(Duration::from_millis(900)), ..ComputeOptions::default() };
    let (server, disk) = sandbox(late).await;
    server.add_fault(ComputeFault::lose_reply().on("disks.createSnapshot").times(2));
    let snapshot = connect(&server).await.cut(&cut(&disk).0).await.unwrap();
    let mut ids = request_ids(&server, "disks.createSnapshot");
    assert!(ids.len() > 1, "{ids:?}");
    ids.dedup();
    assert_eq!(ids.len(), 1);
    assert_eq!(server.snapshots().iter().map(|snapshot| &snapshot.path).collect::<Vec<_>>(), [&snapshot.id.0]);
}

#[tokio::test]
async fn a_request_that_was_never_heard_is_sent_again() {
    let (server, disk) = sandbox(ComputeOptions::default()).await;
    server.add_fault(ComputeFault::drop_connection().on("disks.createSnapshot").times(2));
    connect(&server).await.cut(&cut(&disk).0).await.unwrap();
    assert_eq!((count(&server, "disks.createSnapshot"), server.snapshots().len()), (3, 1));
}

#[tokio::test]
async fn a_disk_whose_answer_was_lost_is_made_once() {
    let (server, disk) = sandbox(ComputeOptions::default()).await;
    let pd = connect(&server).await;
    let snapshot = ready(&pd, &disk).await;
    server.add_fault(ComputeFault::lose_reply().on("disks.insert").times(2));
    let first = pd.create_volume(&restore(&snapshot)).await.unwrap();
    assert_eq!(connect(&server).await.create_volume(&restore(&snapshot)).await.unwrap(), first);
    assert_eq!(server.disks().len(), 2);
}

#[tokio::test]
async fn a_deletion_whose_answer_was_lost_is_done_once() {
    let (server, disk) = sandbox(ComputeOptions::default()).await;
    let pd = connect(&server).await;
    let snapshot = ready(&pd, &disk).await;
    server.add_fault(ComputeFault::lose_reply().on("snapshots.delete"));
    pd.delete(&snapshot.id).await.unwrap();
    assert!(server.snapshots().is_empty());
    // A snapshot of the same name can be cut and deleted again: request ids of the past don't answer for it.
    let again = ready(&pd, &disk).await;
    assert_eq!(again.id, snapshot.id);
    pd.delete(&again.id).await.unwrap();
    assert!(server.snapshots().is_empty());
}

#[tokio::test]
async fn a_failure_whose_acceptance_was_lost_is_found_out() {
    let (server, _) = sandbox(ComputeOptions::default()).await;
    let key = "projects/keys/locations/us/keyRings/r/cryptoKeys/k";
    let disk = server.add_disk(NewDisk { kms_key: Some(key.to_owned()), ..NewDisk::default() });
    server.deny_key(key);
    server.add_fault(ComputeFault::lose_reply().on("disks.createSnapshot"));
    let (mut request, told) = cut(&disk);
    request.limit = Duration::from_secs(5);
    let error = connect(&server).await.cut(&request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{}", words(&error));
    assert!(words(&error).contains(key), "{}", words(&error));
    assert!(told.lock().unwrap()[0].contains("was lost"), "{told:?}");
    assert!(server.snapshots().is_empty());
}
