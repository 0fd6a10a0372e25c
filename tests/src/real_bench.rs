//! A recorded cluster in a namespace of a real Kubernetes, with a vault and a place for clones in a folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolume, PersistentVolumeClaim, Pod, Service};
use kube::api::{DynamicObject, ListParams};
use kube::core::{ApiResource, GroupVersionKind, NamespaceResourceScope};
use kube::{Api, Client, ResourceExt};
use sandbox::cluster::ClusterOptions;
use sandbox::cluster::on_kubernetes::{ClusterOnKubernetes, ETCD_CLAIM, NodePorts};
use sandbox::programs::kubernetes::{ApiServer, KubernetesBench};
use serde::de::DeserializeOwned;
use serde_json::json;
use tempfile::TempDir;

use crate::binary::{Ended, Running, start};
use crate::picture::{Picture, pipelines};

/// A recorded cluster in a namespace of a real Kubernetes.
pub struct RealBench<'a> {
    /// The Kubernetes.
    pub kubernetes: &'a KubernetesBench,
    /// The cluster.
    pub cluster: ClusterOnKubernetes,
    /// A client of a user who may do everything.
    pub client: Client,
    folder: TempDir,
}

impl std::fmt::Debug for RealBench<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RealBench").field("cluster", &self.cluster).finish_non_exhaustive()
    }
}

impl<'a> RealBench<'a> {
    /// Serves cluster *alpha* with its pipelines running, in a namespace of this name.
    pub async fn new(kubernetes: &'a KubernetesBench, namespace: &str) -> Self {
        Self::with(kubernetes, namespace, ClusterOptions::default(), NodePorts::Any).await
    }

    /// Serves cluster *alpha*.
    ///
    /// # Panics
    /// When it can't be served.
    pub async fn with(
        kubernetes: &'a KubernetesBench,
        namespace: &str,
        options: ClusterOptions,
        node_ports: NodePorts,
    ) -> Self {
        let client = kubernetes.api().client().await.expect("a client");
        let cluster = ClusterOnKubernetes::alpha(kubernetes.api(), namespace, options, node_ports).await;
        let cluster = cluster.expect("the recorded cluster can be deployed");
        let bench = Self::around(kubernetes, cluster, client);
        bench.wait_until_ready().await;
        bench
    }

    /// Serves cluster *gamma*, which is empty and whose etcd runs on its disk.
    ///
    /// # Panics
    /// When it can't be served.
    pub async fn empty_on_disk(kubernetes: &'a KubernetesBench, namespace: &str) -> Self {
        let client = kubernetes.api().client().await.expect("a client");
        let cluster = ClusterOnKubernetes::gamma(kubernetes, namespace, ClusterOptions::default()).await;
        let bench = Self::around(kubernetes, cluster.expect("the empty cluster can be deployed"), client);
        bench.wait_until_ready().await;
        bench
    }

    /// A bench around a cluster that is served, with kubeconfig and configuration.
    pub(crate) fn around(kubernetes: &'a KubernetesBench, cluster: ClusterOnKubernetes, client: Client) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let bench = Self { kubernetes, cluster, client, folder };
        bench.write_kubeconfig(&kubernetes.api().kubeconfig().expect("a kubeconfig"));
        bench.write_config("");
        bench
    }

    /// The API server.
    pub fn api_server(&self) -> &ApiServer {
        self.kubernetes.api()
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.cluster.namespace
    }

    /// Folder of everything.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Objects of a kind in the namespace.
    pub fn objects<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), self.namespace())
    }

    /// The VolumeSnapshots of the namespace.
    pub fn volume_snapshots(&self) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk("snapshot.storage.k8s.io", "v1", "VolumeSnapshot");
        Api::namespaced_with(self.client.clone(), self.namespace(), &ApiResource::from_gvk(&kind))
    }

    /// Writes the kubeconfig that the binary uses.
    ///
    /// # Panics
    /// When the folder is gone.
    pub fn write_kubeconfig(&self, kubeconfig: &str) {
        std::fs::write(self.folder().join("kubeconfig"), kubeconfig).expect("the kubeconfig can be written");
    }

    /// Writes the configuration, with more lines behind the usual ones of its section `[snapshot]`.
    ///
    /// # Panics
    /// When the folder is gone.
    pub fn write_config(&self, more: &str) {
        let config = format!(
            "[cluster]\nname = \"alpha\"\nnamespace = \"{}\"\nkubeconfig = \"{folder}/kubeconfig\"\n\
             pod-access = \"pod-address\"\n\n\
             [vault]\nurl = \"file://{folder}/vault\"\n\n[clone]\nurl = \"file://{folder}/clones\"\n\n\
             [snapshot]\nstaging = \"{folder}/staging\"\nopen-commits = \"record\"\npoll = \"50ms\"\n{more}",
            self.namespace(),
            folder = self.folder().display()
        );
        std::fs::write(self.folder().join("pachsnap.toml"), config).expect("the configuration can be written");
    }

    /// Runs the binary to its end.
    pub async fn run(&self, arguments: &[&str]) -> Ended {
        self.start(arguments).end().await
    }

    /// Starts the binary.
    pub fn start(&self, arguments: &[&str]) -> Running {
        let config = self.folder().join("pachsnap.toml").display().to_string();
        let all = arguments.iter().copied().chain(["--config", &config]);
        start(self.folder(), [("PATH", "/usr/bin:/bin")], all)
    }

    /// The only run in the vault that has this file.
    pub fn run_with(&self, file: &str) -> Option<PathBuf> {
        let entries = std::fs::read_dir(self.folder().join("vault/alpha")).ok()?;
        entries.filter_map(Result::ok).map(|entry| entry.path()).find(|run| run.join(file).exists())
    }

    /// The manifest of the only recovery point.
    ///
    /// # Panics
    /// When there is none.
    pub fn manifest(&self) -> serde_json::Value {
        let run = self.run_with("manifest.json").expect("there is a manifest");
        serde_json::from_slice(&std::fs::read(run.join("manifest.json")).expect("it can be read")).expect("it is JSON")
    }

    /// The folder that is etcd's disk.
    ///
    /// # Panics
    /// When there is none.
    pub async fn etcd_disk(&self) -> PathBuf {
        self.disk_of(ETCD_CLAIM).await.expect("etcd's claim has a volume")
    }

    /// The folder that is the content of a claim's volume.
    pub async fn disk_of(&self, claim: &str) -> Option<PathBuf> {
        let claim = self.objects::<PersistentVolumeClaim>().get_opt(claim).await.ok()??;
        let volumes: Api<PersistentVolume> = Api::all(self.client.clone());
        let volume = volumes.get_opt(&claim.spec?.volume_name?).await.ok()??;
        Some(self.kubernetes.driver().volume_folder(&volume.spec?.csi?.volume_handle))
    }

    /// Makes the Lease one whose holder gave its last sign long ago.
    ///
    /// # Panics
    /// When the Lease can't be changed.
    pub async fn end_lease(&self) {
        let long_ago = json!({"spec": {"renewTime": "2020-01-01T00:00:00.000000Z"}});
        let patch = kube::api::Patch::Merge(long_ago);
        let leases = self.objects::<Lease>();
        if leases.get_opt("pachsnap").await.expect("Leases can be read").is_some() {
            leases.patch("pachsnap", &Default::default(), &patch).await.expect("the Lease can be changed");
        }
    }

    /// The cluster as a person would compare it. Pipelines that are still settling are waited for.
    pub async fn picture(&self) -> Picture {
        let mut last = self.picture_now().await;
        for _ in 0..100 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let now = self.picture_now().await;
            if now == last && now.is_settled() {
                return now;
            }
            last = now;
        }
        last
    }

    async fn picture_now(&self) -> Picture {
        let services = self.all::<Service>().await;
        let services = services.into_iter().filter(|service| !service.name_any().starts_with("pipeline-"));
        let services = services.map(|service| {
            let spec = service.spec.clone().unwrap_or_default();
            (service.name_any(), json!([spec.selector, spec.ports]).to_string())
        });
        let mut workloads = BTreeMap::new();
        for one in self.all::<Deployment>().await {
            workloads.insert(one.name_any(), format!("{:?} replicas", one.spec.replicas));
        }
        for one in self.all::<StatefulSet>().await {
            workloads.insert(one.name_any(), format!("{:?} replicas", one.spec.replicas));
        }
        for one in self.all::<CronJob>().await {
            workloads.insert(one.name_any(), format!("suspended {:?}", one.spec.suspend));
        }
        let mut leftovers: Vec<String> = self.all::<ConfigMap>().await.iter().map(ResourceExt::name_any).collect();
        leftovers.extend(self.all::<Lease>().await.iter().map(ResourceExt::name_any));
        leftovers.retain(|name| name.starts_with("pachsnap"));
        Picture { pipelines: pipelines(self.cluster.pachd.state()), services: services.collect(), workloads, leftovers }
    }

    async fn all<K>(&self) -> Vec<K>
    where
        K: kube::Resource<Scope = NamespaceResourceScope> + Clone + DeserializeOwned + std::fmt::Debug,
        K::DynamicType: Default,
    {
        // An API server that is killed by a test comes back.
        let mut tries = 0;
        loop {
            if let Ok(found) = self.objects::<K>().list(&ListParams::default()).await {
                return found.items;
            }
            tries += 1;
            assert!(tries < 1_800, "the API server does not answer");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn wait_until_ready(&self) {
        let ready = self.kubernetes.wait_for(|| async {
            let pods = self.all::<Pod>().await;
            let phase = |pod: &Pod| pod.status.as_ref().and_then(|it| it.phase.clone()).unwrap_or_default();
            let waiting = pods.iter().filter(|pod| phase(pod) != "Running");
            let mut missing: Vec<String> =
                waiting.map(|pod| format!("pod {} is {:?}", pod.name_any(), phase(pod))).collect();
            let server = |app: &str| pods.iter().any(|pod| pod.labels().get("app").is_some_and(|it| it == app));
            missing.extend(
                ["pachd", "etcd"].iter().filter(|app| !server(app)).map(|app| format!("there is no pod of {app}")),
            );
            if self.disk_of(ETCD_CLAIM).await.is_none() {
                missing.push(format!("claim {ETCD_CLAIM} has no volume"));
            }
            if missing.is_empty() { Ok(()) } else { Err(format!("in {}: {}", self.namespace(), missing.join(", "))) }
        });
        ready.await.expect("the pods of the cluster become ready");
    }
}
