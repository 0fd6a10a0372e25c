//! Errors, limits and outages of the service.

use std::time::{Duration, Instant};

use provider::{ErrorKind, Owner, Retry, SnapshotState, VolumeId, VolumeSnapshots};
use sandbox::ec2::{Ec2Fault, Ec2Options, NewVolume};

use crate::place::{connect, count, cut, outcome, owner, ready, restore, sandbox, words};

#[tokio::test]
async fn a_snapshot_that_fails_says_why() {
    let (server, volume) = sandbox(Ec2Options::default()).await;
    let ebs = connect(&server).await;
    server.fail_next_snapshot("Client.InternalError: something broke");
    let snapshot = ebs.cut(&cut(&volume).0).await.unwrap();
    let reason = "Client.InternalError: something broke".to_owned();
    assert_eq!(outcome(&ebs, &snapshot).await, SnapshotState::Failed { reason });
    let refused = ebs.create_volume(&restore(&snapshot)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    assert!(words(&refused).contains("something broke"), "{}", words(&refused));
    // It is ours, whole or not: prune finds it.
    assert_eq!(ebs.list(&owner()).await.unwrap(), [snapshot]);
}

#[tokio::test]
async fn a_key_that_may_be_read_but_not_used_fails_the_snapshot() {
    let (server, _) = sandbox(Ec2Options::default()).await;
    let key = "arn:aws:kms:us-east-1:123456789012:key/k";
    let volume = server.add_volume(NewVolume { kms_key: Some(key.to_owned()), ..NewVolume::default() });
    let ebs = connect(&server).await;
    let facts = ebs.inspect(&VolumeId(volume.clone())).await.unwrap();
    assert!(facts.cautions.iter().any(|caution| caution.contains(key)), "{:?}", facts.cautions);
    server.deny_key(key);
    let snapshot = ebs.cut(&cut(&volume).0).await.unwrap();
    assert_eq!(snapshot.details["kms-key"], key);
    let state = outcome(&ebs, &snapshot).await;
    assert!(matches!(&state, SnapshotState::Failed { reason } if reason.contains("key")), "{state:?}");
}

#[tokio::test]
async fn progress_is_told_in_percent() {
    let (server, volume) = sandbox(Ec2Options::default()).await;
    let ebs = connect(&server).await;
    server.hold_next_snapshot(42);
    let snapshot = ebs.cut(&cut(&volume).0).await.unwrap();
    assert_eq!(ebs.status(&snapshot.id).await.unwrap().state, SnapshotState::Pending { percent: Some(42) });
    let early = ebs.create_volume(&restore(&snapshot)).await.unwrap_err();
    assert!(early.kind() == ErrorKind::Invalid && words(&early).contains("pending at 42 %"), "{}", words(&early));
    assert!(server.complete(&snapshot.id.0));
    assert_eq!(ebs.status(&snapshot.id).await.unwrap().state, SnapshotState::Ready);
}

#[tokio::test]
async fn throttling_is_waited_out_and_told() {
    let (server, volume) = sandbox(Ec2Options::default()).await;
    server.add_fault(Ec2Fault::throttle().on("CreateSnapshot").lasting(Duration::from_millis(700)));
    let (request, told) = cut(&volume);
    connect(&server).await.cut(&request).await.unwrap();
    assert!(told.lock().unwrap().iter().any(|sentence| sentence.contains("RequestLimitExceeded")), "{told:?}");
    let tries = count(&server, "CreateSnapshot");
    assert!((2..=4).contains(&tries), "{tries} tries in 700 ms");
    assert_eq!(server.snapshots().len(), 1);
}

#[tokio::test]
async fn the_rate_of_one_volume_is_waited_out() {
    let interval = Duration::from_millis(800);
    let (server, volume) = sandbox(Ec2Options { snapshot_interval: interval, ..Ec2Options::default() }).await;
    let ebs = connect(&server).await;
    let (first, _) = cut(&volume);
    ebs.cut(&first).await.unwrap();
    let (mut second, told) = cut(&volume);
    second.identity = "pachsnap-run-2-etcd".to_owned();
    ebs.cut(&second).await.unwrap();
    assert!(told.lock().unwrap()[0].contains("SnapshotCreationPerVolumeRateExceeded"), "{told:?}");
    assert_eq!(server.snapshots().len(), 2);
}

#[tokio::test]
async fn throttling_beyond_the_limit_is_a_timeout_that_names_it() {
    let (server, volume) = sandbox(Ec2Options::default()).await;
    server.add_fault(Ec2Fault::throttle().times(u64::MAX));
    let (mut request, _) = cut(&volume);
    request.limit = Duration::from_millis(900);
    let began = Instant::now();
    let error = connect(&server).await.cut(&request).await.unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(3));
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Timeout, Retry::Again));
    assert!(words(&error).contains("RequestLimitExceeded"), "{}", words(&error));
}

#[tokio::test]
async fn a_region_that_answers_503_for_a_while_is_waited_out() {
    let (server, volume) = sandbox(Ec2Options::default()).await;
    server.add_fault(Ec2Fault::status(503).lasting(Duration::from_millis(1500)));
    let ebs = connect(&server).await;
    let snapshot = ebs.cut(&cut(&volume).0).await.unwrap();
    assert_eq!(server.snapshots().len(), 1);
    server.add_fault(Ec2Fault::status(503).times(2));
    ebs.status(&snapshot.id).await.unwrap();
    server.add_fault(Ec2Fault::status(503).times(3));
    let error = ebs.status(&snapshot.id).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::Again));
}

#[tokio::test]
async fn a_service_that_breaks_connections_makes_one_snapshot() {
    let (server, volume) = sandbox(Ec2Options::default()).await;
    server.add_fault(Ec2Fault::drop_connection().times(3));
    let snapshot = connect(&server).await.cut(&cut(&volume).0).await.unwrap();
    let made: Vec<_> = server.snapshots().into_iter().map(|snapshot| snapshot.id).collect();
    assert_eq!(made, [snapshot.id.0]);
}

#[tokio::test]
async fn a_quota_is_told_at_once() {
    for code in ["ConcurrentSnapshotLimitExceeded", "SnapshotLimitExceeded"] {
        let (server, volume) = sandbox(Ec2Options::default()).await;
        let message = "Maximum allowed in-progress snapshots for a single volume exceeded.";
        server.add_fault(Ec2Fault::refuse(400, code, message).on("CreateSnapshot"));
        let error = connect(&server).await.cut(&cut(&volume).0).await.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (ErrorKind::Exhausted, Retry::Never));
        assert!(words(&error).contains(code), "{}", words(&error));
        assert_eq!((count(&server, "CreateSnapshot"), server.snapshots().len()), (1, 0));
    }
}

#[tokio::test]
async fn every_page_of_a_listing_is_read() {
    let (server, volume) = sandbox(Ec2Options { page: 2, ..Ec2Options::default() }).await;
    let ebs = connect(&server).await;
    for number in 0..5 {
        let (mut request, _) = cut(&volume);
        request.identity = format!("cut-{number}");
        request.owner.run = format!("run-{number}");
        ebs.cut(&request).await.unwrap();
    }
    let before = count(&server, "DescribeSnapshots");
    let listed = ebs.list(&Owner { run: String::new(), ..owner() }).await.unwrap();
    assert_eq!(listed.len(), 5);
    assert_eq!(count(&server, "DescribeSnapshots") - before, 3);
}

#[tokio::test]
async fn writers_wait_for_two_calls() {
    let (server, volume) = sandbox(Ec2Options::default()).await;
    let ebs = connect(&server).await;
    ebs.inspect(&VolumeId(volume.clone())).await.unwrap();
    let before = server.calls().len();
    ebs.cut(&cut(&volume).0).await.unwrap();
    let calls: Vec<_> = server.calls()[before..].iter().map(|call| call.action.clone()).collect();
    assert_eq!(calls, ["DescribeSnapshots", "CreateSnapshot"]);
}

#[tokio::test]
async fn credentials_that_expire_in_mid_run_are_told_as_such() {
    let (server, volume) = sandbox(Ec2Options::default()).await;
    let ebs = connect(&server).await;
    let snapshot = ready(&ebs, &volume).await;
    server.expire_credentials();
    let error = ebs.status(&snapshot.id).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unauthenticated, Retry::Never));
    assert!(words(&error).contains("RequestExpired"), "{}", words(&error));
    let (mut request, _) = cut(&volume);
    request.identity = "another".to_owned();
    let began = Instant::now();
    assert_eq!(ebs.cut(&request).await.unwrap_err().kind(), ErrorKind::Unauthenticated);
    assert!(began.elapsed() < Duration::from_secs(2), "nobody waits for credentials that are over");
}
