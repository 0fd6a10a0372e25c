//! The server as tests and demos hold it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::authorization::{Rule, Users};
use super::controllers::{self, PodTiming, Settings, StorageTiming};
use super::csi::CsiDriver;
use super::deployment::{ETCD_VOLUME_BYTES, PachydermDeployment};
use super::faults::{Fault, Faults};
use super::kubeconfig;
use super::objects;
use super::port_forward::{ForwardTarget, Forwards};
use super::request_log::LoggedRequest;
use super::resource_types::{self, ResourceType};
use super::server::{self, Api, lock};
use super::status::StatusError;
use super::store::{ObjectKey, Store};
use super::view::KubernetesView;
use super::workers::WorkerControl;

/// The name of the node that all pods run on.
pub(crate) const NODE: &str = "sandbox-node";

/// How a server starts.
#[derive(Debug, Clone)]
pub struct KubernetesOptions {
    /// The version that `/version` tells.
    pub git_version: String,
    /// The token of the user `admin`, who may do everything; random when absent.
    pub admin_token: Option<String>,
    /// The namespace of the kubeconfig's contexts.
    pub default_namespace: Option<String>,
    /// How long pods take to become ready and to go.
    pub pod_timing: PodTiming,
    /// How long volumes and snapshots take.
    pub storage_timing: StorageTiming,
    /// Whether the API has volume snapshots, as a cluster with their CustomResourceDefinitions.
    pub snapshots: bool,
    /// How often a watch that allows bookmarks gets one.
    pub bookmark_interval: Duration,
    /// The port to listen on; 0 takes a free one.
    pub port: u16,
    /// The driver of another server, for two clusters on one storage system; one of its own when absent.
    pub csi: Option<Arc<CsiDriver>>,
}

impl Default for KubernetesOptions {
    fn default() -> Self {
        KubernetesOptions {
            git_version: "v1.36.3".to_owned(),
            admin_token: None,
            default_namespace: None,
            pod_timing: PodTiming::default(),
            storage_timing: StorageTiming::default(),
            snapshots: true,
            bookmark_interval: Duration::from_secs(60),
            port: 0,
            csi: None,
        }
    }
}

/// A running API server. It stops, with all its connections, when this is dropped.
#[derive(Debug)]
pub struct KubernetesServer {
    api: Arc<Api>,
    address: SocketAddr,
    settings: watch::Sender<Settings>,
    csi: Arc<CsiDriver>,
    default_namespace: Option<String>,
    _stop: DropGuard,
}

impl KubernetesServer {
    /// Starts a server on 127.0.0.1, with the namespaces `default` and `kube-system`, one node, and the user `admin`.
    ///
    /// # Errors
    ///
    /// When the socket cannot be opened, or the temporary folder of the CSI driver cannot be made.
    pub async fn start(options: KubernetesOptions) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
        let address = listener.local_addr()?;
        let mut users = Users::default();
        let token = options.admin_token.unwrap_or_else(|| uuid::Uuid::new_v4().simple().to_string());
        users.insert(&token, "admin", vec![Rule::new(&["*"], &["*"], &["*"])]);
        let api = Arc::new(Api {
            store: Arc::new(Store::new()),
            users: Mutex::new(users),
            faults: Mutex::new(Faults::default()),
            forwards: Mutex::new(Forwards::default()),
            log: Mutex::new(Vec::new()),
            watch_cut: watch::Sender::new(0),
            git_version: options.git_version,
            snapshots: options.snapshots,
            bookmark_interval: options.bookmark_interval,
        });
        let csi = match options.csi {
            Some(shared) => shared,
            None => Arc::new(CsiDriver::new()?),
        };
        let settings = watch::Sender::new(Settings {
            timing: options.pod_timing,
            storage_timing: options.storage_timing,
            ..Settings::default()
        });
        let stop = CancellationToken::new();
        tokio::spawn(server::run(api.clone(), listener, stop.clone()));
        tokio::spawn(controllers::run(api.store.clone(), csi.clone(), settings.subscribe(), stop.clone()));
        let server = KubernetesServer {
            api,
            address,
            settings,
            csi,
            default_namespace: options.default_namespace,
            _stop: stop.drop_guard(),
        };
        server.create_first_objects().map_err(io::Error::other)?;
        Ok(server)
    }

    fn create_first_objects(&self) -> Result<(), StatusError> {
        self.create_namespace("default")?;
        self.create_namespace("kube-system")?;
        self.create(json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": NODE, "labels": {"kubernetes.io/hostname": NODE}},
            "status": {
                "addresses": [
                    {"type": "InternalIP", "address": "127.0.0.1"},
                    {"type": "Hostname", "address": NODE},
                ],
                "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
            },
        }))?;
        Ok(())
    }

    /// The socket of the server.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A kubeconfig with a context for each user, named like the user; `admin` is the current one.
    pub fn kubeconfig(&self) -> String {
        self.kubeconfig_of("admin")
    }

    /// The same kubeconfig with another current context.
    pub fn kubeconfig_of(&self, user: &str) -> String {
        let users = lock(&self.api.users).tokens();
        kubeconfig::text(&format!("http://{}", self.address), None, &users, user, self.default_namespace.as_deref())
    }

    /// Writes [`Self::kubeconfig`] to a file.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn write_kubeconfig(&self, path: &Path) -> io::Result<()> {
        std::fs::write(path, self.kubeconfig())
    }

    /// Adds a user, or replaces what the user of this token may do. The user is named `name` in messages.
    ///
    /// Role and RoleBinding objects in the API count in addition.
    pub fn add_user(&self, token: &str, name: &str, rules: Vec<Rule>) {
        lock(&self.api.users).insert(token, name, rules);
    }

    /// Creates a namespace, if it is not there yet.
    ///
    /// # Errors
    ///
    /// When the name is not a valid one.
    pub fn create_namespace(&self, name: &str) -> Result<(), StatusError> {
        let labels = json!({"kubernetes.io/metadata.name": name});
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}});
        match self.create(namespace) {
            Err(error) if error.reason != "AlreadyExists" => Err(error),
            _ => Ok(()),
        }
    }

    /// Stores an object as the system itself would, with the status given, past authorization and log.
    ///
    /// # Errors
    ///
    /// As the API answers; an unknown `apiVersion` and `kind` is 404.
    pub fn create(&self, mut object: Value) -> Result<Value, StatusError> {
        let text = |field: &str| object[field].as_str().unwrap_or_default();
        let resource =
            resource_types::by_kind(text("apiVersion"), text("kind")).ok_or_else(StatusError::unknown_path)?;
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or("default").to_owned();
        let keep_status = object.get("status").is_some();
        if !resource.namespaced {
            object["metadata"]["namespace"] = Value::Null;
        }
        let created =
            self.api.store.with(|state| objects::create(state, resource, &namespace, object, false, keep_status))?;
        Ok(Value::clone(&created))
    }

    fn resource(plural: &str) -> Option<&'static ResourceType> {
        resource_types::RESOURCE_TYPES.iter().find(|it| it.plural == plural)
    }

    /// One object as it is now, by the plural name of its kind. The namespace of a cluster-wide kind does not matter.
    pub fn object(&self, plural: &str, namespace: &str, name: &str) -> Option<Value> {
        let resource = Self::resource(plural)?;
        let key = ObjectKey::new(resource, namespace, name);
        self.api.store.with(|state| state.get(&key).map(|object| Value::clone(object)))
    }

    /// All objects of one kind, in all namespaces or in one; empty for an unknown kind.
    pub fn objects(&self, plural: &str, namespace: Option<&str>) -> Vec<Value> {
        let Some(resource) = Self::resource(plural) else { return Vec::new() };
        self.api.store.with(|state| state.list(resource, namespace).map(|(_, object)| Value::clone(object)).collect())
    }

    /// Every object of every kind, in a fixed order: for comparing before and after.
    pub fn all_objects(&self) -> Vec<Value> {
        self.api.store.with(|state| state.all().map(|(_, object)| Value::clone(object)).collect())
    }

    /// Changes an object by a JSON merge patch (its status included), as the system itself would.
    ///
    /// # Errors
    ///
    /// As the API answers.
    pub fn merge(&self, plural: &str, namespace: &str, name: &str, change: &Value) -> Result<Value, StatusError> {
        let resource = Self::resource(plural).ok_or_else(StatusError::unknown_path)?;
        let key = ObjectKey::new(resource, namespace, name);
        let bytes = change.to_string().into_bytes();
        self.api.store.with(|state| {
            let mut last = Value::Null;
            let parts = if resource.status {
                &[objects::Part::Main, objects::Part::Status][..]
            } else {
                &[objects::Part::Main][..]
            };
            for part in parts {
                let current = state.get(&key).cloned().ok_or_else(|| StatusError::not_found(resource, name))?;
                let new = super::patch::apply("application/merge-patch+json", &current, &bytes)?;
                last = Value::clone(&*objects::update(state, resource, &key, new, *part, false)?);
            }
            Ok(last)
        })
    }

    /// Deletes an object at once, as the system itself would.
    ///
    /// # Errors
    ///
    /// 404 when it is not there.
    pub fn delete(&self, plural: &str, namespace: &str, name: &str) -> Result<(), StatusError> {
        let resource = Self::resource(plural).ok_or_else(StatusError::unknown_path)?;
        let key = ObjectKey::new(resource, namespace, name);
        let now = json!({"gracePeriodSeconds": 0});
        self.api.store.with(|state| objects::delete(state, resource, &key, &now, false)).map(drop)
    }

    /// Creates the objects of a Pachyderm deployment. Cluster-wide ones that an earlier deployment made are shared. Volumes
    /// of etcd that are the sandbox's own CSI driver's get a folder.
    ///
    /// # Errors
    ///
    /// 409 when one in the namespace exists already, 422 when its node ports are taken, 500 when the folder can't be made.
    pub fn deploy(&self, deployment: &PachydermDeployment) -> Result<(), StatusError> {
        self.create_namespace(&deployment.namespace)?;
        for handle in deployment.own_volumes() {
            let made = self.csi.create_volume(handle, ETCD_VOLUME_BYTES);
            made.map_err(|error| StatusError::new(500, "InternalError", error.to_string()))?;
        }
        for object in deployment.objects() {
            if object["kind"] == "VolumeSnapshotClass" && !self.api.snapshots {
                continue;
            }
            let shared = ["ClusterRole", "StorageClass", "VolumeSnapshotClass"].iter().any(|it| object["kind"] == *it);
            match self.create(object) {
                Err(error) if !(shared && error.reason == "AlreadyExists") => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// The CSI driver: the folders of its volumes and snapshots, and its faults.
    pub fn csi(&self) -> &CsiDriver {
        &self.csi
    }

    /// The same driver, for another server.
    pub fn shared_csi(&self) -> Arc<CsiDriver> {
        Arc::clone(&self.csi)
    }

    /// The hand by which a pachd of the sandbox moves the workers of its pipelines.
    pub fn worker_control(&self, namespace: &str) -> WorkerControl {
        WorkerControl::new(self.api.store.clone(), namespace)
    }

    /// Sends port-forwards to `port` of the target's pods to this address (`"app=pachd"`, or a pod's name).
    pub fn set_forward(&self, target: impl Into<ForwardTarget>, port: u16, address: SocketAddr) {
        lock(&self.api.forwards).set(target.into(), port, address);
    }

    /// Lets [`Self::set_forward`] mean the pods of this namespace only, from now on.
    pub fn set_forward_namespace(&self, namespace: &str) {
        lock(&self.api.forwards).set_home(namespace);
    }

    /// What another part of the sandbox sees of the API.
    pub(crate) fn view(&self) -> KubernetesView {
        KubernetesView { api: Arc::clone(&self.api) }
    }

    /// Takes a forward away: new ones to the port get "connection refused".
    pub fn remove_forward(&self, target: impl Into<ForwardTarget>, port: u16) {
        lock(&self.api.forwards).remove(&target.into(), port);
    }

    /// Switches a fault on, behind those that are on already.
    pub fn add_fault(&self, fault: Fault) {
        lock(&self.api.faults).add(fault);
    }

    /// Switches all faults off.
    pub fn clear_faults(&self) {
        lock(&self.api.faults).clear();
    }

    /// Breaks off every watch that is open.
    pub fn cut_watches(&self) {
        self.api.watch_cut.send_modify(|count| *count += 1);
    }

    /// Forgets the history: watches and pages from older versions get 410 from now on.
    pub fn compact(&self) {
        self.api.store.with(super::store::State::compact);
    }

    /// Sets how long pods take from now on.
    pub fn set_pod_timing(&self, timing: PodTiming) {
        self.settings.send_modify(|settings| settings.timing = timing);
    }

    /// Stops all controllers, or lets them go on: while stopped, objects are stored and nothing moves.
    pub fn pause_controllers(&self, paused: bool) {
        self.settings.send_modify(|settings| settings.paused = paused);
    }

    /// All requests so far, oldest first.
    pub fn requests(&self) -> Vec<LoggedRequest> {
        lock(&self.api.log).clone()
    }

    /// The requests so far that were to change stored objects, whatever became of them.
    pub fn changes(&self) -> Vec<LoggedRequest> {
        lock(&self.api.log).iter().filter(|entry| entry.change).cloned().collect()
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        lock(&self.api.log).clear();
    }
}
