//! Deployments as other versions and tools make them, from the manifests in `tests/data/deployments`.

use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::api::ListParams;
use kube::core::NamespaceResourceScope;
use sandbox::cluster::ClusterOptions;
use sandbox::cluster::on_kubernetes::{ClusterOnKubernetes, NodePorts};
use sandbox::programs::kubernetes::KubernetesBench;
use serde::de::DeserializeOwned;

use crate::RealBench;

impl<'a> RealBench<'a> {
    /// Serves cluster *amazon* as the deployment of this name, in a namespace `shape-<name>`.
    ///
    /// # Panics
    /// When it can't be served.
    pub async fn of_shape(
        kubernetes: &'a KubernetesBench,
        shape: &str,
        options: ClusterOptions,
        node_ports: NodePorts,
    ) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/deployments");
        let manifest = std::fs::read_to_string(folder.join(format!("{shape}.yaml"))).expect("there is such a manifest");
        let client = kubernetes.api().client().await.expect("a client");
        let namespace = format!("shape-{shape}");
        let cluster =
            ClusterOnKubernetes::of_manifest(kubernetes.api(), &namespace, options, node_ports, &manifest).await;
        let bench = Self::around(kubernetes, cluster.expect("the manifest can be deployed"), client);
        bench.wait_until_settled().await;
        bench
    }

    /// Waits until every workload has all of its pods and every claim its volume.
    ///
    /// # Panics
    /// When that does not come.
    pub async fn wait_until_settled(&self) {
        for tries in 0.. {
            assert!(tries < 600, "the pods and the claims of {} do not become ready", self.namespace());
            if self.is_settled().await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn is_settled(&self) -> bool {
        let deployments = self.list::<Deployment>().await.into_iter();
        let sets = self.list::<StatefulSet>().await.into_iter();
        let claims = self.list::<PersistentVolumeClaim>().await;
        let bound = |claim: &PersistentVolumeClaim| {
            claim.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Bound")
        };
        let deployments = deployments.map(|one| (one.spec.replicas, one.status.and_then(|it| it.ready_replicas)));
        let sets = sets.map(|one| (one.spec.replicas, one.status.and_then(|it| it.ready_replicas)));
        let mut workloads = deployments.chain(sets);
        workloads.all(|(wanted, ready)| wanted == ready) && claims.iter().all(bound)
    }

    async fn list<K>(&self) -> Vec<K>
    where
        K: kube::Resource<Scope = NamespaceResourceScope> + Clone + DeserializeOwned + std::fmt::Debug,
        K::DynamicType: Default,
    {
        self.objects::<K>().list(&ListParams::default()).await.expect("objects can be listed").items
    }
}
