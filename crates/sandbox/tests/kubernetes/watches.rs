//! Watches: selectors, first events, bookmarks.

use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use sandbox::kubernetes::{KubernetesOptions, KubernetesServer};
use serde_json::{Value, json};

use crate::cases;
use crate::place::{Place, config_map, object};

cases! {
    both: [
        a_watch_follows_the_selector on api_server,
        initial_events_end_with_a_bookmark on api_server,
    ],
    sandbox: [
        bookmarks_come_again because "its interval is a minute",
        a_watch_can_be_cut because "nobody cuts its watches",
    ],
}

async fn a_watch_follows_the_selector(place: Place) {
    let maps = place.api::<ConfigMap>();
    let version = maps.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
    let labelled = object(json!({"metadata": {"name": "m", "labels": {"watched": "yes"}}}));
    maps.create(&PostParams::default(), &labelled).await.unwrap();
    let mut events = maps.watch(&WatchParams::default().labels("watched=yes"), &version).await.unwrap().boxed();
    let merge = |change: Value| {
        let maps = maps.clone();
        async move { maps.patch("m", &PatchParams::default(), &Patch::Merge(change)).await.unwrap() }
    };
    merge(json!({"data": {"k": "v"}})).await;
    merge(json!({"metadata": {"labels": {"watched": null}}})).await;
    merge(json!({"data": {"k": "unseen"}})).await;
    merge(json!({"metadata": {"labels": {"watched": "yes"}}})).await;
    maps.delete("m", &DeleteParams::default()).await.unwrap();
    let mut kinds = Vec::new();
    for _ in 0..5 {
        let event = events.next().await.unwrap().unwrap();
        kinds.push(match event {
            WatchEvent::Added(_) => "added",
            WatchEvent::Modified(_) => "modified",
            WatchEvent::Deleted(_) => "deleted",
            other => panic!("{other:?}"),
        });
    }
    assert_eq!(kinds, ["added", "modified", "deleted", "added", "deleted"]);
}

async fn initial_events_end_with_a_bookmark(place: Place) {
    let maps = place.api::<ConfigMap>();
    maps.create(&PostParams::default(), &config_map("m", json!({}))).await.unwrap();
    let mut events = maps.watch(&WatchParams::default().initial_events(), "0").await.unwrap().boxed();
    assert!(
        matches!(events.next().await, Some(Ok(WatchEvent::Added(map))) if map.metadata.name.as_deref() == Some("m"))
    );
    let Some(Ok(WatchEvent::Bookmark(first))) = events.next().await else { panic!("no bookmark") };
    assert_eq!(first.metadata.annotations["k8s.io/initial-events-end"], "true");
}

async fn bookmarks_come_again(_: Place) {
    let options = KubernetesOptions { bookmark_interval: Duration::from_millis(10), ..KubernetesOptions::default() };
    let server = KubernetesServer::start(options).await.unwrap();
    let kubeconfig = Kubeconfig::from_yaml(&server.kubeconfig()).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    let maps = Api::<ConfigMap>::default_namespaced(Client::try_from(config).unwrap());
    let mut events = maps.watch(&WatchParams::default().initial_events(), "0").await.unwrap().boxed();
    for _ in 0..3 {
        assert!(matches!(events.next().await, Some(Ok(WatchEvent::Bookmark(_)))));
    }
}

async fn a_watch_can_be_cut(place: Place) {
    let maps = place.api::<ConfigMap>();
    let mut events = maps.watch(&WatchParams::default(), "0").await.unwrap().boxed();
    place.sandbox_server().cut_watches();
    assert!(events.next().await.is_none_or(|event| event.is_err()));
}
