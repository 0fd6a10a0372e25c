//! A namespace on one of the servers, and what cases ask of it.

use std::io::Write as _;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod, Service};
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client, Config};
use sandbox::kubernetes::{Backend, KubernetesOptions, KubernetesServer, PachydermDeployment, PodTiming};
use sandbox::programs::kubernetes::{ApiServer, ApiServerOptions, KubernetesBench, NODE};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

/// A user who may do nothing until a Role says so.
pub(crate) const LIMITED: &str = "limited";

/// The kinds of a deployment that have no namespace.
const CLUSTER_WIDE: &[&str] = &["ClusterRole", "ClusterRoleBinding", "PersistentVolume", "StorageClass"];

static API_SERVER: OnceCell<ApiServer> = OnceCell::const_new();
static BENCH: OnceCell<KubernetesBench> = OnceCell::const_new();

enum Server {
    Sandbox(KubernetesServer),
    /// Shared with other cases, or one of its own.
    Real(&'static ApiServer),
    Forgetful(Box<ApiServer>),
}

/// A server with a namespace that is this case's alone. A server of the sandbox is the case's alone too.
pub(crate) struct Place {
    server: Server,
    /// Of a user who may do everything.
    pub(crate) client: Client,
    pub(crate) namespace: String,
}

impl Place {
    /// On a server of the sandbox.
    pub(crate) async fn sandbox() -> Self {
        let server = KubernetesServer::start(KubernetesOptions::default()).await.unwrap();
        server.add_user("limited-token", LIMITED, Vec::new());
        Self::on(Server::Sandbox(server)).await
    }

    /// On the real API server: no controllers.
    pub(crate) async fn api_server() -> Self {
        let options = ApiServerOptions { users: vec![LIMITED.to_owned()], ..ApiServerOptions::default() };
        let server = API_SERVER.get_or_init(|| async { ApiServer::start_with(options).await.unwrap() }).await;
        Self::on(Server::Real(server)).await
    }

    /// On the real API server with controllers.
    pub(crate) async fn bench() -> Self {
        let bench = BENCH.get_or_init(|| async { KubernetesBench::start().await.unwrap() }).await;
        Self::on(Server::Real(bench.api())).await
    }

    /// On a real API server of its own that forgets its history.
    pub(crate) async fn forgetful() -> Self {
        let options = ApiServerOptions { compaction: Some(Duration::from_secs(1)), ..ApiServerOptions::default() };
        Self::on(Server::Forgetful(Box::new(ApiServer::start_with(options).await.unwrap()))).await
    }

    async fn on(server: Server) -> Self {
        let client = client(&server, "admin", None).await;
        let namespace = format!("case-{}", uuid::Uuid::new_v4().simple());
        let place = Self { server, client, namespace };
        place.create_namespace(&place.namespace).await;
        place
    }

    pub(crate) async fn create_namespace(&self, name: &str) {
        let namespace = object(json!({"metadata": {"name": name}}));
        Api::<Namespace>::all(self.client.clone()).create(&PostParams::default(), &namespace).await.unwrap();
    }

    /// The sandbox's server, in a case of its own.
    pub(crate) fn sandbox_server(&self) -> &KubernetesServer {
        match &self.server {
            Server::Sandbox(server) => server,
            _ => panic!("the case runs on the sandbox alone"),
        }
    }

    pub(crate) async fn client_of(&self, user: &str) -> Client {
        client(&self.server, user, None).await
    }

    /// A client with this token instead, or with none.
    pub(crate) async fn client_with_token(&self, token: Option<&str>) -> Client {
        client(&self.server, "admin", Some(token)).await
    }

    /// Objects of a kind in the case's namespace.
    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Forgets the history up to now, or waits until the server has.
    pub(crate) async fn compact(&self) {
        if let Server::Sandbox(server) = &self.server {
            server.compact();
            return;
        }
        let maps = self.api::<ConfigMap>();
        let version = maps.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
        until(|| async {
            // An etcd in which nothing happens has nothing to forget.
            let name = format!("m-{}", uuid::Uuid::new_v4().simple());
            maps.create(&PostParams::default(), &config_map(&name, json!({}))).await.unwrap();
            let exactly = ListParams::default().at(&version).matching(kube::api::VersionMatch::Exact);
            matches!(maps.list(&exactly).await, Err(kube::Error::Api(status)) if status.code == 410)
        })
        .await;
    }

    /// Creates the objects of a Pachyderm deployment in the namespace. Its documented node ports can be had once on
    /// a server; without them Services on the real server have none, as what it gives might be one of these.
    ///
    /// # Errors
    /// The code of what the server refuses.
    pub(crate) async fn deploy(&self, namespace: &str, documented_node_ports: bool) -> Result<(), u16> {
        let backend = Backend::Minio {
            endpoint: "127.0.0.1:9000".into(),
            bucket: "pach-bucket".into(),
            id: "id".into(),
            secret: "secret".into(),
            secure: false,
        };
        let deployment = PachydermDeployment::new(namespace, backend);
        if let Server::Sandbox(server) = &self.server {
            return server.deploy(&deployment).map_err(|refused| refused.code);
        }
        for mut object in deployment.objects() {
            if let Some(ports) = object["spec"]["ports"].as_array_mut().filter(|_| !documented_node_ports) {
                ports.iter_mut().filter_map(Value::as_object_mut).for_each(|port| drop(port.remove("nodePort")));
                object["spec"]["type"] = json!("ClusterIP");
            }
            if object["spec"]["template"]["spec"].is_object() {
                object["spec"]["template"]["spec"]["nodeName"] = json!(NODE);
            }
            if let Some(annotations) = object["metadata"]["annotations"].as_object_mut() {
                // It would be Lost: it says that it is bound, and no volume knows its uid.
                annotations.remove("pv.kubernetes.io/bind-completed");
            }
            match self.create(namespace, object).await {
                Err(kube::Error::Api(status)) => return Err(status.code),
                created => created.unwrap(),
            }
        }
        Ok(())
    }

    async fn create(&self, namespace: &str, object: Value) -> Result<(), kube::Error> {
        let api_version = object["apiVersion"].as_str().unwrap();
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let kind = GroupVersionKind::gvk(group, version, object["kind"].as_str().unwrap());
        let resource = ApiResource::from_gvk(&kind);
        let api = if CLUSTER_WIDE.contains(&kind.kind.as_str()) {
            Api::<DynamicObject>::all_with(self.client.clone(), &resource)
        } else {
            Api::namespaced_with(self.client.clone(), namespace, &resource)
        };
        let shared = kind.kind == "ClusterRole" || kind.kind == "StorageClass";
        match api.create(&PostParams::default(), &self::object(object)).await {
            Err(kube::Error::Api(status)) if shared && status.reason == "AlreadyExists" => Ok(()),
            created => created.map(drop),
        }
    }

    /// Lets deleted pods stay for an hour, or go at once.
    pub(crate) async fn keep_deleted_pods(&self, keep: bool) {
        if let Server::Sandbox(server) = &self.server {
            let gone_after = if keep { Duration::from_secs(3600) } else { Duration::ZERO };
            server.set_pod_timing(PodTiming { gone_after, ..PodTiming::default() });
            return;
        }
        let pods = self.api::<Pod>();
        let gone_after = if keep { json!("1h") } else { Value::Null };
        let change = Patch::Merge(json!({"metadata": {"annotations": {"bench.pachsnap.io/gone-after": gone_after}}}));
        for pod in pods.list(&ListParams::default()).await.unwrap() {
            pods.patch(&pod.metadata.name.unwrap(), &PatchParams::default(), &change).await.unwrap();
        }
    }
}

/// A client of a user, or with another token than the user's. It repeats no request by itself.
async fn client(server: &Server, user: &str, token: Option<Option<&str>>) -> Client {
    let text = match server {
        Server::Sandbox(server) => server.kubeconfig_of(user),
        Server::Real(server) => server.kubeconfig_of(user).unwrap(),
        Server::Forgetful(server) => server.kubeconfig_of(user).unwrap(),
    };
    let kubeconfig = Kubeconfig::from_yaml(&text).unwrap();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    config.default_retry = false;
    if let Some(token) = token {
        config.auth_info.token = token.map(|token| token.to_owned().into());
    }
    Client::try_from(config).unwrap()
}

/// A node port that no other case names, and that no server gives to who names none.
pub(crate) fn node_port() -> i32 {
    static NEXT: AtomicU16 = AtomicU16::new(30000);
    let port = NEXT.fetch_add(1, Ordering::Relaxed);
    assert!(port < 30086, "the band of node ports that are never given is used up");
    port.into()
}

/// Says which case the real server can't run. Not by println, which the test harness swallows.
pub(crate) fn say_not_real(case: &str, why: &str) {
    let line = format!("not on the real server: {case}: {why}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

pub(crate) fn object<K: DeserializeOwned>(value: Value) -> K {
    serde_json::from_value(value).unwrap()
}

pub(crate) fn config_map(name: &str, data: Value) -> ConfigMap {
    object(json!({"metadata": {"name": name}, "data": data}))
}

pub(crate) fn service(name: &str, ports: Value) -> Service {
    object(json!({"metadata": {"name": name}, "spec": {"type": "NodePort", "ports": ports}}))
}

/// The server's refusal.
pub(crate) fn status<T: std::fmt::Debug>(result: Result<T, kube::Error>) -> kube::core::Status {
    match result {
        Err(kube::Error::Api(status)) => *status,
        other => panic!("not a refusal by the server: {other:?}"),
    }
}

/// Looks until the condition holds. The limit is for one that never does.
pub(crate) async fn until<F: Future<Output = bool>>(mut condition: impl FnMut() -> F) {
    let looking = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), looking).await.expect("the condition never came true");
}
