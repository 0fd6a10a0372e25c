//! An etcd of three members: the disk under its leader is the one that is cut.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::time::Duration;

use e2e::{Bench, assert_as_before, assert_put_back, assert_refused, assert_said};
use sandbox::cluster::{ClusterOptions, ETCD_DATABASE, NAMESPACE};
use serde_json::Value;

const NOT_TOLD: &str = "none of etcd's pods says that it is the leader";

async fn bench() -> Bench {
    Bench::with(ClusterOptions { etcd_members: 3, ..ClusterOptions::default() }).await
}

/// Claim and pod of the only volume in the manifest, and whether its snapshot is of that claim and holds etcd's data.
fn assert_cut(bench: &Bench, member: usize) {
    let manifest = bench.manifest();
    let volumes = manifest["artifacts"]["volumes"].as_array().unwrap();
    assert_eq!(volumes.len(), 1, "one volume is cut");
    let claim = format!("etcd-storage-etcd-{member}");
    assert_eq!(volumes[0]["of"]["claim"], claim.as_str());
    assert_eq!(volumes[0]["of"]["pod"], format!("etcd-{member}"));
    let known: Vec<&Value> =
        manifest["cluster"]["etcd_volumes"].as_array().unwrap().iter().map(|volume| &volume["claim"]).collect();
    assert_eq!(known, ["etcd-storage-etcd-0", "etcd-storage-etcd-1", "etcd-storage-etcd-2"]);
    assert_eq!(manifest["cluster"]["etcd"]["members"], 3);

    let kubernetes = &bench.cluster.kubernetes;
    let name = volumes[0]["snapshot"].as_str().unwrap();
    let snapshot = kubernetes.object("volumesnapshots", NAMESPACE, name).unwrap();
    assert_eq!(snapshot["spec"]["source"]["persistentVolumeClaimName"], claim.as_str());
    let handle = volumes[0]["details"]["snapshot-handle"].as_str().unwrap();
    let database = kubernetes.csi().snapshot_folder(handle).unwrap().join(ETCD_DATABASE);
    assert!(database.metadata().unwrap().len() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_leaders_volume_is_cut_and_the_manifest_says_which() {
    let bench = bench().await;
    let before = bench.picture().await;
    bench.cluster.pachd.etcd_membership().set_leader(Some(2));
    assert_said(&bench.run(&["snapshot"]).await, 0, &[]);
    assert_cut(&bench, 2);
    assert_as_before(&before, &bench.picture().await);
}

/// A member whose pod can't be reached is none that anything depends on, as long as it doesn't lead.
#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_is_away_keeps_nothing_back_unless_it_leads() {
    let bench = bench().await;
    bench.cluster.pachd.etcd_membership().set_leader(Some(2));
    let nobody_listens = ([127, 0, 0, 1], 1).into();
    bench.cluster.kubernetes.set_forward("etcd-1", 2379, nobody_listens);
    assert_said(&bench.run(&["plan"]).await, 0, &[]);
    bench.cluster.pachd.etcd_membership().set_leader(Some(1));
    assert_refused(&bench, 12, &[NOT_TOLD, "etcd-1"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_leader_nothing_is_begun() {
    let bench = bench().await;
    bench.cluster.pachd.etcd_membership().set_leader(None);
    assert_refused(&bench, 12, &[NOT_TOLD, "snapshot.volume to \"skip\""]).await;
    bench.write_config("volume = \"skip\"\n");
    assert_said(&bench.run(&["snapshot"]).await, 0, &["the disk under etcd is not snapshotted"]);
}

/// Whoever leads at the cut counts, not who led when the run began.
#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_changes_before_the_cut_is_followed() {
    let bench = bench().await;
    let mut running = bench.start(&["snapshot", "--output", "json"]);
    running.wait_for_step("fence").await;
    bench.cluster.pachd.etcd_membership().set_leader(Some(1));
    assert_said(&running.end().await, 0, &[]);
    assert_cut(&bench, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_lost_in_the_pause_ends_the_run() {
    let bench = bench().await;
    let before = bench.picture().await;
    bench.cluster.pachd.faults().delay_operations(Duration::from_millis(5));
    let mut running = bench.start(&["snapshot", "--output", "json"]);
    running.wait_for_step("fence").await;
    bench.cluster.pachd.etcd_membership().set_leader(None);
    assert_put_back(&bench, &before, &running.end().await, 20, &[NOT_TOLD]).await;
}
