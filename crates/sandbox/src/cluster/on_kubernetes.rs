//! A recorded cluster whose Kubernetes is a real one: its objects are the API server's, its pods are kwok's, and pachd, etcd
//! and S3 are the sandbox's, at the address that the pods say they have.

use std::sync::Arc;

use kube::api::{DeleteParams, DynamicObject, ListParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::{BUCKET, ClusterOptions, ServedBucket, StartError};
use crate::kubernetes::{Etcd, EtcdVolume, PachydermDeployment, worker_objects};
use crate::pachd::objects::ObjectStore;
use crate::pachd::pipelines::Workers;
use crate::pachd::recorded;
use crate::pachd::{ExtractClock, PachdOptions, PachdServer};
use crate::programs::kubernetes::{NODE, STORAGE_CLASS};
use crate::s3::{S3Options, S3Server};

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
    /// The store that holds the data bucket.
    pub s3: S3Server,
    /// pachd and its etcd.
    pub pachd: PachdServer,
    /// The namespace.
    pub namespace: String,
}

impl ClusterOnKubernetes {
    /// Serves cluster *alpha* in a new namespace: 12 pipelines of every kind, with open commits. Needs a runtime of several
    /// threads, and pods that run on [`NODE`]. etcd's volume is one of the class [`STORAGE_CLASS`].
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn alpha(
        client: &Client,
        namespace: &str,
        options: ClusterOptions,
        node_ports: NodePorts,
    ) -> Result<Self, StartError> {
        let (access_key, secret_key) = options.access_key.clone();
        let s3 = S3Server::start(S3Options { access_key, secret_key, ..S3Options::default() }).await?;
        let objects: Arc<dyn ObjectStore> = Arc::new(ServedBucket::new(s3.bucket(BUCKET), &options.storage));
        let recorded = recorded::load_alpha(objects, options.running)?;
        create(client, namespace, json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}))
            .await?;

        let backend = options.storage.backend(s3.addr().to_string(), options.access_key);
        let mut deployment = PachydermDeployment::new(namespace, backend);
        deployment.storage_v2 = options.storage_v2;
        // The volume itself is the provisioner's work: all that is used of this is that there is a claim.
        deployment.etcd = Etcd::StatefulSet(EtcdVolume::HostPath(String::new()));
        let workers =
            KubernetesWorkers { runtime: Handle::current(), client: client.clone(), namespace: namespace.to_owned() };
        let pachd = PachdServer::start(
            recorded,
            PachdOptions {
                workers: Arc::new(workers),
                master_interval: options.master_interval,
                clock: ExtractClock::Recorded(recorded::alpha_clock()?),
                deployment_id: deployment.deployment_id.clone(),
                auth: options.auth,
            },
        )
        .await?;
        for object in deployment.objects() {
            if let Some(object) = adapt(object, &pachd, node_ports) {
                create(client, namespace, object).await?;
            }
        }
        Ok(Self { s3, pachd, namespace: namespace.to_owned() })
    }
}

/// The object as this Kubernetes takes it: on the node, at the sandbox's ports, with a volume of the class that is served.
fn adapt(mut object: Value, pachd: &PachdServer, node_ports: NodePorts) -> Option<Value> {
    let kind = object["kind"].as_str().unwrap_or_default().to_owned();
    let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    if ["PersistentVolume", "PersistentVolumeClaim", "StorageClass"].contains(&kind.as_str()) {
        return None;
    }
    if kind == "Service" {
        for port in object["spec"]["ports"].as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
            if node_ports == NodePorts::Any {
                port.remove("nodePort");
            }
            if port.get("name").is_some_and(|name| name == "client-port") {
                port.insert("targetPort".to_owned(), json!(pachd.etcd().port()));
            }
        }
    }
    if object["spec"]["template"]["spec"].is_object() {
        let template = &mut object["spec"]["template"];
        template["spec"]["nodeName"] = json!(NODE);
        template["metadata"]["annotations"][POD_ADDRESS] = json!("127.0.0.1");
    }
    if kind == "Deployment" && name == "pachd" {
        let container = &mut object["spec"]["template"]["spec"]["containers"][0];
        if let Some(environment) = container["env"].as_array_mut() {
            for (name, port) in [("PORT", pachd.external().port()), ("PEER_PORT", pachd.peer().port())] {
                environment.push(json!({"name": name, "value": port.to_string()}));
            }
        }
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
    let cluster_wide = ["ClusterRole", "ClusterRoleBinding", "Namespace"].contains(&kind.as_str());
    let api: Api<DynamicObject> = if cluster_wide {
        Api::all_with(client.clone(), &resource)
    } else {
        Api::namespaced_with(client.clone(), namespace, &resource)
    };
    let object = serde_json::from_value(object).map_err(|error| refused(&error))?;
    match api.create(&PostParams::default(), &object).await {
        // All deployments of a Kubernetes share it.
        Err(kube::Error::Api(status)) if kind == "ClusterRole" && status.code == 409 => Ok(()),
        created => created.map(drop).map_err(|error| refused(&error)),
    }
}

/// pachd's hand in a real Kubernetes: the ReplicationControllers and Services of its pipelines' workers.
#[derive(Clone)]
struct KubernetesWorkers {
    runtime: Handle,
    client: Client,
    namespace: String,
}

impl std::fmt::Debug for KubernetesWorkers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KubernetesWorkers").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

impl KubernetesWorkers {
    fn api(&self, group: &str, kind: &str) -> Api<DynamicObject> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind));
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource)
    }

    fn wait<T>(&self, work: impl Future<Output = kube::Result<T>>) -> kube::Result<T> {
        tokio::task::block_in_place(|| self.runtime.block_on(work))
    }

    async fn try_replace(&self, pipeline: &str, [mut controller, service]: [Value; 2]) -> kube::Result<()> {
        let of_pipeline = ListParams::default().labels(&format!("component=worker,pipelineName={pipeline}"));
        for kind in ["ReplicationController", "Service"] {
            let api = self.api("", kind);
            for old in api.list(&of_pipeline).await? {
                let name = old.metadata.name.unwrap_or_default();
                match api.delete(&name, &DeleteParams::background()).await {
                    Err(kube::Error::Api(status)) if status.code == 404 => {}
                    deleted => drop(deleted?),
                }
            }
        }
        controller["spec"]["template"]["spec"]["nodeName"] = json!(NODE);
        for (kind, object) in [("ReplicationController", controller), ("Service", service)] {
            let object = serde_json::from_value(object).map_err(kube::Error::SerdeError)?;
            self.api("", kind).create(&PostParams::default(), &object).await?;
        }
        Ok(())
    }
}

impl Workers for KubernetesWorkers {
    fn replace(&self, pipeline: &str, version: u64, spec_commit: &str, replicas: usize) {
        let objects = worker_objects(pipeline, version, spec_commit, replicas);
        // An API server that is away for a while is asked again, as the pipeline master does.
        for _ in 0..100 {
            match self.wait(self.try_replace(pipeline, objects.clone())) {
                Ok(()) => return,
                Err(kube::Error::Api(status)) if status.code == 422 => {
                    tracing::error!(pipeline, status.message, "workers are refused");
                    return;
                }
                Err(error) => tracing::warn!(pipeline, %error, "workers could not be replaced"),
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    }

    fn any_left(&self, pipeline: &str) -> bool {
        let pods = ListParams::default().labels(&format!("component=worker,pipelineName={pipeline}"));
        let listed = self.wait(async { self.api("", "Pod").list(&pods).await });
        listed.map_or(true, |pods| !pods.items.is_empty())
    }
}
