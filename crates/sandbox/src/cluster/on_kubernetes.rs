//! A recorded cluster whose Kubernetes is a real one: its objects are the API server's, its pods are kwok's, and pachd, etcd
//! and S3 are the sandbox's, at the address that the pods say they have.

use std::sync::Arc;

use kube::api::{DynamicObject, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::kubernetes_workers::KubernetesWorkers;
use super::{BUCKET, ClusterOptions, ServedBucket, StartError};
use crate::kubernetes::{Etcd, EtcdVolume, PachydermDeployment};
use crate::pachd::objects::ObjectStore;
use crate::pachd::recorded;
use crate::pachd::{ExtractClock, PachdOptions, PachdServer};
use crate::programs::ProgramError;
use crate::programs::kubernetes::{ApiServer, NODE, STORAGE_CLASS};
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
        let unusable = |error: ProgramError| StartError::Deploy(error.to_string());
        let client = &kubernetes.client().await.map_err(unusable)?;
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
        let workers = KubernetesWorkers::start(&kubernetes.kubeconfig().map_err(unusable)?, namespace)?;
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
