//! A recorded cluster whose Kubernetes is a real one: its objects are the API server's, its pods are kwok's, and pachd, etcd
//! and S3 are the sandbox's, at the address that the pods say they have.

use std::path::PathBuf;
use std::sync::Arc;

use kube::api::{DynamicObject, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::sync::DropGuard;

use super::etcd_on_node::{EtcdOnNode, keep_on_disk};
use super::kubernetes_workers::KubernetesWorkers;
use super::stores::Stores;
use super::{ClusterOptions, Load, StartError, Storage};
#[cfg(feature = "gcs")]
use crate::gcs::GcsServer;
use crate::kubernetes::{Etcd, EtcdVolume, PachydermDeployment};
use crate::pachd::recorded;
use crate::pachd::{ExtractClock, PachdOptions, PachdServer};
use crate::programs::ProgramError;
use crate::programs::kubernetes::{ApiServer, KubernetesBench, NODE, STORAGE_CLASS};
use crate::s3::S3Server;

/// Where pods say that they are: where the sandbox serves.
const POD_ADDRESS: &str = "bench.pachsnap.io/pod-ip";
/// The claim of etcd's only member.
pub const ETCD_CLAIM: &str = "etcd-storage-etcd-0";

/// Which node ports the Services have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NodePorts {
    /// Whichever are free: several clusters fit into one Kubernetes.
    #[default]
    Any,
    /// Those that every deployment of Pachyderm has by itself.
    Documented,
}

/// A recorded cluster in a namespace of a real Kubernetes. pachd, etcd and S3 stop when it is dropped; the namespace stays.
#[derive(Debug)]
pub struct ClusterOnKubernetes {
    /// The store that holds the data bucket, unless that is elsewhere.
    pub s3: S3Server,
    /// Cloud Storage, as in [`RecordedCluster::google`](super::RecordedCluster::google).
    #[cfg(feature = "gcs")]
    pub google: Option<Arc<GcsServer>>,
    /// pachd and its etcd.
    pub pachd: PachdServer,
    /// The namespace.
    pub namespace: String,
    /// etcd's only member, where it is as a node would have it.
    etcd: Option<EtcdOnNode>,
}

impl ClusterOnKubernetes {
    /// Serves cluster *alpha* in a new namespace: 12 pipelines of every kind, with open commits. Its pods run on [`NODE`]; etcd's
    /// volume is one of the class [`STORAGE_CLASS`].
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn alpha(
        kubernetes: &ApiServer,
        namespace: &str,
        options: ClusterOptions,
        node_ports: NodePorts,
    ) -> Result<Self, StartError> {
        let clock = ExtractClock::Recorded(recorded::alpha_clock()?);
        let id = uuid::Uuid::new_v4().simple().to_string();
        let cluster = Self::serve(kubernetes, namespace, &options, (recorded::load_alpha, clock), id.clone()).await?;
        cluster.deploy(kubernetes, options, id, node_ports).await?;
        Ok(cluster)
    }

    /// Serves cluster *gamma*, which is empty, in a new namespace. Its etcd is as a node would have it: reached while its pod runs,
    /// and serving what is on the disk under the pod's claim.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn gamma(bench: &KubernetesBench, namespace: &str, options: ClusterOptions) -> Result<Self, StartError> {
        let kubernetes = bench.api();
        let load = (recorded::load_gamma as Load, ExtractClock::Now);
        let id = uuid::Uuid::new_v4().simple().to_string();
        let mut cluster = Self::serve(kubernetes, namespace, &options, load, id.clone()).await?;
        let client = kubernetes.client().await.map_err(unusable)?;
        let volumes = bench.driver().volumes();
        let folder_of = Arc::new(move |handle: &str| volumes.join(handle));
        let etcd = EtcdOnNode::start(client, namespace, &cluster.pachd, folder_of).await;
        cluster.etcd = Some(etcd.map_err(|error| StartError::Deploy(error.to_string()))?);
        cluster.deploy(kubernetes, options, id, NodePorts::Any).await?;
        Ok(cluster)
    }

    /// Keeps what etcd holds in a folder that is its disk, until the guard is dropped.
    #[must_use]
    pub fn keep_etcd_on(&self, disk: PathBuf) -> DropGuard {
        keep_on_disk(&self.pachd, disk)
    }

    /// Makes the objects of a whole deployment.
    async fn deploy(
        &self,
        kubernetes: &ApiServer,
        options: ClusterOptions,
        id: String,
        node_ports: NodePorts,
    ) -> Result<(), StartError> {
        let backend = options.storage.backend(&options.bucket, self.s3.addr().to_string(), options.access_key);
        let mut deployment = PachydermDeployment::new(&self.namespace, backend);
        deployment.deployment_id = id;
        deployment.storage_v2 = options.storage_v2;
        // The volume itself is the provisioner's work: all that is used of this is that there is a claim.
        deployment.etcd = Etcd::StatefulSet(vec![EtcdVolume::HostPath(String::new())]);
        let objects = deployment.objects().into_iter().filter_map(adapt).collect();
        self.create(kubernetes, objects, node_ports).await
    }

    /// Serves cluster *amazon*, which has one input and two pipelines, in a new namespace whose objects are those of a manifest
    /// of several YAML documents. Its pods run on [`NODE`], and pachd's and etcd's ports are the sandbox's.
    ///
    /// What differs from one namespace to the next has to stand there as a placeholder: `__NAMESPACE__`, `__S3__` (host and
    /// port), `__BUCKET__`, `__ACCESS_KEY__`, `__SECRET_KEY__`, `__HOST_PATH__` (the folder of a LOCAL deployment).
    ///
    /// # Errors
    /// [`StartError`], also for a manifest that isn't YAML.
    pub async fn of_manifest(
        kubernetes: &ApiServer,
        namespace: &str,
        options: ClusterOptions,
        node_ports: NodePorts,
        manifest: &str,
    ) -> Result<Self, StartError> {
        let load = (recorded::load_amazon as Load, ExtractClock::Now);
        let id = uuid::Uuid::new_v4().simple().to_string();
        let cluster = Self::serve(kubernetes, namespace, &options, load, id).await?;
        let host_path = match &options.storage {
            Storage::Local(folder) => folder.display().to_string(),
            _ => String::new(),
        };
        let mut manifest = manifest.to_owned();
        for (placeholder, value) in [
            ("__NAMESPACE__", namespace),
            ("__S3__", &cluster.s3.addr().to_string()),
            ("__BUCKET__", &options.bucket),
            ("__ACCESS_KEY__", &options.access_key.0),
            ("__SECRET_KEY__", &options.access_key.1),
            ("__HOST_PATH__", &host_path),
        ] {
            manifest = manifest.replace(placeholder, value);
        }
        let documents = serde_yaml_ng::Deserializer::from_str(&manifest).map(Value::deserialize);
        let objects = documents.collect::<Result<Vec<Value>, _>>();
        let objects = objects.map_err(|error| StartError::Deploy(error.to_string()))?;
        cluster.create(kubernetes, objects, node_ports).await?;
        Ok(cluster)
    }

    /// Starts pachd, etcd and S3 for a new namespace that has no other objects than those of pipelines.
    async fn serve(
        kubernetes: &ApiServer,
        namespace: &str,
        options: &ClusterOptions,
        (load, clock): (Load, ExtractClock),
        deployment_id: String,
    ) -> Result<Self, StartError> {
        let client = &kubernetes.client().await.map_err(unusable)?;
        let (stores, recorded) = Stores::start(options, load).await?;
        create(client, namespace, json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}))
            .await?;
        let workers = KubernetesWorkers::start(&kubernetes.kubeconfig().map_err(unusable)?, namespace)?;
        let pachd = PachdServer::start(
            recorded,
            PachdOptions {
                workers: Arc::new(workers),
                master_interval: options.master_interval,
                clock,
                deployment_id,
                auth: options.auth.clone(),
                etcd_members: 1,
            },
        )
        .await?;
        Ok(Self {
            s3: stores.s3,
            #[cfg(feature = "gcs")]
            google: stores.google,
            pachd,
            namespace: namespace.to_owned(),
            etcd: None,
        })
    }

    async fn create(
        &self,
        kubernetes: &ApiServer,
        objects: Vec<Value>,
        node_ports: NodePorts,
    ) -> Result<(), StartError> {
        let client = &kubernetes.client().await.map_err(unusable)?;
        for object in objects {
            create(client, &self.namespace, self.place(object, node_ports)).await?;
        }
        Ok(())
    }

    /// The object on the node, at the sandbox's ports.
    fn place(&self, mut object: Value, node_ports: NodePorts) -> Value {
        let pachd = &self.pachd;
        let etcd = self.etcd.as_ref().map_or(pachd.etcd().port(), |etcd| etcd.port);
        if object["kind"] == "Service" {
            for port in object["spec"]["ports"].as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
                if node_ports == NodePorts::Any {
                    port.remove("nodePort");
                }
                if port.get("name").is_some_and(|name| name == "client-port") {
                    port.insert("targetPort".to_owned(), json!(etcd));
                }
            }
        }
        if object["spec"]["template"]["spec"].is_object() {
            let template = &mut object["spec"]["template"];
            template["spec"]["nodeName"] = json!(NODE);
            template["metadata"]["annotations"][POD_ADDRESS] = json!("127.0.0.1");
            for container in template["spec"]["containers"].as_array_mut().into_iter().flatten() {
                let environment = container.get_mut("env").and_then(Value::as_array_mut);
                let is_pachd = |all: &&mut Vec<Value>| all.iter().any(|variable| variable["name"] == "STORAGE_BACKEND");
                let Some(environment) = environment.filter(is_pachd) else { continue };
                for (name, port) in [("PORT", pachd.external().port()), ("PEER_PORT", pachd.peer().port())] {
                    environment.push(json!({"name": name, "value": port.to_string()}));
                }
            }
        }
        object
    }
}

fn unusable(error: ProgramError) -> StartError {
    StartError::Deploy(error.to_string())
}

/// The object of a whole deployment with a volume of the class that is served, if it isn't the provisioner's work.
fn adapt(mut object: Value) -> Option<Value> {
    if ["PersistentVolume", "PersistentVolumeClaim", "StorageClass"].iter().any(|kind| object["kind"] == *kind) {
        return None;
    }
    for claim in object["spec"]["volumeClaimTemplates"].as_array_mut().into_iter().flatten() {
        claim["metadata"]["annotations"] = Value::Null;
        claim["spec"]["storageClassName"] = json!(STORAGE_CLASS);
    }
    Some(object)
}

async fn create(client: &Client, namespace: &str, object: Value) -> Result<(), StartError> {
    let refused = |error: &dyn std::fmt::Display| StartError::Deploy(error.to_string());
    let text = |field: &Value| field.as_str().unwrap_or_default().to_owned();
    let api_version = text(&object["apiVersion"]);
    let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
    let kind = text(&object["kind"]);
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, &kind));
    let cluster_wide = ["ClusterRole", "ClusterRoleBinding", "Namespace", "PersistentVolume", "StorageClass"];
    let api: Api<DynamicObject> = if cluster_wide.contains(&kind.as_str()) {
        Api::all_with(client.clone(), &resource)
    } else {
        Api::namespaced_with(client.clone(), namespace, &resource)
    };
    let object = serde_json::from_value(object).map_err(|error| refused(&error))?;
    match api.create(&PostParams::default(), &object).await {
        // All deployments of a Kubernetes share them.
        Err(kube::Error::Api(status))
            if ["ClusterRole", "StorageClass"].contains(&kind.as_str()) && status.code == 409 =>
        {
            Ok(())
        }
        created => created.map(drop).map_err(|error| refused(&error)),
    }
}
