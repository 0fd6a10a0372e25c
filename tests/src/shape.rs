//! Deployments as other versions and tools make them, from the manifests in `tests/data/deployments`.

use std::path::Path;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::ResourceExt;
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
        let settled = self.kubernetes.wait_for(|| async {
            let missing = self.unsettled().await;
            if missing.is_empty() { Ok(()) } else { Err(format!("in {}: {}", self.namespace(), missing.join(", "))) }
        });
        settled.await.expect("workloads get their pods and claims their volumes");
    }

    async fn unsettled(&self) -> Vec<String> {
        let deployments = self.list::<Deployment>().await.into_iter().map(|one| {
            let ready = one.status.as_ref().and_then(|it| it.ready_replicas);
            (one.name_any(), one.spec.replicas, ready)
        });
        let sets = self.list::<StatefulSet>().await.into_iter().map(|one| {
            let ready = one.status.as_ref().and_then(|it| it.ready_replicas);
            (one.name_any(), one.spec.replicas, ready)
        });
        let workloads = deployments.chain(sets).filter(|(_, wanted, ready)| wanted != ready);
        let workloads = workloads.map(|(name, wanted, ready)| format!("{name} has {ready:?} of {wanted:?} pods"));
        let claims = self.list::<PersistentVolumeClaim>().await;
        let phase = |claim: &PersistentVolumeClaim| claim.status.as_ref().and_then(|it| it.phase.clone());
        let claims = claims.iter().filter(|claim| phase(claim).as_deref() != Some("Bound"));
        workloads.chain(claims.map(|claim| format!("claim {} is {:?}", claim.name_any(), phase(claim)))).collect()
    }

    async fn list<K>(&self) -> Vec<K>
    where
        K: kube::Resource<Scope = NamespaceResourceScope> + Clone + DeserializeOwned + std::fmt::Debug,
        K::DynamicType: Default,
    {
        self.objects::<K>().list(&ListParams::default()).await.expect("objects can be listed").items
    }
}
