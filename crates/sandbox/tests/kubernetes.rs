//! The sandbox's Kubernetes API, driven by a real client.
#![cfg(feature = "kubernetes")]
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::net::SocketAddr;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::authorization::v1::SelfSubjectAccessReview;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{
    ConfigMap, Endpoints, PersistentVolume, PersistentVolumeClaim, Pod, ReplicationController, Secret, Service,
};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions, WatchEvent, WatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::response::StatusSummary;
use kube::{Api, Client, Config};
use sandbox::kubernetes::{
    Backend, Fault, FaultAction, KubernetesOptions, KubernetesServer, PachydermDeployment, PodTiming, Rule,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const NAMESPACE: &str = "pachyderm";

async fn client_of(server: &KubernetesServer, user: &str) -> Client {
    let kubeconfig = Kubeconfig::from_yaml(&server.kubeconfig_of(user)).unwrap();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    // Left on, the client itself repeats requests that are answered with 429, 503 or 504.
    config.default_retry = false;
    Client::try_from(config).unwrap()
}

async fn start() -> (KubernetesServer, Client) {
    let server = KubernetesServer::start(KubernetesOptions::default()).await.unwrap();
    server.create_namespace(NAMESPACE).unwrap();
    let client = client_of(&server, "admin").await;
    (server, client)
}

async fn start_pachyderm() -> (KubernetesServer, Client) {
    let (server, client) = start().await;
    let backend = Backend::Minio {
        endpoint: "127.0.0.1:9000".into(),
        bucket: "pach-bucket".into(),
        id: "id".into(),
        secret: "secret".into(),
        secure: false,
    };
    server.deploy(&PachydermDeployment::new(NAMESPACE, backend)).unwrap();
    (server, client)
}

fn api<K>(client: &Client) -> Api<K>
where
    K: kube::Resource<Scope = kube::core::NamespaceResourceScope>,
    K::DynamicType: Default,
{
    Api::namespaced(client.clone(), NAMESPACE)
}

fn object<K: DeserializeOwned>(value: Value) -> K {
    serde_json::from_value(value).unwrap()
}

fn config_map(name: &str, data: Value) -> ConfigMap {
    object(json!({"metadata": {"name": name}, "data": data}))
}

fn service(name: &str, ports: Value) -> Service {
    object(json!({"metadata": {"name": name}, "spec": {"type": "NodePort", "ports": ports}}))
}

fn status<T: std::fmt::Debug>(result: Result<T, kube::Error>) -> kube::core::Status {
    match result {
        Err(kube::Error::Api(status)) => *status,
        other => panic!("not a refusal by the server: {other:?}"),
    }
}

/// Looks until the condition holds; the test's own time limit is the only other end.
async fn until<F: Future<Output = bool>>(mut condition: impl FnMut() -> F) {
    let looking = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), looking).await.expect("the condition never came true");
}

#[tokio::test]
async fn lists_by_label_and_field_in_pages() {
    let (_server, client) = start().await;
    let maps = api::<ConfigMap>(&client);
    for number in 0..7 {
        let parity = if number % 2 == 0 { "even" } else { "odd" };
        let map = object(json!({"metadata": {"name": format!("m{number}"), "labels": {"parity": parity}}}));
        maps.create(&PostParams::default(), &map).await.unwrap();
    }
    let names = |list: Vec<ConfigMap>| list.into_iter().map(|it| it.metadata.name.unwrap()).collect::<Vec<_>>();
    for (selector, wanted) in [
        ("parity=odd", vec!["m1", "m3", "m5"]),
        ("parity in (even, none)", vec!["m0", "m2", "m4", "m6"]),
        ("parity!=even", vec!["m1", "m3", "m5"]),
        ("!parity", vec![]),
    ] {
        let list = maps.list(&ListParams::default().labels(selector)).await.unwrap();
        assert_eq!(names(list.items), wanted, "{selector}");
    }
    let one = maps.list(&ListParams::default().fields("metadata.name=m4")).await.unwrap();
    assert_eq!(names(one.items), ["m4"]);

    let first = maps.list(&ListParams::default().limit(4)).await.unwrap();
    assert_eq!(first.metadata.remaining_item_count, Some(3));
    maps.create(&PostParams::default(), &config_map("m3b", json!({}))).await.unwrap();
    let token = first.metadata.continue_.unwrap();
    let rest = maps.list(&ListParams::default().limit(4).continue_token(&token)).await.unwrap();
    assert_eq!(names(rest.items), ["m4", "m5", "m6"], "a list shows the state at its first page");
    assert_eq!(rest.metadata.resource_version, first.metadata.resource_version);
    let refused = status(maps.list(&ListParams::default().fields("spec.colour=red")).await);
    assert_eq!(refused.code, 400);
}

#[tokio::test]
async fn a_compacted_history_is_expired() {
    let (server, client) = start().await;
    let maps = api::<ConfigMap>(&client);
    for name in ["a", "b", "c"] {
        maps.create(&PostParams::default(), &config_map(name, json!({}))).await.unwrap();
    }
    let page = maps.list(&ListParams::default().limit(1)).await.unwrap();
    let old = maps.get("a").await.unwrap().metadata.resource_version.unwrap();
    server.compact();
    let refused =
        status(maps.list(&ListParams::default().limit(1).continue_token(&page.metadata.continue_.unwrap())).await);
    assert_eq!((refused.code, refused.reason.as_str()), (410, "Expired"));
    let events: Vec<_> = maps.watch(&WatchParams::default(), &old).await.unwrap().try_collect().await.unwrap();
    assert!(matches!(&events[..], [WatchEvent::Error(error)] if error.code == 410), "{events:?}");
    let future = status(maps.list(&ListParams::default().at("999999")).await);
    assert_eq!((future.code, future.reason.as_str()), (504, "Timeout"));
}

#[tokio::test]
async fn a_stale_version_conflicts_and_names_are_unique() {
    let (_server, client) = start().await;
    let maps = api::<ConfigMap>(&client);
    let first = maps.create(&PostParams::default(), &config_map("m", json!({"k": "1"}))).await.unwrap();
    let refused = status(maps.create(&PostParams::default(), &config_map("m", json!({}))).await);
    assert_eq!((refused.code, refused.reason.as_str()), (409, "AlreadyExists"));
    assert_eq!(refused.message, "configmaps \"m\" already exists");

    let mut changed = first.clone();
    changed.data.as_mut().unwrap().insert("k".into(), "2".into());
    let second = maps.replace("m", &PostParams::default(), &changed).await.unwrap();
    assert_ne!(second.metadata.resource_version, first.metadata.resource_version);
    let refused = status(maps.replace("m", &PostParams::default(), &changed).await);
    assert_eq!((refused.code, refused.reason.as_str()), (409, "Conflict"));
    assert!(refused.message.contains("the object has been modified"), "{}", refused.message);
    let patch = json!({"metadata": {"resourceVersion": first.metadata.resource_version}, "data": {"k": "3"}});
    assert_eq!(status(maps.patch("m", &PatchParams::default(), &Patch::Merge(patch)).await).code, 409);

    let same = maps.patch("m", &PatchParams::default(), &Patch::Merge(json!({"data": {"k": "2"}}))).await.unwrap();
    assert_eq!(same.metadata.resource_version, second.metadata.resource_version, "nothing changed");

    let wrong = Preconditions { uid: Some("another".into()), resource_version: None };
    let parameters = DeleteParams { preconditions: Some(wrong), ..DeleteParams::default() };
    assert_eq!(status(maps.delete("m", &parameters).await).reason, "Conflict");
    maps.delete("m", &DeleteParams::default()).await.unwrap().right().expect("gone at once");
    let refused = status(maps.get("m").await);
    assert_eq!((refused.code, refused.message.as_str()), (404, "configmaps \"m\" not found"));

    let elsewhere = Api::<ConfigMap>::namespaced(client.clone(), "nowhere");
    let refused = status(elsewhere.create(&PostParams::default(), &config_map("m", json!({}))).await);
    assert_eq!((refused.code, refused.message.as_str()), (404, "namespaces \"nowhere\" not found"));
}

#[tokio::test]
async fn a_lease_has_one_holder() {
    let (_server, client) = start().await;
    let leases = api::<Lease>(&client);
    let lease = |holder: &str| -> Lease {
        object(
            json!({"metadata": {"name": "pachsnap"}, "spec": {"holderIdentity": holder, "leaseDurationSeconds": 30}}),
        )
    };
    let mine = leases.create(&PostParams::default(), &lease("one")).await.unwrap();
    let refused = status(leases.create(&PostParams::default(), &lease("two")).await);
    assert_eq!((refused.code, refused.reason.as_str()), (409, "AlreadyExists"));
    assert_eq!(refused.message, "leases.coordination.k8s.io \"pachsnap\" already exists");
    leases.replace("pachsnap", &PostParams::default(), &mine).await.unwrap();
    let mut renewed = mine.clone();
    renewed.spec.as_mut().unwrap().lease_transitions = Some(1);
    leases.replace("pachsnap", &PostParams::default(), &renewed).await.unwrap();
    assert_eq!(status(leases.replace("pachsnap", &PostParams::default(), &renewed).await).reason, "Conflict");
    assert_eq!(status(leases.replace("pachsnap", &PostParams::default(), &lease("two")).await).code, 422);
}

#[tokio::test]
async fn an_immutable_config_map_stays_as_it_is() {
    let (_server, client) = start().await;
    let maps = api::<ConfigMap>(&client);
    let record: ConfigMap = object(json!({"metadata": {"name": "r"}, "immutable": true, "data": {"k": "v"}}));
    maps.create(&PostParams::default(), &record).await.unwrap();
    for change in [json!({"data": {"k": "w"}}), json!({"immutable": false}), json!({"data": null})] {
        let refused = status(maps.patch("r", &PatchParams::default(), &Patch::Merge(&change)).await);
        assert_eq!((refused.code, refused.reason.as_str()), (422, "Invalid"), "{change}");
        assert!(refused.message.contains("field is immutable when `immutable` is set"), "{}", refused.message);
    }
    let labelled = json!({"metadata": {"labels": {"a": "b"}}});
    maps.patch("r", &PatchParams::default(), &Patch::Merge(&labelled)).await.unwrap();

    let big = config_map("big", json!({"k": "x".repeat(1024 * 1024 + 1)}));
    let refused = status(maps.create(&PostParams::default(), &big).await);
    assert!(refused.code == 422 && refused.message.contains("Too long"), "{}", refused.message);
    let huge = config_map("huge", json!({"k": "x".repeat(3 * 1024 * 1024 + 1)}));
    assert_eq!(status(maps.create(&PostParams::default(), &huge).await).code, 413);
}

#[tokio::test]
async fn a_watch_follows_the_selector() {
    let (server, client) = start().await;
    let maps = api::<ConfigMap>(&client);
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
    server.cut_watches();
    assert!(events.next().await.is_none_or(|event| event.is_err()));
}

#[tokio::test]
async fn bookmarks_and_initial_events_are_streamed() {
    let options = KubernetesOptions { bookmark_interval: Duration::from_millis(10), ..KubernetesOptions::default() };
    let server = KubernetesServer::start(options).await.unwrap();
    server.create_namespace(NAMESPACE).unwrap();
    let client = client_of(&server, "admin").await;
    let maps = api::<ConfigMap>(&client);
    maps.create(&PostParams::default(), &config_map("m", json!({}))).await.unwrap();
    let mut events = maps.watch(&WatchParams::default().initial_events(), "0").await.unwrap().boxed();
    assert!(
        matches!(events.next().await, Some(Ok(WatchEvent::Added(map))) if map.metadata.name.as_deref() == Some("m"))
    );
    let Some(Ok(WatchEvent::Bookmark(first))) = events.next().await else { panic!("no bookmark") };
    assert_eq!(first.metadata.annotations["k8s.io/initial-events-end"], "true");
    assert!(matches!(events.next().await, Some(Ok(WatchEvent::Bookmark(_)))));
}

#[tokio::test]
async fn node_ports_are_unique_in_the_cluster() {
    let (_server, client) = start().await;
    let services = api::<Service>(&client);
    let create = |name: &'static str, ports: Value| {
        let services = services.clone();
        async move { services.create(&PostParams::default(), &service(name, ports)).await }
    };
    create("a", json!([{"name": "one", "port": 80, "nodePort": 30080}])).await.unwrap();
    let refused = status(create("b", json!([{"port": 80, "nodePort": 30080}])).await);
    assert_eq!((refused.code, refused.reason.as_str()), (422, "Invalid"));
    assert_eq!(
        refused.message,
        "Service \"b\" is invalid: spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated"
    );
    let cause = &refused.details.unwrap().causes[0];
    assert_eq!((cause.reason.as_str(), cause.field.as_str()), ("FieldValueInvalid", "spec.ports[0].nodePort"));
    let refused = status(create("b", json!([{"port": 80, "nodePort": 80}])).await);
    assert!(refused.message.ends_with("The range of valid ports is 30000-32767"), "{}", refused.message);
    let twice = json!([{"name": "x", "port": 80, "nodePort": 30081}, {"name": "y", "port": 81, "nodePort": 30081}]);
    let refused = status(create("b", twice).await);
    assert_eq!((refused.code, refused.message.as_str()), (500, "duplicate nodePort: {TCP 30081}"));

    let given = create("b", json!([{"port": 80}])).await.unwrap();
    let number = given.spec.unwrap().ports.unwrap()[0].node_port.unwrap();
    assert!((30000..=32767).contains(&number) && number != 30080);
    services.delete("a", &DeleteParams::default()).await.unwrap();
    let patch = json!([{"op": "replace", "path": "/spec/ports/0/nodePort", "value": 30080}]);
    let patch: Patch<Service> = Patch::Json(serde_json::from_value(patch).unwrap());
    let moved = services.patch("b", &PatchParams::default(), &patch).await.unwrap();
    assert_eq!(moved.spec.unwrap().ports.unwrap()[0].node_port, Some(30080), "a freed number is free at once");

    let inside = json!({"spec": {"type": "ClusterIP", "ports": [{"port": 80, "nodePort": 30099}]}});
    let refused = status(services.patch("b", &PatchParams::default(), &Patch::Merge(inside)).await);
    assert!(refused.message.contains("may not be used when 'type' is 'ClusterIP'"), "{}", refused.message);
}

#[tokio::test]
async fn patches_treat_lists_by_their_kind() {
    let (_server, client) = start().await;
    let services = api::<Service>(&client);
    let ports = json!([
        {"name": "one", "port": 80, "targetPort": 8080, "nodePort": 30080},
        {"name": "two", "port": 81, "nodePort": 30081},
    ]);
    services.create(&PostParams::default(), &service("s", ports)).await.unwrap();
    let numbers = |service: Service| -> Vec<(i32, Option<i32>)> {
        service.spec.unwrap().ports.unwrap().into_iter().map(|port| (port.port, port.node_port)).collect()
    };
    let strategic =
        json!({"spec": {"ports": [{"port": 81, "nodePort": 30091}, {"name": "new", "port": 82, "nodePort": 30092}]}});
    let merged = services.patch("s", &PatchParams::default(), &Patch::Strategic(strategic)).await.unwrap();
    assert_eq!(numbers(merged), [(82, Some(30092)), (80, Some(30080)), (81, Some(30091))]);
    let merge = json!({"spec": {"ports": [{"name": "one", "port": 80}]}});
    let merged = services.patch("s", &PatchParams::default(), &Patch::Merge(merge)).await.unwrap();
    assert_eq!(numbers(merged), [(80, Some(30080))], "a port keeps its number by its name");

    let json_patch = |value: Value| -> Patch<Service> { Patch::Json(serde_json::from_value(value).unwrap()) };
    let tested = json_patch(json!([
        {"op": "test", "path": "/spec/ports/0/name", "value": "other"},
        {"op": "replace", "path": "/spec/ports/0/nodePort", "value": 30085},
    ]));
    let refused = status(services.patch("s", &PatchParams::default(), &tested).await);
    assert_eq!((refused.code, refused.reason.as_str()), (422, "Invalid"));
    assert_eq!(refused.message, "the server rejected our request due to an error in our request");
    let absent = json_patch(json!([{"op": "remove", "path": "/spec/nothing"}]));
    assert_eq!(status(services.patch("s", &PatchParams::default(), &absent).await).code, 422);
    let applied = PatchParams::apply("test");
    let apply = Patch::Apply(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}}));
    assert_eq!(status(services.patch("s", &applied, &apply).await).code, 415);
    let dry = PatchParams { dry_run: true, ..PatchParams::default() };
    services.patch("s", &dry, &Patch::Merge(json!({"spec": {"ports": [{"name": "x", "port": 9}]}}))).await.unwrap();
    assert_eq!(numbers(services.get("s").await.unwrap()), [(80, Some(30080))]);
}

#[tokio::test]
async fn a_selector_fence_empties_the_endpoints_and_keeps_the_ports() {
    let (server, client) = start_pachyderm().await;
    let (services, endpoints) = (api::<Service>(&client), api::<Endpoints>(&client));
    let addresses = || async {
        let subsets = endpoints.get_opt("pachd").await.unwrap().and_then(|it| it.subsets).unwrap_or_default();
        subsets.into_iter().filter_map(|it| it.addresses).map(|it| it.len()).sum::<usize>()
    };
    until(|| async { addresses().await == 1 }).await;
    let before = services.get("pachd").await.unwrap();
    let fence = json!({"spec": {"selector": {"pachsnap.io/fence": "run"}}});
    services.patch("pachd", &PatchParams::default(), &Patch::Merge(fence)).await.unwrap();
    until(|| async { addresses().await == 0 }).await;
    let slice = server.object("endpointslices", NAMESPACE, "pachd-slice").unwrap();
    assert_eq!(slice["endpoints"], json!([]));
    let lift = json!({"spec": {"selector": {"pachsnap.io/fence": null}}});
    let after = services.patch("pachd", &PatchParams::default(), &Patch::Merge(lift)).await.unwrap();
    assert_eq!(after.spec, before.spec);
    until(|| async { addresses().await == 1 }).await;
}

#[tokio::test]
async fn a_user_may_do_what_his_rules_say() {
    let (server, _) = start().await;
    server.add_user("token-1", "limited", vec![Rule::new(&[""], &["configmaps"], &["get", "list"]).in_namespace("t1")]);
    server.create_namespace("t1").unwrap();
    let client = client_of(&server, "limited").await;
    let maps = Api::<ConfigMap>::namespaced(client.clone(), "t1");
    maps.list(&ListParams::default()).await.unwrap();
    let secrets = Api::<Secret>::namespaced(client.clone(), "t1");
    let refused = status(secrets.get("s").await);
    assert_eq!((refused.code, refused.reason.as_str()), (403, "Forbidden"));
    assert_eq!(
        refused.message,
        "secrets \"s\" is forbidden: User \"limited\" cannot get resource \"secrets\" in API group \"\" in the namespace \"t1\""
    );
    let refused = status(Api::<Deployment>::all(client.clone()).list(&ListParams::default()).await);
    assert_eq!(
        refused.message,
        "deployments.apps is forbidden: User \"limited\" cannot list resource \"deployments\" in API group \"apps\" at the cluster scope"
    );
    let reviews = Api::<SelfSubjectAccessReview>::all(client.clone());
    for (verb, resource, allowed) in
        [("list", "configmaps", true), ("patch", "configmaps", false), ("get", "secrets", false)]
    {
        let attributes = json!({"verb": verb, "resource": resource, "namespace": "t1", "group": ""});
        let review = object(json!({"metadata": {}, "spec": {"resourceAttributes": attributes}}));
        let answer = reviews.create(&PostParams::default(), &review).await.unwrap();
        assert_eq!(answer.status.unwrap().allowed, allowed, "{verb} {resource}");
    }
    let meta = |name: &str| json!({"name": name, "namespace": "t1"});
    let rbac = "rbac.authorization.k8s.io";
    let rules = json!([{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]);
    server
        .create(json!({"apiVersion": format!("{rbac}/v1"), "kind": "Role", "metadata": meta("r"), "rules": rules}))
        .unwrap();
    let binding = json!({
        "apiVersion": format!("{rbac}/v1"), "kind": "RoleBinding", "metadata": meta("b"),
        "roleRef": {"apiGroup": rbac, "kind": "Role", "name": "r"}, "subjects": [{"kind": "User", "name": "limited"}],
    });
    server.create(binding).unwrap();
    assert_eq!(status(secrets.get("s").await).code, 404, "the right came with the binding");
}

#[tokio::test]
async fn tokens_and_unknown_paths_are_refused_as_recorded() {
    let (server, client) = start().await;
    let with_token = |token: Option<&str>| {
        let mut config = Config::new(format!("http://{}", server.address()).parse().unwrap());
        config.auth_info.token = token.map(|token| token.to_owned().into());
        Client::try_from(config).unwrap()
    };
    let refused = status(api::<Pod>(&with_token(Some("nobody"))).get("p").await);
    assert_eq!((refused.code, refused.reason.as_str()), (401, "Unauthorized"));
    let refused = status(api::<Pod>(&with_token(None)).get("p").await);
    assert!(refused.code == 403 && refused.message.contains("User \"system:anonymous\""), "{}", refused.message);

    let version = client.apiserver_version().await.unwrap();
    assert_eq!((version.major.as_str(), version.minor.as_str()), ("1", "36"));
    let groups = client.list_api_groups().await.unwrap();
    assert!(groups.groups.iter().any(|group| group.name == "apps"));
    let resources = client.list_api_group_resources("apps/v1").await.unwrap();
    assert!(resources.resources.iter().any(|it| it.name == "deployments/scale" && it.kind == "Scale"));
    let request = http::Request::get("/apis/metrics.k8s.io/v1beta1/pods").body(Vec::new()).unwrap();
    let refused = status(client.request_text(request).await);
    assert_eq!(refused.code, 404);
    assert!(refused.message.contains("404 page not found"), "{refused:?}");
}

#[tokio::test]
async fn scaling_moves_pods() {
    let (server, client) = start_pachyderm().await;
    let (deployments, pods) = (api::<Deployment>(&client), api::<Pod>(&client));
    let pachd = ListParams::default().labels("app=pachd");
    let count = || async { pods.list(&pachd).await.unwrap().items.len() };
    until(|| async { count().await == 1 }).await;
    server.set_pod_timing(PodTiming { gone_after: Duration::from_millis(300), ..PodTiming::default() });
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
    assert!(
        left.iter().all(|pod| pod.metadata.deletion_timestamp.is_some()),
        "replicas is 0 while pods still terminate"
    );
    until(|| async { count().await == 0 }).await;
    let scale = Patch::Merge(json!({"spec": {"replicas": 3}}));
    deployments.patch_scale("pachd", &PatchParams::default(), &scale).await.unwrap();
    until(|| async { deployments.get("pachd").await.unwrap().status.unwrap().ready_replicas == Some(3) }).await;
    assert_eq!(count().await, 3);

    let sets = api::<StatefulSet>(&client);
    until(|| async { pods.get_opt("etcd-0").await.unwrap().is_some() }).await;
    let scale = Patch::Merge(json!({"spec": {"replicas": 0}}));
    sets.patch("etcd", &PatchParams::default(), &scale).await.unwrap();
    until(|| async { pods.get_opt("etcd-0").await.unwrap().is_none() }).await;
    assert!(api::<PersistentVolumeClaim>(&client).get_opt("etcd-storage-etcd-0").await.unwrap().is_some());
}

#[tokio::test]
async fn workers_come_and_go_with_their_controller() {
    let (server, client) = start_pachyderm().await;
    let control = server.worker_control(NAMESPACE);
    control.set_worker_rc("My_Edges", 3, "c1", 2).unwrap();
    until(|| async { control.workers("My_Edges").ready == 2 }).await;
    let controllers = api::<ReplicationController>(&client);
    let first = controllers.get("pipeline-my-edges-v3").await.unwrap();
    assert_eq!(first.metadata.annotations.as_ref().unwrap()["specCommit"], "c1");
    let workers = ListParams::default().labels("suite=pachyderm,component=worker,pipelineName=My_Edges");
    assert_eq!(api::<Pod>(&client).list(&workers).await.unwrap().items.len(), 2);

    control.set_worker_rc("My_Edges", 3, "c1", 1).unwrap();
    let same = controllers.get("pipeline-my-edges-v3").await.unwrap();
    assert_eq!(same.metadata.uid, first.metadata.uid);
    control.set_worker_rc("My_Edges", 3, "c2", 0).unwrap();
    let other = controllers.get("pipeline-my-edges-v3").await.unwrap();
    assert_ne!(other.metadata.uid, first.metadata.uid, "another spec commit makes another controller");
    until(|| async { control.workers("My_Edges").pods == 0 }).await;
    control.set_worker_rc("My_Edges", 4, "c3", 1).unwrap();
    let names: Vec<_> =
        controllers.list(&workers).await.unwrap().items.into_iter().filter_map(|it| it.metadata.name).collect();
    assert_eq!(names, ["pipeline-my-edges-v4"]);
    control.remove_worker_rc("My_Edges").unwrap();
    until(|| async { control.workers("My_Edges") == sandbox::kubernetes::Workers::default() }).await;
    assert!(api::<Service>(&client).get_opt("pipeline-my-edges-v4").await.unwrap().is_none());
}

async fn echo_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut reader, mut writer) = stream.split();
                tokio::io::copy(&mut reader, &mut writer).await
            });
        }
    });
    address
}

#[tokio::test]
async fn port_forward_reaches_the_real_sockets() {
    let (server, client) = start_pachyderm().await;
    let pods = api::<Pod>(&client);
    let pachd = ListParams::default().labels("app=pachd");
    let running = || async {
        let pods = pods.list(&pachd).await.unwrap().items;
        pods.iter().any(|pod| pod.status.as_ref().and_then(|it| it.phase.as_deref()) == Some("Running"))
    };
    until(running).await;
    let name = pods.list(&pachd).await.unwrap().items[0].metadata.name.clone().unwrap();
    server.set_forward("app=pachd", 650, echo_server().await);
    server.set_forward(name.as_str(), 600, echo_server().await);

    let mut forward = pods.portforward(&name, &[650, 600, 651]).await.unwrap();
    let refused = forward.take_error(651).unwrap().await.unwrap();
    assert!(refused.contains("error forwarding port 651"), "{refused}");
    let data: Vec<u8> = (0..3_000_000_u32).map(|number| number.to_le_bytes()[0]).collect();
    for port in [650, 600] {
        let (mut reader, mut writer) = tokio::io::split(forward.take_stream(port).unwrap());
        let sent = data.clone();
        let sending = tokio::spawn(async move {
            writer.write_all(&sent).await.unwrap();
            writer
        });
        let mut received = vec![0; data.len()];
        reader.read_exact(&mut received).await.unwrap();
        assert!(received == data, "port {port} returned other bytes");
        sending.await.unwrap();
    }

    let mut forward = pods.portforward(&name, &[650]).await.unwrap();
    let mut stream = forward.take_stream(650).unwrap();
    pods.delete(&name, &DeleteParams::default()).await.unwrap();
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "a forward ends with its pod");
    let missing = pods.portforward("nobody", &[650]).await.map(drop);
    let refused = status(missing);
    assert_eq!((refused.code, refused.message.as_str()), (404, "pods \"nobody\" not found"));
}

#[tokio::test]
async fn faults_meet_the_requests_they_are_for() {
    let (server, client) = start().await;
    let maps = api::<ConfigMap>(&client);
    maps.create(&PostParams::default(), &config_map("m", json!({"n": "0"}))).await.unwrap();
    server.clear_requests();
    for code in [409, 500, 503, 401] {
        server.add_fault(Fault::new(FaultAction::Status(code)).verb("patch").resource("configmaps").name("m"));
        maps.get("m").await.unwrap();
        let patch = Patch::Merge(json!({"data": {"n": code.to_string()}}));
        assert_eq!(status(maps.patch("m", &PatchParams::default(), &patch).await).code, code);
    }
    let unchanged = maps.get("m").await.unwrap();
    assert_eq!(unchanged.data.unwrap()["n"], "0");

    server.add_fault(Fault::new(FaultAction::Status(429)).verb("get").after(1));
    maps.get("m").await.unwrap();
    let request =
        http::Request::get(format!("/api/v1/namespaces/{NAMESPACE}/configmaps/m")).body(kube::client::Body::empty());
    let answer = client.send(request.unwrap()).await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (429, &"1".parse().unwrap()));
    assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/plain"));

    server.add_fault(Fault::new(FaultAction::DropConnection).verb("delete"));
    assert!(!matches!(maps.delete("m", &DeleteParams::default()).await, Ok(_) | Err(kube::Error::Api(_))));
    assert!(maps.get_opt("m").await.unwrap().is_some());
    server.add_fault(Fault::new(FaultAction::LoseReply).verb("delete").always());
    assert!(!matches!(maps.delete("m", &DeleteParams::default()).await, Ok(_) | Err(kube::Error::Api(_))));
    assert!(maps.get_opt("m").await.unwrap().is_none(), "the request was carried out, only its answer is lost");
    server.clear_faults();
    assert_eq!(status(maps.delete("m", &DeleteParams::default()).await).code, 404);

    let changes: Vec<_> = server.changes().iter().map(|it| (it.verb.clone(), it.status)).collect();
    let patches = [409, 500, 503, 401].map(|code| ("patch".to_owned(), code));
    let deletes = [0, 0, 404].map(|code| ("delete".to_owned(), code));
    assert_eq!(changes, [&patches[..], &deletes[..]].concat());
    assert!(server.requests().iter().all(|it| it.user == "admin"));
}

#[tokio::test]
async fn a_deployment_is_what_pachctl_makes() {
    let (server, client) = start_pachyderm().await;
    let pachd = api::<Deployment>(&client).get("pachd").await.unwrap();
    let container = &pachd.spec.template.spec.unwrap().containers[0];
    assert_eq!(container.image.as_deref(), Some("pachyderm/pachd:1.13.4"));
    let variables = container.env.as_ref().unwrap();
    let variable = |name: &str| variables.iter().find(|it| it.name == name).unwrap();
    assert_eq!(variable("STORAGE_BACKEND").value.as_deref(), Some("MINIO"));
    assert_eq!(variable("PACH_ROOT").value.as_deref(), Some("/pach"));
    let source = variable("MINIO_SECRET").value_from.clone().unwrap().secret_key_ref.unwrap();
    assert_eq!((source.name.as_str(), source.key.as_str()), ("pachyderm-storage-secret", "minio-secret"));
    let secret = api::<Secret>(&client).get("pachyderm-storage-secret").await.unwrap().data.unwrap();
    assert_eq!((&secret["minio-bucket"].0[..], &secret["minio-secure"].0[..]), (&b"pach-bucket"[..], &b"0"[..]));

    let ports = api::<Service>(&client).get("pachd").await.unwrap().spec.unwrap().ports.unwrap();
    let numbers: Vec<_> =
        ports.iter().map(|it| (it.name.as_deref().unwrap(), it.port, it.node_port.unwrap())).collect();
    assert_eq!(numbers[0], ("api-grpc-port", 650, 30650));
    assert_eq!(numbers.iter().find(|it| it.0 == "s3gateway-port"), Some(&("s3gateway-port", 600, 30600)));

    until(|| async { server.object("pods", NAMESPACE, "etcd-0").is_some() }).await;
    let etcd = api::<Pod>(&client).get("etcd-0").await.unwrap();
    let claim = etcd.spec.unwrap().volumes.unwrap()[0].persistent_volume_claim.clone().unwrap().claim_name;
    let claim = api::<PersistentVolumeClaim>(&client).get(&claim).await.unwrap();
    let volume = claim.spec.unwrap().volume_name.unwrap();
    let volume = Api::<PersistentVolume>::all(client.clone()).get(&volume).await.unwrap();
    assert_eq!(volume.spec.unwrap().host_path.unwrap().path, "/var/pachyderm/etcd");
    assert_eq!(volume.status.unwrap().phase.as_deref(), Some("Bound"));

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config");
    server.write_kubeconfig(&path).unwrap();
    assert_eq!(Kubeconfig::read_from(&path).unwrap().current_context.as_deref(), Some("admin"));
    let other = PachydermDeployment::new("second", Backend::Local { host_path: "/var/pachyderm".into() });
    assert_eq!(server.deploy(&other).unwrap_err().code, 422, "the documented node ports can be had only once");
}

#[tokio::test]
async fn deleting_a_namespace_takes_everything_in_it() {
    let (server, client) = start_pachyderm().await;
    let namespaces = Api::<k8s_openapi::api::core::v1::Namespace>::all(client.clone());
    let answer = namespaces.delete(NAMESPACE, &DeleteParams::default()).await.unwrap();
    assert!(answer.right().is_some_and(|status| status.status == Some(StatusSummary::Success)));
    until(|| async { server.all_objects().iter().all(|it| it["metadata"]["namespace"] != NAMESPACE) }).await;
}
