//! Answers to CreateSnapshot that are lost, while listings lag: one snapshot is named, and none is left over.

use std::time::Duration;

use provider::{SnapshotState, VolumeSnapshots};
use sandbox::ec2::{Ec2Fault, Ec2Options, Ec2Server};

use crate::place::{connect, count, cut, outcome, owner, sandbox};

const SOON: Duration = Duration::from_millis(150);
/// Longer than a lost answer is looked for.
const LATE: Duration = Duration::from_millis(450);

fn lagging(lag: Duration) -> Ec2Options {
    Ec2Options { lag, pending_looks: 100, ..Ec2Options::default() }
}

fn ids(server: &Ec2Server) -> Vec<String> {
    server.snapshots().into_iter().map(|snapshot| snapshot.id).collect()
}

#[tokio::test]
async fn a_snapshot_that_is_listed_soon_is_not_asked_for_again() {
    let (server, volume) = sandbox(lagging(SOON)).await;
    server.add_fault(Ec2Fault::lose_reply().on("CreateSnapshot"));
    let (request, told) = cut(&volume);
    let snapshot = connect(&server).await.cut(&request).await.unwrap();
    assert_eq!((count(&server, "CreateSnapshot"), count(&server, "CreateTags")), (1, 0));
    assert_eq!(ids(&server), std::slice::from_ref(&snapshot.id.0));
    assert!(told.lock().unwrap()[0].contains("the answer to CreateSnapshot was lost"), "{told:?}");
    assert_eq!(connect(&server).await.cut(&request).await.unwrap(), snapshot);
}

#[tokio::test]
async fn a_twin_that_is_listed_late_is_gone_when_the_snapshot_is_ready() {
    let (server, volume) = sandbox(lagging(LATE)).await;
    server.add_fault(Ec2Fault::lose_reply().on("CreateSnapshot"));
    let (request, told) = cut(&volume);
    let ebs = connect(&server).await;
    let snapshot = ebs.cut(&request).await.unwrap();
    assert_eq!(count(&server, "CreateSnapshot"), 2);
    let made = ids(&server);
    assert_eq!((made.len(), &made[1]), (2, &snapshot.id.0), "the second request was the one that was answered");
    assert!(told.lock().unwrap().iter().any(|sentence| sentence.contains("a second snapshot")), "{told:?}");

    tokio::time::sleep(LATE).await;
    // Another process, before anybody deleted the twin: it answers the first result, and may prune what `list` names.
    assert_eq!(connect(&server).await.cut(&request).await.unwrap(), snapshot);
    let listed = ebs.list(&owner()).await.unwrap();
    assert_eq!(listed.len(), 2, "{listed:?}");

    assert_eq!(outcome(&ebs, &snapshot).await, SnapshotState::Ready);
    assert_eq!(ids(&server), std::slice::from_ref(&snapshot.id.0), "none is left over");
    assert_eq!(connect(&server).await.cut(&request).await.unwrap(), snapshot);
}

#[tokio::test]
async fn a_twin_is_deleted_by_another_process_that_goes_on() {
    let (server, volume) = sandbox(lagging(LATE)).await;
    server.add_fault(Ec2Fault::lose_reply().on("CreateSnapshot"));
    let snapshot = connect(&server).await.cut(&cut(&volume).0).await.unwrap();
    tokio::time::sleep(LATE).await;
    assert_eq!(outcome(&connect(&server).await, &snapshot).await, SnapshotState::Ready);
    assert_eq!(ids(&server), [snapshot.id.0]);
}

#[tokio::test]
async fn the_first_of_two_lost_answers_is_found_and_the_second_deleted() {
    let (server, volume) = sandbox(lagging(LATE)).await;
    server.add_fault(Ec2Fault::lose_reply().on("CreateSnapshot").times(2));
    let ebs = connect(&server).await;
    let (request, _) = cut(&volume);
    let snapshot = ebs.cut(&request).await.unwrap();
    let made = ids(&server);
    assert_eq!((made.len(), &made[0]), (2, &snapshot.id.0));
    tokio::time::sleep(LATE).await;
    assert_eq!(connect(&server).await.cut(&request).await.unwrap(), snapshot);
    assert_eq!(outcome(&ebs, &snapshot).await, SnapshotState::Ready);
    assert_eq!(ids(&server), [snapshot.id.0]);
}

#[tokio::test]
async fn a_rate_limit_after_a_lost_answer_means_that_the_first_request_was_heard() {
    let interval = Duration::from_secs(60);
    let (server, volume) = sandbox(Ec2Options { snapshot_interval: interval, ..lagging(LATE) }).await;
    server.add_fault(Ec2Fault::lose_reply().on("CreateSnapshot"));
    let snapshot = connect(&server).await.cut(&cut(&volume).0).await.unwrap();
    assert_eq!(ids(&server), [snapshot.id.0]);
    assert_eq!(count(&server, "CreateSnapshot"), 2);
}

#[tokio::test]
async fn what_has_just_been_cut_may_be_missing_in_listings() {
    let (server, volume) = sandbox(lagging(LATE)).await;
    let ebs = connect(&server).await;
    let snapshot = ebs.cut(&cut(&volume).0).await.unwrap();
    let status = ebs.status(&snapshot.id).await.unwrap();
    assert_eq!(status.state, SnapshotState::Pending { percent: None });
    assert!(status.trouble.is_some(), "it says why");
    assert_eq!(outcome(&ebs, &snapshot).await, SnapshotState::Ready);
}

#[tokio::test]
async fn a_chosen_snapshot_that_may_not_be_tagged_is_answered_all_the_same() {
    let (server, volume) = sandbox(lagging(LATE)).await;
    server.add_fault(Ec2Fault::lose_reply().on("CreateSnapshot"));
    server.add_fault(Ec2Fault::refuse(403, "UnauthorizedOperation", "no").on("CreateTags").times(9));
    let (request, told) = cut(&volume);
    connect(&server).await.cut(&request).await.unwrap();
    assert!(told.lock().unwrap().iter().any(|sentence| sentence.contains("ec2:CreateTags")), "{told:?}");
}
