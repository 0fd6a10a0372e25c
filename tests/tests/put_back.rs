//! Putting a cluster back when something stands in the way: servers that are away, a master that does not move, a record that
//! somebody deleted, a cluster that changed while the clone was filled.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::time::Duration;

use e2e::{Bench, Ended, Pair, Running, assert_as_before, assert_said};
use sandbox::cluster::NAMESPACE;
use sandbox::kubernetes::{Fault, FaultAction, Rule};
use sandbox::s3::Operation;

async fn snapshot_up_to(bench: &Bench, step: &str) -> Running {
    let mut running = bench.start(&["snapshot", "--output", "json"]);
    running.wait_for_step(step).await;
    running
}

fn assert_ended(ended: &Ended, code: i32) {
    assert_said(ended, code, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn pachd_that_is_away_while_the_cluster_is_put_back_is_waited_for() {
    let bench = Bench::new().await;
    let before = bench.picture().await;
    let running = snapshot_up_to(&bench, "gate").await;
    bench.cluster.kubernetes.remove_forward("app=pachd", 650);
    bench.cluster.pachd.drop_connections();
    tokio::time::sleep(Duration::from_secs(2)).await;
    bench.cluster.kubernetes.set_forward("app=pachd", 650, bench.cluster.pachd.external());
    assert_ended(&running.end().await, 0);
    assert_as_before(&before, &bench.picture().await);
}

/// Dead in mid-extract, and it stays dead: what is not pachd's is put back, the record stays, and a resume ends it.
#[tokio::test(flavor = "multi_thread")]
async fn pachd_that_dies_and_stays_away_leaves_only_its_pipelines() {
    let bench = Bench::new().await;
    bench.add_loaders("stall = \"1s\"\n");
    let before = bench.picture().await;
    bench.cluster.pachd.faults().delay_operations(Duration::from_millis(20));
    let running = snapshot_up_to(&bench, "capture").await;
    for port in [650, 653] {
        bench.cluster.kubernetes.remove_forward("app=pachd", port);
    }
    bench.cluster.pachd.drop_connections();
    let ended = running.end().await;
    assert_said(&ended, 22, &["pipelines could not be started", "pachsnap resume"]);
    let after = bench.picture().await;
    assert_eq!((before.services, before.workloads), (after.services, after.workloads), "fence and loaders are back");
    assert!(!after.leftovers.is_empty(), "the record stays");
    assert_eq!(bench.run_with("manifest.json"), None);

    bench.cluster.pachd.faults().delay_operations(Duration::ZERO);
    bench.cluster.kubernetes.set_forward("app=pachd", 650, bench.cluster.pachd.external());
    bench.cluster.kubernetes.set_forward("app=pachd", 653, bench.cluster.pachd.peer());
    assert_ended(&bench.run(&["resume"]).await, 0);
    let resumed = bench.picture().await;
    assert_eq!(before.pipelines, resumed.pipelines);
    assert_eq!(resumed.leftovers, Vec::<String>::new());
}

/// The watch is the proof: without it the run is void, and the pause ends at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_breaks_ends_the_pause_at_once() {
    let bench = Bench::new().await;
    let before = bench.picture().await;
    bench.cluster.pachd.faults().delay_operations(Duration::from_secs(3600));
    let mut running = snapshot_up_to(&bench, "capture").await;
    // Only the watch is left on these connections by then.
    running.wait_for(|event| event["event"] == "artifact-captured" && event["artifact"] == "etcd").await;
    bench.cluster.pachd.drop_etcd_connections();
    let ended = running.end().await;
    assert_ended(&ended, 20);
    assert!(ended.stderr.contains("quiet could not be proven"), "{}", ended.stderr);
    assert_as_before(&before, &bench.picture().await);
    assert_eq!(bench.run_with("manifest.json"), None);
}

/// A request whose reply is lost has been carried out: the record is ours.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_whose_reply_is_lost_is_still_ours() {
    let bench = Bench::new().await;
    let before = bench.picture().await;
    bench
        .cluster
        .kubernetes
        .add_fault(Fault::new(FaultAction::LoseReply).verb("create").resource("configmaps").times(1));
    assert_ended(&bench.run(&["snapshot"]).await, 0);
    assert_as_before(&before, &bench.picture().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loader_that_somebody_deletes_is_named_and_keeps_nothing_back() {
    let bench = Bench::new().await;
    bench.add_loaders("");
    bench.cluster.pachd.faults().delay_operations(Duration::from_millis(5));
    let running = snapshot_up_to(&bench, "capture").await;
    bench.cluster.kubernetes.delete("deployments", NAMESPACE, "importer").unwrap();
    let ended = running.end().await;
    assert_ended(&ended, 0);
    assert!(ended.stdout.contains("is gone: somebody deleted it during the pause"), "{}", ended.stdout);
    assert_eq!(bench.picture().await.leftovers, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_refuses_for_a_while_does_not_leave_the_fence_up() {
    let bench = Bench::new().await;
    let before = bench.picture().await;
    let running = snapshot_up_to(&bench, "gate").await;
    bench
        .cluster
        .kubernetes
        .add_fault(Fault::new(FaultAction::Status(503)).verb("patch").resource("services").times(12));
    assert_ended(&running.end().await, 0);
    assert_as_before(&before, &bench.picture().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_point_of_a_cluster_that_stays_paused_is_21_and_resume_ends_it() {
    let bench = Bench::new().await;
    bench.write_config("stall = \"1s\"\n");
    let before = bench.picture().await;
    let running = snapshot_up_to(&bench, "gate").await;
    bench
        .cluster
        .kubernetes
        .add_fault(Fault::new(FaultAction::Status(409)).verb("patch").resource("services").always());
    let ended = running.end().await;
    assert_ended(&ended, 21);
    assert!(ended.stderr.contains("pachsnap resume"), "{}", ended.stderr);
    assert!(bench.run_with("manifest.json").is_some());
    bench.cluster.kubernetes.clear_faults();
    let resumed = bench.run(&["resume"]).await;
    assert_ended(&resumed, 0);
    assert_as_before(&before, &bench.picture().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_that_never_leaves_its_pause_keeps_the_record() {
    let bench = Bench::new().await;
    bench.write_config("stall = \"1s\"\n");
    let before = bench.picture().await;
    let running = snapshot_up_to(&bench, "gate").await;
    bench.cluster.pachd.pipelines().freeze("count");
    let ended = running.end().await;
    assert_ended(&ended, 21);
    assert!(ended.stderr.contains("pipeline count was started and still is"), "{}", ended.stderr);
    assert!(!bench.picture().await.leftovers.is_empty(), "the record stays");
    bench.cluster.pachd.pipelines().thaw();
    assert_ended(&bench.run(&["resume"]).await, 0);
    assert_as_before(&before, &bench.picture().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_somebody_deletes_voids_the_run_and_is_put_back_from_memory() {
    let bench = Bench::new().await;
    let before = bench.picture().await;
    bench.cluster.pachd.faults().delay_operations(Duration::from_millis(5));
    let running = snapshot_up_to(&bench, "capture").await;
    bench.cluster.kubernetes.delete("configmaps", NAMESPACE, "pachsnap-undo").unwrap();
    let ended = running.end().await;
    assert_ended(&ended, 20);
    assert!(ended.stderr.contains("undo record"), "{}", ended.stderr);
    assert_as_before(&before, &bench.picture().await);
    assert_eq!(bench.run_with("manifest.json"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_that_is_stopped_while_the_clone_is_filled_stays_stopped() {
    let bench = Bench::new().await;
    bench.cluster.s3.set_latency(Operation::GetObject, Duration::from_millis(40));
    let running = snapshot_up_to(&bench, "pre-copy").await;
    bench.cluster.pachd.pipelines().stop("count").unwrap();
    let stopped = bench.picture().await;
    assert!(stopped.pipelines["count"].1);
    assert_ended(&running.end().await, 0);
    assert_as_before(&stopped, &bench.picture().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_that_takes_too_long_ends_and_everything_is_put_back() {
    let bench = Bench::new().await;
    bench.write_config("max-pause = \"1500ms\"\n");
    let before = bench.picture().await;
    bench.cluster.pachd.faults().delay_operations(Duration::from_millis(50));
    let ended = bench.run(&["snapshot"]).await;
    assert_ended(&ended, 20);
    assert!(ended.stderr.contains("max-pause"), "{}", ended.stderr);
    assert_as_before(&before, &bench.picture().await);
    assert_eq!(bench.run_with("manifest.json"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_is_called_to_pause_and_to_put_back() {
    let bench = Bench::new().await;
    let log = bench.folder().join("hook.log").display().to_string();
    bench.write_config(&format!(
        "\n[[loader]]\nkind = \"hook\"\nname = \"ingest\"\n\
         pause = [\"sh\", \"-c\", \"echo pause >> {log}\"]\nresume = [\"sh\", \"-c\", \"echo resume >> {log}\"]\n"
    ));
    assert_ended(&bench.run(&["snapshot"]).await, 0);
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "pause\nresume\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fence_by_ports_that_keeps_nothing_out_is_refused() {
    let bench = Bench::new().await;
    bench.write_config("fence = \"ports\"\nport-map = { 31999 = 31998 }\n");
    let before = bench.picture().await;
    let ended = bench.run(&["snapshot"]).await;
    assert_ended(&ended, 11);
    assert!(ended.stderr.contains("port-map"), "{}", ended.stderr);
    assert_as_before(&before, &bench.picture().await);
}

/// The rules of every Role and ClusterRole that `pachsnap rbac` prints.
fn printed_rules(yaml: &str) -> Vec<Rule> {
    let texts = |value: &serde_json::Value| -> Vec<String> {
        value.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect()
    };
    let mut rules = Vec::new();
    for document in yaml.split("---\n").filter(|document| !document.trim().is_empty()) {
        let object: serde_json::Value = serde_yaml_ng::from_str(document).unwrap();
        let namespaces: Vec<String> = object["metadata"]["namespace"].as_str().map(str::to_owned).into_iter().collect();
        for rule in object["rules"].as_array().into_iter().flatten() {
            rules.push(Rule {
                api_groups: texts(&rule["apiGroups"]),
                resources: texts(&rule["resources"]),
                verbs: texts(&rule["verbs"]),
                namespaces: namespaces.clone(),
                ..Rule::default()
            });
        }
    }
    rules
}

async fn assert_the_printed_role_is_enough(config: &str) {
    let bench = Bench::new().await;
    bench.write_config(config);
    let printed = bench.run(&["rbac", "--for", "snapshot"]).await;
    assert_ended(&printed, 0);
    let mut rules = printed_rules(&printed.stdout);
    // Every authenticated user of a cluster may ask what it may do.
    rules.push(Rule::new(&["authorization.k8s.io"], &["selfsubjectaccessreviews"], &["create"]));
    bench.cluster.kubernetes.add_user("printed-token", "printed", rules);
    std::fs::write(bench.folder().join("kubeconfig"), bench.cluster.kubernetes.kubeconfig_of("printed")).unwrap();
    assert_ended(&bench.run(&["snapshot"]).await, 0);
    assert_ended(&bench.run(&["pause"]).await, 0);
    assert_ended(&bench.run(&["resume"]).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_printed_role_is_enough_for_a_snapshot() {
    assert_the_printed_role_is_enough("").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_printed_role_is_enough_for_a_fence_by_ports() {
    assert_the_printed_role_is_enough("fence = \"ports\"\n").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_printed_role_is_enough_for_a_restore() {
    let pair = Pair::new().await;
    let printed = pair.run(&["rbac", "--for", "restore"]).await;
    assert_ended(&printed, 0);
    let mut rules = printed_rules(&printed.stdout);
    rules.push(Rule::new(&["authorization.k8s.io"], &["selfsubjectaccessreviews"], &["create"]));
    let kubernetes = &pair.target.kubernetes;
    let use_rules = |name: &str, rules: Vec<Rule>| {
        kubernetes.add_user(&format!("{name}-token"), name, rules);
        std::fs::write(pair.source.folder().join("target.kubeconfig"), kubernetes.kubeconfig_of(name)).unwrap();
    };
    let lacking = rules.iter().filter(|rule| !rule.resources.contains(&"leases".to_owned())).cloned().collect();
    use_rules("lacking", lacking);
    let restore = ["restore", "latest", "--from", "etcd"];
    pair.assert_refused(&restore, 13, &["create leases", "pachsnap rbac --for restore"]).await;
    use_rules("printed", rules);
    assert_ended(&pair.run(&restore).await, 0);
}
