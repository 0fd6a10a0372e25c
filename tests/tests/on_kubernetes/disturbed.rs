//! A Kubernetes that tests may harm, runs that are held in their pause, and what is looked at after a disturbance.

use std::time::Duration;

use e2e::{Ended, Picture, RealBench, Running, assert_as_before, assert_said};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::{Api, ResourceExt};
use sandbox::cluster::ClusterOptions;
use sandbox::cluster::on_kubernetes::NodePorts;
use sandbox::programs::kubernetes::{ApiServer, ApiServerOptions, KubernetesBench};
use serde_json::json;
use tokio::sync::{Mutex, MutexGuard, OnceCell};

/// A user who may do everything.
pub(crate) const OPERATOR: &str = "operator";

static HARMED: OnceCell<Mutex<KubernetesBench>> = OnceCell::const_new();

/// The Kubernetes of one test after another: it forgets its history, and has the node ports of one cluster.
pub(crate) async fn alone() -> MutexGuard<'static, KubernetesBench> {
    let started = HARMED.get_or_init(|| async {
        let options = ApiServerOptions {
            users: vec![OPERATOR.to_owned()],
            audit: true,
            compaction: Some(Duration::from_secs(1)),
            ..ApiServerOptions::default()
        };
        let kubernetes = KubernetesBench::start_with(options).await.unwrap();
        bind_operator(kubernetes.api()).await;
        Mutex::new(kubernetes)
    });
    let kubernetes = started.await.lock().await;
    free_node_ports(kubernetes.api()).await;
    kubernetes
}

/// Lets the operator do everything.
pub(crate) async fn bind_operator(api: &ApiServer) {
    let binding = json!({
        "metadata": {"name": OPERATOR},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": OPERATOR}],
    });
    let bindings: Api<ClusterRoleBinding> = Api::all(api.client().await.unwrap());
    bindings.create(&PostParams::default(), &serde_json::from_value(binding).unwrap()).await.unwrap();
}

/// Removes every Service with node ports: an earlier test's cluster is not looked at any more.
async fn free_node_ports(api: &ApiServer) {
    let client = api.client().await.unwrap();
    let everywhere: Api<Service> = Api::all(client.clone());
    for service in everywhere.list(&ListParams::default()).await.unwrap() {
        let mut ports = service.spec.iter().flat_map(|spec| spec.ports.iter().flatten());
        if ports.any(|port| port.node_port.is_some()) {
            let services: Api<Service> = Api::namespaced(client.clone(), &service.namespace().unwrap());
            services.delete(&service.name_any(), &DeleteParams::default()).await.unwrap();
        }
    }
}

/// A cluster with the documented node ports, used by the operator.
pub(crate) async fn with_documented_ports<'a>(kubernetes: &'a KubernetesBench, namespace: &str) -> RealBench<'a> {
    let bench = RealBench::with(kubernetes, namespace, ClusterOptions::default(), NodePorts::Documented).await;
    bench.write_kubeconfig(&kubernetes.api().kubeconfig_of(OPERATOR).unwrap());
    bench
}

/// A snapshot that is in its capture, which takes some seconds.
pub(crate) async fn in_capture(bench: &RealBench<'_>) -> Running {
    bench.cluster.pachd.faults().delay_operations(Duration::from_millis(15));
    let mut running = bench.start(&["snapshot", "--output", "json"]);
    running.wait_for_step("capture").await;
    running
}

/// No recovery point, and the cluster is as it was.
pub(crate) async fn assert_put_back(bench: &RealBench<'_>, before: &Picture, ended: &Ended, words: &[&str]) {
    assert_said(ended, 20, words);
    assert_as_before(before, &bench.picture().await);
    assert_eq!(bench.run_with("manifest.json"), None);
}

/// A snapshot is refused: nothing was changed, and that is said.
pub(crate) async fn assert_refused(bench: &RealBench<'_>, code: i32, words: &[&str]) {
    let before = bench.picture().await;
    let earlier = changes(bench).len();
    let ended = bench.run(&["snapshot"]).await;
    assert_said(&ended, code, words);
    assert_said(&ended, code, &["Nothing was changed"]);
    assert_eq!(changes(bench)[earlier..], [] as [String; 0]);
    assert_as_before(&before, &bench.picture().await);
    assert_eq!(bench.run_with("manifest.json"), None);
}

/// What was changed in the cluster's namespace by the operator: nobody but the binary is one.
pub(crate) fn changes(bench: &RealBench<'_>) -> Vec<String> {
    let log = bench.api_server().audit_log().unwrap();
    let changes = log.iter().filter(|event| {
        event.user == OPERATOR
            && event.namespace == bench.namespace()
            && event.code < 400
            && !["get", "list", "watch"].contains(&event.verb.as_str())
    });
    changes.map(|event| format!("{} {}: {}", event.verb, event.request_uri, event.code)).collect()
}

/// Does something again and again until it is dropped.
pub(crate) fn again_and_again<F>(every: Duration, mut act: impl FnMut() -> F + Send + 'static) -> Again
where
    F: Future<Output = ()> + Send,
{
    Again(tokio::spawn(async move {
        loop {
            act().await;
            tokio::time::sleep(every).await;
        }
    }))
}

/// What [`again_and_again`] started.
pub(crate) struct Again(tokio::task::JoinHandle<()>);

impl Drop for Again {
    fn drop(&mut self) {
        self.0.abort();
    }
}
