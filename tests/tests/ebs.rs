//! A cluster whose etcd is on an in-tree EBS volume: the binary asks EC2 for the snapshot.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::time::Duration;

use e2e::{Bench, assert_as_before, assert_refused, assert_said};
use sandbox::cluster::ClusterOptions;
use sandbox::ec2::{Ec2Fault, Ec2Options, Ec2Server, NewVolume};

/// A bench whose etcd has a volume of this EC2.
async fn bench() -> (Bench, Ec2Server) {
    let server = Ec2Server::start(Ec2Options::default()).await.unwrap();
    let volume = server.add_volume(NewVolume::default());
    let bench = Bench::with(ClusterOptions::on_ebs(&volume)).await;
    let ebs = format!("volume = \"require\"\n\n[ebs]\nregion = \"us-east-1\"\nendpoint = \"{}\"\n", server.endpoint());
    bench.write_config(&ebs);
    bench.set_environment(&[("AWS_ACCESS_KEY_ID", "sandbox"), ("AWS_SECRET_ACCESS_KEY", "secret")]);
    (bench, server)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_leaves_one_snapshot_which_the_manifest_names() {
    let (bench, server) = bench().await;
    let before = bench.picture().await;
    server.add_fault(Ec2Fault::lose_reply().on("CreateSnapshot").after(1));
    let ended = bench.run(&["snapshot"]).await;
    assert_said(&ended, 0, &["the answer to CreateSnapshot was lost", "lives in region us-east-1"]);
    assert_as_before(&before, &bench.picture().await);
    let made = server.snapshots();
    assert_eq!(made.len(), 1, "{made:?}");
    let recorded = bench.manifest()["artifacts"]["volumes"][0].clone();
    assert_eq!(recorded["snapshot"], made[0].id);
    assert_eq!(recorded["details"]["zone"], "us-east-1a");
    assert_eq!(made[0].tags["pachsnap-cluster"], "alpha");

    assert_said(&bench.run(&["verify", "latest"]).await, 0, &[]);
    let run = bench.run_with("manifest.json").unwrap();
    assert_said(&bench.run(&["delete", &run, "--yes"]).await, 0, &[]);
    assert!(server.snapshots().is_empty(), "{:?}", server.snapshots());
}

/// The run waits until EC2 must have listed everything that it has cut, so this takes a minute.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_with_listings_that_lag_leaves_one_snapshot_in_the_end() {
    let (bench, server) = bench().await;
    // Longer than the snapshot of a lost answer is looked for.
    server.change(|options| options.lag = Duration::from_secs(8));
    server.add_fault(Ec2Fault::lose_reply().on("CreateSnapshot").after(1));
    assert_said(&bench.run(&["snapshot"]).await, 0, &["the answer to CreateSnapshot was lost"]);
    let cuts = server.calls().into_iter().filter(|call| call.action == "CreateSnapshot");
    assert_eq!(cuts.filter(|call| !call.parameters.contains_key("DryRun")).count(), 2, "it was asked for again");
    let left = server.snapshots();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(bench.manifest()["artifacts"]["volumes"][0]["snapshot"], left[0].id);
}

/// What EC2 answers to a request that was signed by a clock that is minutes off.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_wrong_is_told_before_anything_changes() {
    let (bench, server) = bench().await;
    let expired = Ec2Fault::refuse(400, "RequestExpired", "Request has expired.");
    server.add_fault(expired.lasting(Duration::from_secs(3600)));
    assert_refused(&bench, 13, &["RequestExpired"]).await;
    assert!(server.snapshots().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_right_is_named_before_anything_changes() {
    let (bench, server) = bench().await;
    server.deny("ec2:CreateSnapshot");
    assert_refused(&bench, 13, &["ec2:CreateSnapshot", "grant that right"]).await;
    assert!(server.snapshots().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_fails_after_the_resume_makes_no_recovery_point_and_is_pruned() {
    let (bench, server) = bench().await;
    let before = bench.picture().await;
    server.fail_next_snapshot("Client.InternalError: Given key ID is not accessible");
    let ended = bench.run(&["snapshot"]).await;
    assert_said(&ended, 20, &["Given key ID is not accessible"]);
    assert_as_before(&before, &bench.picture().await);
    assert!(bench.run_with("manifest.json").is_none());
    assert_said(&bench.run(&["prune", "--older-than", "0s", "--yes"]).await, 0, &[]);
    assert!(server.snapshots().is_empty(), "{:?}", server.snapshots());
}
