//! The fence, with other people at the same Services.

use std::time::Duration;

use e2e::{RealBench, assert_as_before, assert_said};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use kube::api::{ListParams, Patch, PostParams};
use sandbox::programs::kubernetes::KubernetesBench;
use serde_json::{Value, json};

use crate::disturbed::{again_and_again, alone, assert_put_back, assert_refused, in_capture, with_documented_ports};
use crate::shared;

/// How many endpoints the Service of the dashboard has, once that number is reached or time is up.
async fn endpoints(bench: &RealBench<'_>, wanted: usize) -> usize {
    let of_dash = ListParams::default().labels("kubernetes.io/service-name=dash");
    let mut found = usize::MAX;
    for _ in 0..1_800 {
        let slices = bench.objects::<EndpointSlice>().list(&of_dash).await.unwrap();
        found = slices.iter().map(|slice| slice.endpoints.as_ref().map_or(0, Vec::len)).sum();
        if found == wanted {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    found
}

async fn service(bench: &RealBench<'_>, name: &str) -> Value {
    serde_json::to_value(bench.objects::<Service>().get(name).await.unwrap()).unwrap()
}

async fn patch_pachd(bench: &RealBench<'_>, patch: Value) {
    let services = bench.objects::<Service>();
    services.patch("pachd", &Default::default(), &Patch::Strategic(patch)).await.unwrap();
}

/// A Service of somebody else, in another namespace.
async fn create_elsewhere(kubernetes: &KubernetesBench, name: &str, node_port: i32) -> kube::Result<Service> {
    let client = kubernetes.api().client().await.unwrap();
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let namespace = serde_json::from_value(json!({"metadata": {"name": "elsewhere"}})).unwrap();
    let _ = namespaces.create(&PostParams::default(), &namespace).await;
    let service = json!({
        "metadata": {"name": name},
        "spec": {"type": "NodePort", "ports": [{"port": 80, "nodePort": node_port}]},
    });
    let services: Api<Service> = Api::namespaced(client, "elsewhere");
    services.create(&PostParams::default(), &serde_json::from_value(service).unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fence_by_selector_leaves_no_endpoint() {
    let bench = RealBench::new(shared().await, "by-selector").await;
    // No endpoint is at a loopback address, where the sandbox serves; the dashboard's pod can be anywhere.
    let anywhere = json!({"spec": {"template": {"metadata": {"annotations": {"bench.pachsnap.io/pod-ip": null}}}}});
    bench.objects::<Deployment>().patch("dash", &Default::default(), &Patch::Merge(anywhere)).await.unwrap();
    let before = bench.picture().await;
    assert_eq!(endpoints(&bench, 1).await, 1);
    assert_said(&bench.run(&["pause"]).await, 0, &[]);
    assert_eq!(endpoints(&bench, 0).await, 0);
    assert_eq!(before.services["etcd"], bench.picture().await.services["etcd"], "etcd's Services are never touched");
    assert_said(&bench.run(&["resume"]).await, 0, &[]);
    assert_eq!(endpoints(&bench, 1).await, 1);
    assert_as_before(&before, &bench.picture().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fence_by_ports_switches_by_name_and_keeps_the_freed_numbers() {
    let kubernetes = alone().await;
    let bench = with_documented_ports(&kubernetes, "by-ports").await;
    bench.write_config("fence = \"ports\"\n");
    let before = bench.picture().await;
    assert_said(&bench.run(&["pause"]).await, 0, &[]);
    let paused = bench.picture().await;
    for (from, to) in [(30650, 30649), (30651, 30648), (30652, 30647)] {
        let now = &paused.services["pachd"];
        assert!(now.contains(&to.to_string()) && !now.contains(&from.to_string()), "{from}: {now}");
        assert!(paused.services["pachsnap-hold-pachd"].contains(&from.to_string()), "{from} is not held");
        let taken = create_elsewhere(&kubernetes, "greedy", from).await;
        assert!(matches!(taken, Err(kube::Error::Api(status)) if status.code == 422), "{from} can be taken");
    }
    assert_said(&bench.run(&["resume"]).await, 0, &[]);
    assert_as_before(&before, &bench.picture().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_that_can_not_be_had_are_refused_before_anything_changes() {
    let kubernetes = alone().await;
    let bench = with_documented_ports(&kubernetes, "not-to-be-had").await;
    bench.write_config("fence = \"ports\"\n");
    create_elsewhere(&kubernetes, "owner", 30649).await.unwrap();
    assert_refused(&bench, 11, &["node port 30649 is used by Service owner", "port-map"]).await;
    // The API server answers 500 to one number for two ports of a Service.
    bench.write_config("fence = \"ports\"\nport-map = { 30650 = 31650, 30651 = 31650 }\n");
    assert_refused(&bench, 11, &["port-map", "each number once"]).await;
}

/// Which numbers are valid only the API server knows, and it does not say so in a dry run.
#[tokio::test(flavor = "multi_thread")]
async fn a_number_out_of_range_ends_the_run_at_the_fence() {
    let kubernetes = alone().await;
    let bench = with_documented_ports(&kubernetes, "out-of-range").await;
    bench.write_config("fence = \"ports\"\nport-map = { 30650 = 40650 }\n");
    let before = bench.picture().await;
    let ended = bench.run(&["snapshot"]).await;
    assert_put_back(&bench, &before, &ended, &["40650", "The range of valid ports is 30000-32767"]).await;
}

/// Edits of a person or of another program: a label, an annotation, one more port.
async fn edit(bench: &RealBench<'_>) {
    patch_pachd(
        bench,
        json!({
            "metadata": {"labels": {"team": "data"}, "annotations": {"note": "made during the pause"}},
            "spec": {"ports": [{"name": "one-more", "port": 9999, "targetPort": 9999}]},
        }),
    )
    .await;
}

async fn assert_edits_survive(bench: &RealBench<'_>, earlier: &Value) {
    let mut after = service(bench, "pachd").await;
    assert_eq!(after["metadata"]["labels"]["team"], "data");
    assert_eq!(after["metadata"]["annotations"]["note"], "made during the pause");
    let ports = after["spec"]["ports"].as_array_mut().unwrap();
    let length = ports.len();
    ports.retain(|port| port["name"] != "one-more");
    assert_eq!(length, ports.len() + 1, "the new port is there once");
    assert_eq!(after["spec"], earlier["spec"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_during_a_fence_by_selector_survive_the_undo() {
    let bench = RealBench::new(shared().await, "edited").await;
    let earlier = service(&bench, "pachd").await;
    let running = in_capture(&bench).await;
    edit(&bench).await;
    assert_said(&running.end().await, 0, &[]);
    assert_edits_survive(&bench, &earlier).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_during_a_fence_by_ports_survive_the_undo() {
    let kubernetes = alone().await;
    let bench = with_documented_ports(&kubernetes, "edited-ports").await;
    bench.write_config("fence = \"ports\"\n");
    let earlier = service(&bench, "pachd").await;
    let running = in_capture(&bench).await;
    edit(&bench).await;
    assert_said(&running.end().await, 0, &[]);
    assert_edits_survive(&bench, &earlier).await;
}

/// GitOps that puts the selector back as it is written down.
#[tokio::test(flavor = "multi_thread")]
async fn a_selector_that_is_healed_ends_the_run() {
    let bench = RealBench::new(shared().await, "healed").await;
    let before = bench.picture().await;
    let running = in_capture(&bench).await;
    let services = bench.objects::<Service>();
    let healing = again_and_again(Duration::from_millis(20), move || {
        let services = services.clone();
        async move {
            let patch = Patch::Merge(json!({"spec": {"selector": {"pachsnap.io/fence": null}}}));
            let _ = services.patch("pachd", &Default::default(), &patch).await;
        }
    });
    let ended = running.end().await;
    drop(healing);
    assert_put_back(&bench, &before, &ended, &["the fence of Service pachd was taken down by somebody", "GitOps"])
        .await;
}

/// The same, at work from the first moment on.
#[tokio::test(flavor = "multi_thread")]
async fn a_selector_that_is_healed_at_once_ends_the_run() {
    let bench = RealBench::new(shared().await, "healed-at-once").await;
    let before = bench.picture().await;
    let services = bench.objects::<Service>();
    let healing = again_and_again(Duration::ZERO, move || {
        let services = services.clone();
        async move {
            let patch = Patch::Merge(json!({"spec": {"selector": {"pachsnap.io/fence": null}}}));
            let _ = services.patch("pachd", &Default::default(), &patch).await;
        }
    });
    let ended = bench.run(&["snapshot"]).await;
    drop(healing);
    assert_put_back(&bench, &before, &ended, &["was taken down by somebody"]).await;
}

/// Writes the ports of pachd as they are declared, where they are not so, and prunes what is not declared.
async fn heal_ports(services: &Api<Service>, declared: &Value) {
    let Ok(Some(found)) = services.get_opt("pachd").await else { return };
    if serde_json::to_value(found.spec.unwrap().ports).unwrap() != *declared {
        let _ = services.delete("pachsnap-hold-pachd", &Default::default()).await;
        let patch = Patch::Merge(json!({"spec": {"ports": declared}}));
        let _ = services.patch("pachd", &Default::default(), &patch).await;
    }
}

/// GitOps that writes the node ports back. As long as the placeholder has them, Kubernetes refuses; it is pruned here.
#[tokio::test(flavor = "multi_thread")]
async fn node_ports_that_are_healed_end_the_run() {
    let kubernetes = alone().await;
    let bench = with_documented_ports(&kubernetes, "healed-ports").await;
    bench.write_config("fence = \"ports\"\n");
    let before = bench.picture().await;
    let declared = service(&bench, "pachd").await["spec"]["ports"].clone();
    let running = in_capture(&bench).await;
    let services = bench.objects::<Service>();
    let healing = again_and_again(Duration::from_millis(20), move || {
        let (services, declared) = (services.clone(), declared.clone());
        async move {
            heal_ports(&services, &declared).await;
        }
    });
    let ended = running.end().await;
    drop(healing);
    assert_put_back(&bench, &before, &ended, &["the fence of Service pachd was taken down by somebody"]).await;
}

/// The same, at work from the first moment on: it may be faster than the placeholder.
#[tokio::test(flavor = "multi_thread")]
async fn node_ports_that_are_healed_at_once_end_the_run() {
    let kubernetes = alone().await;
    let bench = with_documented_ports(&kubernetes, "healed-ports-at-once").await;
    bench.write_config("fence = \"ports\"\n");
    let before = bench.picture().await;
    let declared = service(&bench, "pachd").await["spec"]["ports"].clone();
    let services = bench.objects::<Service>();
    let healing = again_and_again(Duration::ZERO, move || {
        let (services, declared) = (services.clone(), declared.clone());
        async move {
            heal_ports(&services, &declared).await;
        }
    });
    let ended = bench.run(&["snapshot"]).await;
    drop(healing);
    assert_put_back(&bench, &before, &ended, &["somebody"]).await;
}
