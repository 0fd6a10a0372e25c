//! Errors, limits and outages of the service.

use std::time::{Duration, Instant};

use provider::{ErrorKind, Retry, SnapshotState, VolumeId, VolumeSnapshots};
use sandbox::compute::{ComputeFault, ComputeOptions};

use crate::place::{connect, count, cut, outcome, owner, ready, restore, sandbox, words};

#[tokio::test]
async fn a_snapshot_that_fails_before_its_point_in_time_is_never_answered() {
    let (server, disk) = sandbox(ComputeOptions::default()).await;
    let pd = connect(&server).await;
    server.fail_next_snapshot();
    let error = pd.cut(&cut(&disk).0).await.unwrap_err();
    assert!(error.retry() == Retry::Never || error.kind() == ErrorKind::Timeout, "{}", words(&error));
    assert!(words(&error).contains("has failed"), "{}", words(&error));
    // It is ours, whole or not: prune finds it, and until then the same identity says why it can't be cut.
    let again = pd.cut(&cut(&disk).0).await.unwrap_err();
    assert!(words(&again).contains("delete it before"), "{}", words(&again));
    let left = pd.list(&owner()).await.unwrap();
    assert_eq!(left.len(), 1);
    pd.delete(&left[0].id).await.unwrap();
    pd.cut(&cut(&disk).0).await.unwrap();
}

#[tokio::test]
async fn a_snapshot_that_fails_while_it_uploads_says_so() {
    let (server, disk) = sandbox(ComputeOptions::default()).await;
    let pd = connect(&server).await;
    server.fail_next_upload();
    let snapshot = pd.cut(&cut(&disk).0).await.unwrap();
    let state = outcome(&pd, &snapshot).await;
    assert!(matches!(&state, SnapshotState::Failed { reason } if reason.contains("operations")), "{state:?}");
    let refused = pd.create_volume(&restore(&snapshot)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    assert_eq!(pd.list(&owner()).await.unwrap(), [snapshot]);
}

#[tokio::test]
async fn a_pending_snapshot_makes_no_disk() {
    let (server, disk) = sandbox(ComputeOptions::default()).await;
    let pd = connect(&server).await;
    server.hold_next_snapshot();
    let snapshot = pd.cut(&cut(&disk).0).await.unwrap();
    let early = pd.create_volume(&restore(&snapshot)).await.unwrap_err();
    assert!(early.kind() == ErrorKind::Invalid && words(&early).contains("UPLOADING"), "{}", words(&early));
    assert!(server.complete(&snapshot.id.0));
    pd.create_volume(&restore(&snapshot)).await.unwrap();
}

#[tokio::test]
async fn throttling_is_waited_out_and_told() {
    let throttles = [
        ComputeFault::throttle(),
        ComputeFault::refuse(429, "rateLimitExceeded", "Too many requests"),
        ComputeFault::refuse(400, "resourceInUseByAnotherResource", "The disk resource is already being used."),
        ComputeFault::refuse(400, "resourceNotReady", "The resource is not ready"),
    ];
    for fault in throttles {
        let (server, disk) = sandbox(ComputeOptions::default()).await;
        server.add_fault(fault.on("disks.createSnapshot").lasting(Duration::from_millis(700)));
        let (request, told) = cut(&disk);
        connect(&server).await.cut(&request).await.unwrap();
        assert!(told.lock().unwrap().iter().any(|sentence| sentence.contains("is asked again in")), "{told:?}");
        let tries = count(&server, "disks.createSnapshot");
        assert!((2..=4).contains(&tries), "{tries} tries in 700 ms");
        assert_eq!(server.snapshots().len(), 1);
    }
}

#[tokio::test]
async fn throttling_beyond_the_limit_is_a_timeout_that_names_it() {
    let (server, disk) = sandbox(ComputeOptions::default()).await;
    server.add_fault(ComputeFault::throttle().times(u64::MAX));
    let (mut request, _) = cut(&disk);
    request.limit = Duration::from_millis(900);
    let began = Instant::now();
    let error = connect(&server).await.cut(&request).await.unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(3));
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Timeout, Retry::Again));
    assert!(words(&error).contains("rateLimitExceeded"), "{}", words(&error));
}

#[tokio::test]
async fn a_quota_of_requests_is_told_at_once() {
    let (server, disk) = sandbox(ComputeOptions::default()).await;
    server.add_fault(
        ComputeFault::refuse(403, "quotaExceeded", "Quota 'SNAPSHOTS' exceeded.").on("disks.createSnapshot"),
    );
    let error = connect(&server).await.cut(&cut(&disk).0).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Exhausted, Retry::Never));
    assert!(words(&error).contains("'SNAPSHOTS'"), "{}", words(&error));
    assert_eq!((count(&server, "disks.createSnapshot"), server.snapshots().len()), (1, 0));
}

#[tokio::test]
async fn a_service_that_answers_503_for_a_while_is_waited_out() {
    let (server, disk) = sandbox(ComputeOptions::default()).await;
    server.add_fault(ComputeFault::status(503).lasting(Duration::from_millis(1500)));
    let pd = connect(&server).await;
    let snapshot = pd.cut(&cut(&disk).0).await.unwrap();
    assert_eq!(server.snapshots().len(), 1);
    server.add_fault(ComputeFault::status(503).times(2));
    pd.status(&snapshot.id).await.unwrap();
    server.add_fault(ComputeFault::status(503).times(3));
    let error = pd.status(&snapshot.id).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::Again));
}

#[tokio::test]
async fn a_service_that_breaks_connections_or_fails_makes_one_snapshot() {
    for fault in [ComputeFault::drop_connection(), ComputeFault::refuse(500, "backendError", "Internal error")] {
        let (server, disk) = sandbox(ComputeOptions::default()).await;
        server.add_fault(fault.times(3));
        let snapshot = connect(&server).await.cut(&cut(&disk).0).await.unwrap();
        assert_eq!(server.snapshots().iter().map(|made| &made.path).collect::<Vec<_>>(), [&snapshot.id.0]);
    }
}

#[tokio::test]
async fn credentials_that_expire_in_mid_run_are_told_as_such() {
    let (server, disk) = sandbox(ComputeOptions::default()).await;
    let pd = connect(&server).await;
    let snapshot = ready(&pd, &disk).await;
    server.expire_credentials();
    let error = pd.status(&snapshot.id).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unauthenticated, Retry::Never));
    let (mut request, _) = cut(&disk);
    request.identity = "another".to_owned();
    let began = Instant::now();
    assert_eq!(pd.cut(&request).await.unwrap_err().kind(), ErrorKind::Unauthenticated);
    assert_eq!(pd.inspect(&VolumeId(disk)).await.unwrap_err().kind(), ErrorKind::Unauthenticated);
    assert!(began.elapsed() < Duration::from_secs(2), "nobody waits for credentials that are over");
}
