//! The disk half of a recovery point, on good days and bad ones: exit code, message, and what is left.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::time::Duration;

use e2e::{Bench, assert_as_before, assert_put_back, assert_refused, assert_said};
use sandbox::cluster::{NAMESPACE, Storage};
use sandbox::kubernetes::{CsiCall, GrpcCode, Rule};
use serde_json::Value;

fn volume_snapshots(bench: &Bench) -> Vec<Value> {
    bench.cluster.kubernetes.objects("volumesnapshots", Some(NAMESPACE))
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_class_etcds_own_snapshot_stands_for_the_disk_and_that_is_said() {
    let bench = Bench::new().await;
    bench.cluster.kubernetes.delete("volumesnapshotclasses", "", "pachsnap-retain").unwrap();
    let planned = bench.run(&["plan"]).await;
    assert_said(&planned, 0, &[]);
    let why = "no VolumeSnapshotClass is for driver csidir.pachsnap.io";
    assert!(planned.stdout.contains(why), "{}", planned.stdout);
    assert_said(&bench.run(&["snapshot"]).await, 0, &[why, "etcd's own snapshot stands for the disk"]);
    let manifest = bench.manifest();
    assert_eq!(manifest["artifacts"]["volumes"], serde_json::json!([]));
    assert!(manifest["warnings"].to_string().contains(why), "{}", manifest["warnings"]);

    let bench = Bench::new().await;
    bench.cluster.kubernetes.delete("volumesnapshotclasses", "", "pachsnap-retain").unwrap();
    bench.write_config("volume = \"require\"\n");
    assert_refused(&bench, 11, &[why, "snapshot.volume"]).await;
    bench.write_config("volume = \"require\"\nvolume-class = \"weekly\"\n");
    assert_refused(&bench, 10, &["there is no VolumeSnapshotClass weekly"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_right_is_named_before_anything_changes() {
    let bench = Bench::new().await;
    let all = Rule::new(&["", "apps", "batch", "coordination.k8s.io", "authorization.k8s.io"], &["*"], &["*"]);
    let some = Rule::new(&["snapshot.storage.k8s.io"], &["volumesnapshotclasses"], &["list"]);
    bench.cluster.kubernetes.add_user("limited-token", "limited", vec![all, some]);
    std::fs::write(bench.folder().join("kubeconfig"), bench.cluster.kubernetes.kubeconfig_of("limited")).unwrap();
    let words = ["create volumesnapshots.snapshot.storage.k8s.io", "patch volumesnapshotcontents", "pachsnap rbac"];
    assert_refused(&bench, 13, &words).await;
    bench.write_config("volume = \"skip\"\n");
    assert_said(&bench.run(&["snapshot"]).await, 0, &["the disk under etcd is not snapshotted"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_of_the_driver_that_pass_are_ridden_out_and_told() {
    let bench = Bench::new().await;
    let before = bench.picture().await;
    let csi = bench.cluster.kubernetes.csi();
    csi.fail(CsiCall::CreateSnapshot, GrpcCode::Unavailable, "the array reboots");
    let mut running = bench.start(&["snapshot", "--output", "json"]);
    running.wait_for(|event| event["event"] == "changing" && event["action"] == "snapshot volume").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    csi.clear_faults();
    let ended = running.end().await;
    assert_said(&ended, 0, &[]);
    assert!(ended.stdout.contains("the array reboots"), "a warning tells of it: {}", ended.stdout);
    assert_as_before(&before, &bench.picture().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_driver_that_nobody_serves_ends_the_capture_and_leaves_nothing() {
    let bench = Bench::new().await;
    bench.write_config("stall = \"3s\"\n");
    let before = bench.picture().await;
    bench.cluster.kubernetes.csi().set_served(false);
    let ended = bench.run(&["snapshot"]).await;
    bench.cluster.kubernetes.csi().set_served(true);
    let words = ["within 3 s", "does a csi-snapshotter serve this driver?", "snapshot.volume to \"skip\""];
    assert_said(&ended, 20, &words);
    assert_as_before(&before, &bench.picture().await);
    for _ in 0..200 {
        if volume_snapshots(&bench).is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("a snapshot is left: {:?}", volume_snapshots(&bench));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_of_a_run_that_fails_is_deleted_with_its_data() {
    let bench = Bench::new().await;
    let before = bench.picture().await;
    bench.cluster.pachd.faults().abort_extract_after(50);
    bench.cluster.pachd.faults().delay_operations(Duration::from_millis(20));
    let ended = bench.run(&["snapshot"]).await;
    assert_put_back(&bench, &before, &ended, 20, &["metadata stream"]).await;
    assert_eq!(bench.cluster.kubernetes.objects("volumesnapshotcontents", None), Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_is_ready_later_is_waited_for_while_the_cluster_runs() {
    let bench = Bench::new().await;
    bench.write_config("ready-timeout = \"1s\"\n");
    let before = bench.picture().await;
    bench.cluster.kubernetes.csi().set_ready(false);
    let ended = bench.run(&["snapshot"]).await;
    assert_said(&ended, 20, &["is not ready after 1 s", "pachsnap finish"]);
    assert_as_before(&before, &bench.picture().await);
    assert_eq!(volume_snapshots(&bench).len(), 1, "what was captured stays");
    assert!(bench.run_with("manifest.json").is_none());
    bench.cluster.kubernetes.csi().set_ready(true);
    assert_said(&bench.run(&["finish", "latest"]).await, 0, &[]);
    assert_eq!(bench.manifest()["artifacts"]["volumes"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_the_node_has_no_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::Local(folder.path().to_owned());
    let bench = Bench::with(sandbox::cluster::ClusterOptions { storage, ..Default::default() }).await;
    bench.change_config("[vault]", &format!("[bucket]\npath = \"{}/pachd\"\n\n[vault]", folder.path().display()));
    let ended = bench.run(&["plan"]).await;
    assert_said(&ended, 0, &[]);
    assert!(ended.stdout.contains("(hostPath): no provider for it is configured"), "{}", ended.stdout);
}
