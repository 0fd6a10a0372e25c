//! What is refused, and that the refusal says what to do about it.

use provider::{Error, ErrorKind, Owner, SnapshotId, VolumeId, VolumeSnapshots};
use sandbox::ec2::{Ec2Options, Ec2Server, NewVolume};

use crate::place::{MISSING_VOLUME, connect, count, cut, owner, ready, restore, sandbox, words};

/// The error of a call from which one right was taken.
async fn without(right: &str) -> Error {
    let (server, volume) = sandbox(Ec2Options::default()).await;
    let ebs = connect(&server).await;
    let snapshot = ready(&ebs, &volume).await;
    server.deny(right);
    let (mut request, _) = cut(&volume);
    request.identity = "another".to_owned();
    match right {
        "ec2:CreateSnapshot" | "ec2:CreateTags" => ebs.cut(&request).await.unwrap_err(),
        "ec2:DescribeSnapshots" => ebs.status(&snapshot.id).await.unwrap_err(),
        "ec2:DeleteSnapshot" => ebs.delete(&snapshot.id).await.unwrap_err(),
        "ec2:CreateVolume" => ebs.create_volume(&restore(&snapshot)).await.unwrap_err(),
        _ => ebs.inspect(&VolumeId(volume)).await.unwrap_err(),
    }
}

#[tokio::test]
async fn a_missing_right_is_named_by_its_iam_action() {
    for right in [
        "ec2:CreateSnapshot",
        "ec2:CreateTags",
        "ec2:DescribeSnapshots",
        "ec2:DeleteSnapshot",
        "ec2:CreateVolume",
        "ec2:DescribeVolumes",
    ] {
        let error = without(right).await;
        assert_eq!(error.kind(), ErrorKind::Denied, "{right}: {}", words(&error));
        assert!(words(&error).contains(&format!("lack the right {right}:")), "{right}: {}", words(&error));
    }
}

#[tokio::test]
async fn a_missing_right_to_cut_is_known_before_the_pause() {
    for right in ["ec2:CreateSnapshot", "ec2:CreateTags"] {
        let (server, volume) = sandbox(Ec2Options::default()).await;
        server.deny(right);
        let error = connect(&server).await.inspect(&VolumeId(volume)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{}", words(&error));
        assert!(words(&error).contains(&format!("lack the right {right}:")), "{}", words(&error));
        assert!(server.snapshots().is_empty());
    }
}

#[tokio::test]
async fn a_volume_of_another_region_is_refused_before_anything_is_asked() {
    let (server, volume) = sandbox(Ec2Options::default()).await;
    let ebs = connect(&server).await;
    let elsewhere = format!("aws://eu-west-1a/{volume}");
    let inspected = ebs.inspect(&VolumeId(elsewhere.clone())).await.unwrap_err();
    let cut_there = ebs.cut(&cut(&elsewhere).0).await.unwrap_err();
    for error in [inspected, cut_there] {
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(words(&error).contains("zone eu-west-1a, and the configured region is us-east-1"), "{}", words(&error));
    }
    assert!(server.calls().is_empty(), "{:?}", server.calls());
    // The CSI driver's handle names no zone: EC2 does not know the volume, and the error says where it was looked for.
    let missing = ebs.inspect(&VolumeId(MISSING_VOLUME.to_owned())).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    assert!(words(&missing).contains("in us-east-1"), "{}", words(&missing));
}

#[tokio::test]
async fn both_names_of_a_volume_are_one_volume() {
    let (server, volume) = sandbox(Ec2Options::default()).await;
    let ebs = connect(&server).await;
    let in_tree = VolumeId(format!("aws://us-east-1a/{volume}"));
    let facts = ebs.inspect(&in_tree).await.unwrap();
    assert_eq!(facts.size, 10 << 30);
    assert!(facts.cautions[0].contains("region us-east-1") && facts.cautions[0].contains("type gp3"), "{facts:?}");
    let snapshot = ebs.cut(&cut(&in_tree.0).0).await.unwrap();
    assert_eq!(snapshot.volume, in_tree);
    assert_eq!(server.snapshots()[0].volume, volume);
    assert_eq!(snapshot.details["zone"], "us-east-1a");
}

#[tokio::test]
async fn what_is_not_ours_is_not_deleted() {
    let (server, volume) = sandbox(Ec2Options::default()).await;
    let ebs = connect(&server).await;
    let client = crate::place::Place::Sandbox(server);
    let theirs = client.client().create_snapshot().volume_id(volume).send().await.unwrap().snapshot_id.unwrap();
    let error = ebs.delete(&SnapshotId(theirs)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(words(&error).contains("made by somebody else"), "{}", words(&error));
    assert_eq!(client.server().unwrap().snapshots().len(), 1);
}

#[tokio::test]
async fn a_snapshot_that_is_in_use_is_kept_and_says_by_whom() {
    let (server, volume) = sandbox(Ec2Options::default()).await;
    let ebs = connect(&server).await;
    let snapshot = ready(&ebs, &volume).await;
    assert!(server.use_snapshot(&snapshot.id.0));
    let error = ebs.delete(&snapshot.id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(words(&error).contains("in use by ami-") && !words(&error).contains("lack the right"), "{}", words(&error));
}

#[tokio::test]
async fn the_identity_of_another_volume_is_taken() {
    let (server, volume) = sandbox(Ec2Options::default()).await;
    let other = server.add_volume(NewVolume::default());
    let ebs = connect(&server).await;
    ebs.cut(&cut(&volume).0).await.unwrap();
    assert_eq!(ebs.cut(&cut(&other).0).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(count(&server, "CreateSnapshot"), 1);
}

#[tokio::test]
async fn names_with_wildcards_find_only_themselves() {
    let server = Ec2Server::start(Ec2Options::default()).await.unwrap();
    let ebs = connect(&server).await;
    for (number, cluster) in ["prod*", "prod-1", "prod?1"].into_iter().enumerate() {
        let (mut request, _) = cut(&server.add_volume(NewVolume::default()));
        request.identity = format!("cut-{number}");
        request.owner.cluster = cluster.to_owned();
        ebs.cut(&request).await.unwrap();
    }
    for cluster in ["prod*", "prod-1", "prod?1"] {
        let listed = ebs.list(&Owner { cluster: cluster.to_owned(), ..owner() }).await.unwrap();
        assert_eq!(listed.len(), 1, "{cluster}: {listed:?}");
    }
}
