//! Bad input and bad days: exit code, message, and the state of the cluster afterwards.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD;
use e2e::{Bench, assert_put_back, assert_refused, assert_said};
use pachyderm::client::{Address, Client, ClientOptions};
use pachyderm::proto::pfs::Commit;
use sandbox::cluster::{BUCKET, ClusterOptions, NAMESPACE};
use sandbox::kubernetes::{Fault, FaultAction, Rule};
use sandbox::pachd::pipelines::StopFault;

/// As a user's own client.
async fn client(bench: &Bench) -> Client {
    let address = Address::plaintext("127.0.0.1", bench.cluster.pachd.external().port());
    Client::connect(&address, &ClientOptions::default()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn open_user_commits_are_refused_by_default() {
    let bench = Bench::new().await;
    bench.change_config("open-commits = \"record\"", "open-commits = \"refuse\"");
    assert_refused(&bench, 16, &["raw@master", "--open-commits=record"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_kubeconfig() {
    let bench = Bench::new().await;
    std::fs::remove_file(bench.folder().join("kubeconfig")).unwrap();
    assert_refused(&bench, 11, &["kubeconfig"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_right_is_named_before_anything_changes() {
    let bench = Bench::new().await;
    let everything = |verbs: &[&str]| Rule::new(&["*"], &["*"], verbs);
    bench.cluster.kubernetes.add_user(
        "limited-token",
        "limited",
        vec![
            everything(&["get", "list", "watch"]),
            Rule::new(&[""], &["pods/portforward"], &["create"]),
            Rule::new(&["authorization.k8s.io"], &["selfsubjectaccessreviews"], &["create"]),
        ],
    );
    std::fs::write(bench.folder().join("kubeconfig"), bench.cluster.kubernetes.kubeconfig_of("limited")).unwrap();
    assert_refused(&bench, 13, &["patch services", "create configmaps", "pachsnap rbac"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_would_end_in_the_middle_of_the_pause() {
    let bench = Bench::new().await;
    let ends = jiff::Timestamp::now().as_second() + 600;
    let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(format!("{{\"exp\":{ends}}}")));
    let everything = Rule::new(&["*"], &["*"], &["*"]);
    bench.cluster.kubernetes.add_user(&token, "short", vec![everything]);
    std::fs::write(bench.folder().join("kubeconfig"), bench.cluster.kubernetes.kubeconfig_of("short")).unwrap();
    assert_refused(&bench, 13, &["the Kubernetes token of this kubeconfig ends in", "lower max-pause"]).await;
    bench.write_config("max-pause = \"3m\"\n");
    let ended = bench.run(&["snapshot"]).await;
    assert_said(&ended, 0, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_without_pachd() {
    let bench = Bench::new().await;
    bench.change_config(&format!("namespace = \"{NAMESPACE}\""), "namespace = \"default\"");
    assert_refused(&bench, 12, &["pachd", "-n"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn storage_v2_is_refused() {
    let bench = Bench::with(ClusterOptions { storage_v2: true, ..ClusterOptions::default() }).await;
    assert_refused(&bench, 17, &["STORAGE_V2"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_bucket_credentials() {
    let bench = Bench::new().await;
    let wrong = serde_json::json!({"data": {"minio-secret": "d3Jvbmc="}});
    bench.cluster.kubernetes.merge("secrets", NAMESPACE, "pachyderm-storage-secret", &wrong).unwrap();
    assert_refused(
        &bench,
        13,
        &["GetObject failed at s3://pachyderm-data/pach/", "SignatureDoesNotMatch", "choose others in [bucket]"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_discovered_bucket_is_another_clusters() {
    let bench = Bench::new().await;
    bench.cluster.s3.bucket("other-cluster").put("pach/block/x", "x", None);
    let other = serde_json::json!({"data": {"minio-bucket": "b3RoZXItY2x1c3Rlcg=="}});
    bench.cluster.kubernetes.merge("secrets", NAMESPACE, "pachyderm-storage-secret", &other).unwrap();
    assert_refused(
        &bench,
        17,
        &["other-cluster", "is missing", "isn't the one that this pachd writes to", "pachyderm-storage-secret"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_configuration_field_is_named() {
    let bench = Bench::new().await;
    bench.change_config("open-commits", "open-comits");
    assert_refused(&bench, 11, &["open-comits", "open-commits"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pachd_dies_in_mid_extract() {
    let bench = Bench::new().await;
    let before = bench.picture().await;
    bench.cluster.pachd.faults().abort_extract_after(50);
    let ended = bench.run(&["snapshot"]).await;
    assert_put_back(&bench, &before, &ended, 20, &["metadata stream"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_ends_early_without_an_error() {
    let bench = Bench::new().await;
    let before = bench.picture().await;
    bench.cluster.pachd.faults().truncate_extract_after(197);
    let ended = bench.run(&["snapshot"]).await;
    assert_put_back(&bench, &before, &ended, 20, &["the stream lacks 1 ops: job of "]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_ends_early_without_etcd_to_tell() {
    let bench = Bench::new().await;
    bench.write_config("volume = \"skip\"\n");
    bench.change_config("[cluster]\n", "[cluster]\netcd-address = \"127.0.0.1:1\"\n");
    assert_refused(&bench, 16, &["would be in no artifact", "make etcd reachable"]).await;
    let open = Commit::named("raw", "3e62fdfd14e946f98a1a9a106454ae95");
    client(&bench).await.finish_commit(&open).await.unwrap();
    let before = bench.picture().await;
    bench.cluster.pachd.faults().truncate_extract_after(197);
    let ended = bench.run(&["snapshot"]).await;
    assert_put_back(&bench, &before, &ended, 20, &["26 ops of kind job, pachd lists 27"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_in_which_nothing_moves_is_ended() {
    let bench = Bench::new().await;
    bench.write_config("stall = \"3s\"\n");
    let before = bench.picture().await;
    bench.cluster.pachd.faults().delay_operations(Duration::from_secs(3600));
    let ended = bench.run(&["snapshot"]).await;
    bench.cluster.pachd.faults().delay_operations(Duration::ZERO);
    assert_put_back(&bench, &before, &ended, 20, &["nothing moved for 3 s", "raise stall"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_capture_that_moves_may_take_longer_than_stall() {
    let bench = Bench::new().await;
    bench.write_config("stall = \"3s\"\n");
    // Cluster alpha has 198 operations.
    bench.cluster.pachd.faults().delay_operations(Duration::from_millis(30));
    let ended = bench.run(&["snapshot"]).await;
    assert_said(&ended, 0, &[]);
    let seconds = bench.manifest()["steps"]["capture"].as_f64().unwrap();
    assert!(seconds > 3.0, "the capture took {seconds} s, so the test proves nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_lacks_one_named_object() {
    let bench = Bench::new().await;
    let before = bench.picture().await;
    let tree = bench
        .cluster
        .pachd
        .state()
        .commits()
        .into_iter()
        .filter(|record| record.name.starts_with("images/"))
        .find_map(|record| record.value.tree)
        .unwrap();
    assert!(bench.cluster.s3.bucket(BUCKET).remove(&format!("pach/object/{}", tree.hash)));
    let ended = bench.run(&["snapshot"]).await;
    assert_put_back(&bench, &before, &ended, 20, &[&tree.hash]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_intruder_is_named_with_key_and_revision() {
    let bench = Bench::new().await;
    let before = bench.picture().await;
    bench.cluster.pachd.faults().delay_operations(Duration::from_millis(20));
    let mut running = bench.start(&["snapshot", "--output", "json"]);
    running.wait_for(|event| event["event"] == "step-started" && event["step"] == "capture").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    bench.cluster.pachd.state().store.put("pachyderm/1.7.0/pachyderm_pfs/commits/raw/intruder", "x");
    let revision = bench.cluster.pachd.state().store.revision().to_string();
    let ended = running.end().await;
    bench.cluster.pachd.state().store.delete(b"pachyderm/1.7.0/pachyderm_pfs/commits/raw/intruder");
    assert_put_back(&bench, &before, &ended, 20, &["pachyderm_pfs/commits/raw/intruder", &revision]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ok_is_not_believed_when_a_pipeline_does_not_stop() {
    let bench = Bench::new().await;
    let before = bench.picture().await;
    bench.cluster.pachd.pipelines().add_fault("copy", StopFault::OkButNotStopped);
    let ended = bench.run(&["snapshot"]).await;
    assert_eq!(ended.code, Some(0), "the second try stops it: {}", ended.stderr);
    assert_eq!(before.pipelines, bench.picture().await.pipelines);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_that_died_half_way_gets_its_provenance_back() {
    let bench = Bench::new().await;
    let before = bench.picture().await;
    for _ in 0..4 {
        bench.cluster.pachd.pipelines().add_fault("count", StopFault::DiedAfterProvenance);
    }
    let ended = bench.run(&["snapshot"]).await;
    assert_put_back(&bench, &before, &ended, 20, &["count"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_at_once_one_is_refused() {
    let bench =
        Bench::with(ClusterOptions { master_interval: Duration::from_millis(60), ..ClusterOptions::default() }).await;
    let mut first = bench.start(&["snapshot", "--output", "json"]);
    first.wait_for(|event| event["event"] == "step-started" && event["step"] == "stop").await;
    let second = bench.run(&["snapshot"]).await;
    assert_said(&second, 14, &["pachsnap-undo"]);
    assert_eq!(first.end().await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fence_by_ports_switches_node_ports_and_puts_them_back() {
    let bench = Bench::new().await;
    bench.write_config("fence = \"ports\"\n");
    let before = bench.picture().await;
    let paused = bench.run(&["pause"]).await;
    assert_eq!(paused.code, Some(0), "{}", paused.stderr);
    let pachd = bench.picture().await.services["pachd"].clone();
    assert!(pachd.contains("30649") && !pachd.contains("30650"), "{pachd}");
    let resumed = bench.run(&["resume"]).await;
    assert_eq!(resumed.code, Some(0), "{}", resumed.stderr);
    assert_eq!(before.services, bench.picture().await.services);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_that_fails_is_said_and_resume_goes_on_at_once() {
    let bench = Bench::new().await;
    let before = bench.picture().await;
    bench.cluster.pachd.faults().abort_extract_after(50);
    // The fence goes up, and does not come down again.
    let refused = Fault::new(FaultAction::Status(409)).verb("patch").resource("services").after(3).always();
    bench.cluster.kubernetes.add_fault(refused);
    let ended = bench.run(&["snapshot"]).await;
    assert_said(&ended, 22, &["pachsnap resume"]);
    bench.cluster.kubernetes.clear_faults();
    let resumed = bench.run(&["resume"]).await;
    assert_eq!(resumed.code, Some(0), "{}", resumed.stderr);
    let after = bench.picture().await;
    assert_eq!(before.pipelines, after.pipelines, "{}", resumed.stderr);
    assert_eq!(after.leftovers, Vec::<String>::new());
}
