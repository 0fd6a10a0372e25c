//! Bad days of the cluster itself.

use std::time::Duration;

use e2e::{RealBench, assert_as_before, assert_said};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{DeleteParams, ListParams, Patch};
use kube::{Api, ResourceExt};
use serde_json::json;

use crate::disturbed::{OPERATOR, alone, assert_put_back, changes, in_capture};
use crate::shared;

/// Lets the workers that there are stay in Terminating when they are deleted, or go. Their grace period is 0, so nothing but a
/// finalizer keeps them.
async fn keep_workers(pods: &Api<Pod>, keep: bool) {
    let workers = pods.list(&ListParams::default().labels("component=worker")).await.unwrap();
    assert!(!workers.items.is_empty(), "there are workers");
    let finalizers = if keep { json!(["example.com/kept"]) } else { json!(null) };
    for pod in workers {
        let patch = Patch::Merge(json!({"metadata": {"finalizers": finalizers}}));
        pods.patch(&pod.name_any(), &Default::default(), &patch).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_terminate_slowly_are_waited_for() {
    let bench = RealBench::new(shared().await, "slow-workers").await;
    let before = bench.picture().await;
    keep_workers(&bench.objects(), true).await;
    let mut running = bench.start(&["snapshot", "--output", "json"]);
    running.wait_for_step("stop").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    keep_workers(&bench.objects(), false).await;
    let ended = running.end().await;
    assert_said(&ended, 0, &[]);
    let events = ended.events();
    let stop = events.iter().find(|event| event["event"] == "step-finished" && event["step"] == "stop").unwrap();
    assert!(stop["seconds"].as_f64().unwrap() > 3.0, "the workers were gone before, so the test proves nothing");
    assert_as_before(&before, &bench.picture().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_stay_in_terminating_end_the_run() {
    let bench = RealBench::new(shared().await, "stuck-workers").await;
    bench.write_config("stall = \"3s\"\n");
    let before = bench.picture().await;
    keep_workers(&bench.objects(), true).await;
    let ended = bench.run(&["snapshot"]).await;
    assert_put_back(&bench, &before, &ended, &["nothing moved for 3 s", "component=worker"]).await;
    keep_workers(&bench.objects(), false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_that_somebody_deletes_in_the_pause_is_named_and_the_others_come_back() {
    let bench = RealBench::new(shared().await, "deleted-pipeline").await;
    let mut before = bench.picture().await;
    let running = in_capture(&bench).await;
    bench.cluster.pachd.state().store.delete(b"pachyderm/1.7.0/pachyderm_pps/pipelines/count");
    let ended = running.end().await;
    before.pipelines.remove("count").unwrap();
    assert_put_back(&bench, &before, &ended, &["pachyderm_pps/pipelines/count"]).await;
    assert!(ended.stdout.contains("pipeline count was deleted by somebody"), "{}", ended.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_is_being_deleted_is_refused() {
    let kubernetes = alone().await;
    let bench = RealBench::new(&kubernetes, "doomed").await;
    bench.write_kubeconfig(&kubernetes.api().kubeconfig_of(OPERATOR).unwrap());
    let namespaces: Api<Namespace> = Api::all(bench.client.clone());
    // Kept in Terminating by somebody's finalizer, as a broken operator does.
    let kept = Patch::Merge(json!({"metadata": {"finalizers": ["example.com/kept"]}}));
    namespaces.patch(bench.namespace(), &Default::default(), &kept).await.unwrap();
    namespaces.delete(bench.namespace(), &DeleteParams::default()).await.unwrap();
    let ended = bench.run(&["snapshot"]).await;
    // Its workloads may be gone already, and what is left takes nothing new.
    assert!(matches!(ended.code, Some(12 | 13)), "{}", ended.stderr);
    assert!(ended.stderr.contains("Nothing was changed"), "{}", ended.stderr);
    assert_eq!(changes(&bench), [] as [String; 0]);
    assert_eq!(bench.run_with("manifest.json"), None);
    let lifted = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    namespaces.patch(bench.namespace(), &Default::default(), &lifted).await.unwrap();
}

/// pachd's pod goes and its Deployment makes a new one: connections to the old one break.
#[tokio::test(flavor = "multi_thread")]
async fn a_pachd_that_is_replaced_in_the_middle_ends_the_run() {
    let bench = RealBench::new(shared().await, "replaced").await;
    let before = bench.picture().await;
    let running = in_capture(&bench).await;
    let pods = bench.objects::<Pod>();
    let old = pods.list(&ListParams::default().labels("app=pachd")).await.unwrap();
    for pod in old {
        pods.delete(&pod.name_any(), &DeleteParams::default()).await.unwrap();
    }
    bench.cluster.pachd.drop_connections();
    let ended = running.end().await;
    assert_put_back(&bench, &before, &ended, &["metadata stream"]).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    bench.cluster.pachd.faults().delay_operations(Duration::ZERO);
    assert_said(&bench.run(&["snapshot"]).await, 0, &[]);
}
