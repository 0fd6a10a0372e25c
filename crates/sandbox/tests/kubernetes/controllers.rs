//! What moves by itself: pods follow workloads, endpoints follow selectors, everything goes with its namespace.

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{ConfigMap, Endpoints, Namespace, PersistentVolumeClaim, Pod, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::json;

use crate::cases;
use crate::place::{Place, until};

cases! {
    both: [
        a_selector_fence_empties_the_endpoints_and_keeps_the_ports on bench,
        scaling_moves_pods on bench,
        deleting_a_namespace_takes_everything_in_it on bench,
    ],
    sandbox: [],
}

async fn a_selector_fence_empties_the_endpoints_and_keeps_the_ports(place: Place) {
    place.deploy(&place.namespace, false).await.unwrap();
    let (services, endpoints) = (place.api::<Service>(), place.api::<Endpoints>());
    let addresses = || async {
        let subsets = endpoints.get_opt("pachd").await.unwrap().and_then(|it| it.subsets).unwrap_or_default();
        subsets.into_iter().filter_map(|it| it.addresses).map(|it| it.len()).sum::<usize>()
    };
    let slices = place.api::<EndpointSlice>();
    let of_pachd = ListParams::default().labels("kubernetes.io/service-name=pachd");
    let in_slices = || async {
        let slices = slices.list(&of_pachd).await.unwrap().items;
        slices.into_iter().map(|slice| slice.endpoints.unwrap_or_default().len()).sum::<usize>()
    };
    until(|| async { addresses().await == 1 && in_slices().await == 1 }).await;
    let before = services.get("pachd").await.unwrap();
    let fence = json!({"spec": {"selector": {"pachsnap.io/fence": "run"}}});
    services.patch("pachd", &PatchParams::default(), &Patch::Merge(fence)).await.unwrap();
    until(|| async { addresses().await == 0 && in_slices().await == 0 }).await;
    let lift = json!({"spec": {"selector": {"pachsnap.io/fence": null}}});
    let after = services.patch("pachd", &PatchParams::default(), &Patch::Merge(lift)).await.unwrap();
    assert_eq!(after.spec, before.spec);
    until(|| async { addresses().await == 1 && in_slices().await == 1 }).await;
}

async fn scaling_moves_pods(place: Place) {
    place.deploy(&place.namespace, false).await.unwrap();
    let (deployments, pods) = (place.api::<Deployment>(), place.api::<Pod>());
    let pachd = ListParams::default().labels("app=pachd");
    let count = || async { pods.list(&pachd).await.unwrap().items.len() };
    until(|| async { deployments.get("pachd").await.unwrap().status.unwrap().ready_replicas == Some(1) }).await;
    place.keep_deleted_pods(true).await;
    let scale = Patch::Merge(json!({"spec": {"replicas": 0}}));
    let answer = deployments.patch_scale("pachd", &PatchParams::default(), &scale).await.unwrap();
    assert_eq!(answer.spec.unwrap().replicas, None, "zero is left out");
    until(|| async {
        let now = deployments.get("pachd").await.unwrap();
        let status = now.status.unwrap();
        status.observed_generation == now.metadata.generation && status.replicas.is_none()
    })
    .await;
    let left = pods.list(&pachd).await.unwrap().items;
    assert_eq!(left.len(), 1, "replicas is 0 while pods still terminate");
    assert!(left[0].metadata.deletion_timestamp.is_some());
    until(|| async { deployments.get("pachd").await.unwrap().status.unwrap().terminating_replicas == Some(1) }).await;
    place.keep_deleted_pods(false).await;
    until(|| async { count().await == 0 }).await;
    let scale = Patch::Merge(json!({"spec": {"replicas": 3}}));
    deployments.patch_scale("pachd", &PatchParams::default(), &scale).await.unwrap();
    until(|| async { deployments.get("pachd").await.unwrap().status.unwrap().ready_replicas == Some(3) }).await;
    assert_eq!(count().await, 3);

    let sets = place.api::<StatefulSet>();
    until(|| async { pods.get_opt("etcd-0").await.unwrap().is_some() }).await;
    let scale = Patch::Merge(json!({"spec": {"replicas": 0}}));
    sets.patch("etcd", &PatchParams::default(), &scale).await.unwrap();
    until(|| async { pods.get_opt("etcd-0").await.unwrap().is_none() }).await;
    assert!(place.api::<PersistentVolumeClaim>().get_opt("etcd-storage-etcd-0").await.unwrap().is_some());
}

async fn deleting_a_namespace_takes_everything_in_it(place: Place) {
    place.deploy(&place.namespace, false).await.unwrap();
    let namespaces = Api::<Namespace>::all(place.client.clone());
    let answer = namespaces.delete(&place.namespace, &DeleteParams::default()).await.unwrap();
    let namespace = answer.left().expect("it is there as long as something is in it");
    assert_eq!(namespace.status.unwrap().phase.as_deref(), Some("Terminating"));
    until(|| async { namespaces.get_opt(&place.namespace).await.unwrap().is_none() }).await;
    let all = ListParams::default();
    assert!(place.api::<Pod>().list(&all).await.unwrap().items.is_empty());
    assert!(place.api::<Deployment>().list(&all).await.unwrap().items.is_empty());
    assert!(place.api::<Service>().list(&all).await.unwrap().items.is_empty());
    assert!(place.api::<Secret>().list(&all).await.unwrap().items.is_empty());
    assert!(place.api::<ConfigMap>().list(&all).await.unwrap().items.is_empty());
    assert!(place.api::<PersistentVolumeClaim>().list(&all).await.unwrap().items.is_empty());
}
