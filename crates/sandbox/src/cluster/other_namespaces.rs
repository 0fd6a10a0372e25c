//! Deployments of Pachyderm in other namespaces than the recorded cluster's: each gets an empty pachd and etcd of its own, over the
//! bucket that its storage secret names, as nodes that run what is deployed would give it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::etcd_disk::{EtcdDisk, MountedDisk, claim_of};
use super::reachable_stores::ReachableStores;
use super::served_bucket::ServedBucket;
use super::{NAMESPACE, ServedWorkers};
use crate::kubernetes::{CsiDriver, ForwardTarget, KubernetesView};
use crate::pachd::recorded;
use crate::pachd::{ExtractClock, PachdOptions, PachdServer};

/// How soon a namespace is looked at again after a change: controllers make several at once.
const SETTLE: Duration = Duration::from_millis(10);

/// What the nodes have to know.
pub(super) struct Nodes {
    pub(super) kubernetes: KubernetesView,
    pub(super) csi: Arc<CsiDriver>,
    pub(super) stores: ReachableStores,
    pub(super) master_interval: Duration,
}

/// What runs in a namespace.
struct Served {
    _pachd: PachdServer,
    /// Where etcd is on a disk.
    _disk: Option<DropGuard>,
}

impl Nodes {
    /// Runs what is deployed until the guard is dropped.
    pub(super) fn start(self) -> DropGuard {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = stopped.cancelled() => {}
                () = self.run() => {}
            }
        });
        stop.drop_guard()
    }

    async fn run(self) {
        let mut changes = self.kubernetes.changes();
        // By the UID of the namespace: one of the same name may come again.
        let mut served: HashMap<String, (String, Served)> = HashMap::new();
        loop {
            let namespaces = self.kubernetes.objects("namespaces", None);
            let uid = |namespace: &Value| text(&namespace["metadata"]["uid"]);
            served.retain(|known, (name, _)| {
                let stays = namespaces.iter().any(|namespace| uid(namespace) == *known);
                if !stays {
                    self.kubernetes.forget_forwards(name);
                }
                stays
            });
            for namespace in &namespaces {
                let name = text(&namespace["metadata"]["name"]);
                if name == NAMESPACE || served.contains_key(&uid(namespace)) {
                    continue;
                }
                if let Some(server) = self.serve(&name).await {
                    served.insert(uid(namespace), (name, server));
                }
            }
            if changes.changed().await.is_err() {
                return;
            }
            tokio::time::sleep(SETTLE).await;
        }
    }

    /// Starts pachd and etcd, once both have a pod that runs.
    async fn serve(&self, namespace: &str) -> Option<Served> {
        let pods = self.kubernetes.objects("pods", Some(namespace));
        let runs = |app: &str| {
            pods.iter().any(|pod| pod["metadata"]["labels"]["app"] == app && pod["status"]["phase"] == "Running")
        };
        if !runs("pachd") || !runs("etcd") {
            return None;
        }
        let bucket = self.bucket_of(namespace)?;
        let options = PachdOptions {
            workers: Arc::new(ServedWorkers(self.kubernetes.worker_control(namespace))),
            master_interval: self.master_interval,
            clock: ExtractClock::Now,
            deployment_id: format!("deployment-of-{namespace}"),
            auth: None,
            etcd_members: 1,
        };
        let started = match recorded::load_gamma(Arc::new(bucket), true) {
            Ok(empty) => PachdServer::start(empty, options).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let server =
            started.inspect_err(|error| tracing::warn!(error, namespace, "pachd could not be started")).ok()?;
        let disk = EtcdDisk {
            kubernetes: self.kubernetes.clone(),
            namespace: namespace.to_owned(),
            csi: Arc::clone(&self.csi),
            address: server.etcd(),
            disk: MountedDisk::of(&server),
        };
        let ports = [("pachd", 650, server.external()), ("pachd", 653, server.peer()), ("etcd", 2379, server.etcd())];
        for (app, port, address) in ports {
            let label = ForwardTarget::Label("app".to_owned(), app.to_owned());
            self.kubernetes.set_forward(label.in_namespace(namespace), port, address);
        }
        let on_claim = pods.iter().any(|pod| pod["metadata"]["labels"]["app"] == "etcd" && claim_of(pod).is_some());
        Some(Served { _pachd: server, _disk: on_claim.then(|| disk.start()) })
    }

    /// The bucket that the storage secret names; `None` while it fits none of the stores, as a pachd that can't reach
    /// its bucket does not start.
    fn bucket_of(&self, namespace: &str) -> Option<ServedBucket> {
        let secret = self.kubernetes.object("secrets", namespace, "pachyderm-storage-secret")?;
        let value = |key: &str| {
            let bytes = STANDARD.decode(secret["data"][key].as_str()?).ok()?;
            String::from_utf8(bytes).ok()
        };
        let deployments = self.kubernetes.objects("deployments", Some(namespace));
        let containers = deployments.iter().flat_map(|one| one["spec"]["template"]["spec"]["containers"].as_array());
        let variables = containers.flatten().flat_map(|container| container["env"].as_array()).flatten();
        let backend = variables.into_iter().find(|variable| variable["name"] == "STORAGE_BACKEND")?["value"].clone();
        self.stores.bucket_of(namespace, backend.as_str()?, value)
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
