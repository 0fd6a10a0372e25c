//! The Kubernetes half of a recovery point: the objects of the deployment, without secret values.

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Secret, Service};
use kube::api::ListParams;
use kube::{Api, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::error::{Error, ErrorKind, Result};

/// Reads the deployment's objects as YAML documents. Secrets keep their names and keys, never their values.
///
/// # Errors
/// Those of Kubernetes, a missing right among them: its kind of object would be missing from the recovery point.
pub(super) async fn read(cluster: &Cluster) -> Result<String> {
    let mut documents = Vec::new();
    collect::<Deployment>(cluster, &mut documents).await?;
    collect::<StatefulSet>(cluster, &mut documents).await?;
    collect::<Service>(cluster, &mut documents).await?;
    collect::<PersistentVolumeClaim>(cluster, &mut documents).await?;
    if let Some(secret) = secret(cluster).await? {
        documents.push(secret);
    }
    let mut text = String::new();
    for document in documents {
        text.push_str("---\n");
        text.push_str(&serde_yaml_ng::to_string(&document).map_err(|cause| {
            Error::new(ErrorKind::Failed, "writing the deployment's objects as YAML").because(cause)
        })?);
    }
    Ok(text)
}

async fn collect<K>(cluster: &Cluster, documents: &mut Vec<Value>) -> Result<()>
where
    K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
        + k8s_openapi::Metadata
        + Clone
        + DeserializeOwned
        + Serialize
        + std::fmt::Debug,
{
    let api: Api<K> = Api::namespaced(cluster.kubernetes.clone(), cluster.namespace());
    for mut object in api.list(&ListParams::default().labels("suite=pachyderm")).await? {
        object.managed_fields_mut().clear();
        object.annotations_mut().remove("kubectl.kubernetes.io/last-applied-configuration");
        let mut value = serde_json::to_value(&object)
            .map_err(|cause| Error::new(ErrorKind::Failed, "reading the deployment's objects").because(cause))?;
        if let Some(fields) = value.as_object_mut() {
            fields.insert("apiVersion".to_owned(), json!(K::api_version(&())));
            fields.insert("kind".to_owned(), json!(K::kind(&())));
            fields.remove("status");
        }
        conceal_literals(&mut value);
        documents.push(value);
    }
    Ok(())
}

/// Variables whose literal value holds no secret and tells how the deployment is set up (source: pachd's own environment).
const TELLING: &[&str] = &[
    "BLOCK_CACHE_BYTES",
    "CLUSTER_DEPLOYMENT_ID",
    "ETCD_PREFIX",
    "EXPOSE_OBJECT_API",
    "HTTP_PORT",
    "IMAGE_PULL_SECRET",
    "LOG_LEVEL",
    "METRICS",
    "NO_EXPOSE_DOCKER_SOCKET",
    "NUM_SHARDS",
    "OIDC_PORT",
    "PACHD_VERSION",
    "PACHYDERM_AUTHENTICATION_DISABLED_FOR_TESTING",
    "PACH_ROOT",
    "PEER_PORT",
    "PORT",
    "PPS_WORKER_GRPC_PORT",
    "REQUIRE_CRITICAL_SERVERS_ONLY",
    "S3GATEWAY_PORT",
    "SAML_PORT",
    "STORAGE_BACKEND",
    "STORAGE_HOST_PATH",
    "STORAGE_PUT_FILE_CONCURRENCY_LIMIT",
    "STORAGE_UPLOAD_CONCURRENCY_LIMIT",
    "STORAGE_V2",
    "WORKER_IMAGE",
    "WORKER_IMAGE_PULL_POLICY",
    "WORKER_SERVICE_ACCOUNT",
    "WORKER_SIDECAR_IMAGE",
];

/// Literal values of environment variables are left out, but for those that are known to hold no secret.
fn conceal_literals(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(conceal_literals),
        Value::Object(fields) => {
            let is_telling = fields.get("name").and_then(Value::as_str).is_some_and(|name| TELLING.contains(&name));
            if fields.contains_key("name") && !is_telling && fields.get("value").is_some_and(Value::is_string) {
                fields.insert("value".to_owned(), json!("(not recorded)"));
            }
            fields.values_mut().for_each(conceal_literals);
        }
        _ => {}
    }
}

/// The storage secret by name and keys.
async fn secret(cluster: &Cluster) -> Result<Option<Value>> {
    let secrets: Api<Secret> = Api::namespaced(cluster.kubernetes.clone(), cluster.namespace());
    let Some(secret) = secrets.get_opt("pachyderm-storage-secret").await? else { return Ok(None) };
    let keys: Vec<String> = secret.data.iter().flatten().map(|(key, _)| key.clone()).collect();
    Ok(Some(json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": secret.name_any(), "annotations": {"pachsnap.io/keys-without-values": keys.join(",")}},
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literal_secrets_are_concealed() {
        let mut value =
            json!({"env": [{"name": "PROXY_API_KEY", "value": "x"}, {"name": "PACH_ROOT", "value": "/pach"}]});
        conceal_literals(&mut value);
        assert_eq!(value["env"][0]["value"], "(not recorded)");
        assert_eq!(value["env"][1]["value"], "/pach");
    }
}
