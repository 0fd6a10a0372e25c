//! What pachd's Deployment says: environment, storage secret, and through them the bucket.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Container, Secret};
use kube::Api;
use pachyderm::layout::{Backend, Layout};

use super::bucket_location::{AccessKey, BucketLocation, BucketPlace, ServiceAccountKey};
use crate::error::{Error, ErrorKind, Result};

/// pachd's environment, with values from Secrets resolved. Holds secrets: never shown.
pub(super) struct Environment {
    values: BTreeMap<String, String>,
    image: Option<String>,
}

impl Environment {
    /// Reads the container's environment and the Secrets that it refers to.
    pub(super) async fn read(kubernetes: &kube::Client, namespace: &str, deployment: &Deployment) -> Result<Self> {
        let container = pachd_container(deployment).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, "the Deployment has no container with the variable STORAGE_BACKEND")
                .advise("name pachd's Deployment with --pachd-deployment")
        })?;
        let secrets: Api<Secret> = Api::namespaced(kubernetes.clone(), namespace);
        let mut read: BTreeMap<String, Option<Secret>> = BTreeMap::new();
        let mut values = BTreeMap::new();
        for variable in container.env.iter().flatten() {
            if let Some(value) = &variable.value {
                values.insert(variable.name.clone(), value.clone());
            }
            let Some(reference) = variable.value_from.as_ref().and_then(|from| from.secret_key_ref.as_ref()) else {
                continue;
            };
            if !read.contains_key(&reference.name) {
                read.insert(reference.name.clone(), secrets.get_opt(&reference.name).await?);
            }
            let data = read.get(&reference.name).and_then(Option::as_ref).and_then(|secret| secret.data.as_ref());
            if let Some(bytes) = data.and_then(|data| data.get(&reference.key)) {
                values.insert(variable.name.clone(), String::from_utf8_lossy(&bytes.0).into_owned());
            }
        }
        Ok(Self { values, image: container.image.clone() })
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn need(&self, name: &str) -> Result<String> {
        self.get(name).map(str::to_owned).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("pachd's environment lacks {name}"))
                .advise("see `kubectl describe deployment pachd` and the Secret pachyderm-storage-secret")
        })
    }

    fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| matches!(value.to_ascii_lowercase().as_str(), "1" | "t" | "true"))
    }

    /// Refuses clusters whose data has another layout.
    pub(super) fn refuse_storage_v2(&self) -> Result<()> {
        if !self.flag("STORAGE_V2") {
            return Ok(());
        }
        Err(Error::new(ErrorKind::UnsupportedCluster, "this cluster runs with STORAGE_V2 (Postgres-backed storage)")
            .advise("its data is laid out differently and can't be backed up by pachsnap; nothing was changed"))
    }

    /// pachd's container image.
    pub(super) fn image(&self) -> Option<&str> {
        self.image.as_deref()
    }

    /// The prefix of pachd's keys in etcd.
    pub(super) fn etcd_prefix(&self) -> &str {
        self.get("ETCD_PREFIX").unwrap_or("pachyderm/1.7.0")
    }

    /// `ETCD_SERVICE_HOST`, where the Deployment sets it itself.
    pub(super) fn etcd_host(&self) -> Option<&str> {
        self.get("ETCD_SERVICE_HOST")
    }

    /// The bucket. `version` decides what an absent `REVERSE` means: true up to 1.10, false from 1.11 on, and 1.7
    /// never reverses.
    pub(super) fn bucket(&self, version: (u32, u32)) -> Result<BucketLocation> {
        let name = self.need("STORAGE_BACKEND")?;
        let backend = Backend::from_env_value(&name).ok_or_else(|| {
            Error::new(ErrorKind::UnsupportedCluster, format!("STORAGE_BACKEND is {name:?}"))
                .advise("known are AMAZON, GOOGLE, MICROSOFT, MINIO and LOCAL")
        })?;
        let root = self.get("PACH_ROOT").unwrap_or("/pach").to_owned();
        let reversed = backend == Backend::Amazon
            && match self.get("REVERSE") {
                _ if version <= (1, 7) => false,
                Some(_) => self.flag("REVERSE"),
                None => version <= (1, 10),
            };
        let place = match backend {
            Backend::Amazon => BucketPlace::S3 {
                bucket: self.need("AMAZON_BUCKET")?,
                endpoint: self.get("CUSTOM_ENDPOINT").map(|endpoint| with_scheme(endpoint, !self.flag("DISABLE_SSL"))),
                region: self.get("AMAZON_REGION").map(str::to_owned),
                credentials: self.key("AMAZON_ID", "AMAZON_SECRET", Some("AMAZON_TOKEN")),
            },
            Backend::Minio => BucketPlace::S3 {
                bucket: self.need("MINIO_BUCKET")?,
                endpoint: Some(with_scheme(&self.need("MINIO_ENDPOINT")?, self.flag("MINIO_SECURE"))),
                region: None,
                credentials: self.key("MINIO_ID", "MINIO_SECRET", None),
            },
            Backend::Google => BucketPlace::Google {
                bucket: self.need("GOOGLE_BUCKET")?,
                credentials: self.get("GOOGLE_CRED").map(|key| ServiceAccountKey(key.to_owned())),
            },
            Backend::Microsoft => BucketPlace::Microsoft {
                container: self.need("MICROSOFT_CONTAINER")?,
                account: self.need("MICROSOFT_ID")?,
            },
            Backend::Local => BucketPlace::Local { host_path: self.need("STORAGE_HOST_PATH")? },
        };
        Ok(BucketLocation { backend, layout: Layout { root, backend, reversed }, place })
    }

    fn key(&self, id: &str, secret: &str, token: Option<&str>) -> Option<AccessKey> {
        Some(AccessKey {
            id: self.get(id)?.to_owned(),
            secret: self.get(secret)?.to_owned(),
            session_token: token.and_then(|token| self.get(token)).map(str::to_owned),
        })
    }
}

/// The port inside pachd's pod that speaks plaintext gRPC: the external one (`PORT`, or 650), or, where a certificate is mounted
/// and that one therefore speaks TLS, the peer port (`PEER_PORT`, or 653), which never does.
pub(super) fn grpc_port(deployment: &Deployment) -> u16 {
    let Some(container) = pachd_container(deployment) else { return 650 };
    let port = |name: &str, default| {
        let found = container.env.iter().flatten().find(|variable| variable.name == name);
        found.and_then(|variable| variable.value.as_deref()?.parse().ok()).unwrap_or(default)
    };
    let mut mounts = container.volume_mounts.iter().flatten();
    if mounts.any(|mount| mount.mount_path.trim_end_matches('/') == "/pachd-tls-cert") {
        port("PEER_PORT", 653)
    } else {
        port("PORT", 650)
    }
}

fn with_scheme(endpoint: &str, secure: bool) -> String {
    match (endpoint.contains("://"), secure) {
        (true, _) => endpoint.to_owned(),
        (false, true) => format!("https://{endpoint}"),
        (false, false) => format!("http://{endpoint}"),
    }
}

/// The container with pachd's variables, if it is pachd's Deployment.
pub(super) fn pachd_container(deployment: &Deployment) -> Option<&Container> {
    let pod = deployment.spec.template.spec.as_ref()?;
    let has_backend =
        |container: &&Container| container.env.iter().flatten().any(|variable| variable.name == "STORAGE_BACKEND");
    pod.containers.iter().find(has_backend)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn deployment(container: serde_json::Value) -> Deployment {
        let metadata = serde_json::json!({});
        serde_json::from_value(serde_json::json!({
            "metadata": metadata,
            "spec": {"selector": {}, "template": {"metadata": metadata, "spec": {"containers": [container]}}},
        }))
        .unwrap()
    }

    #[test]
    fn the_port_that_speaks_plaintext_is_chosen() {
        let variables = |more: &[(&str, &str)]| -> serde_json::Value {
            let all = [("STORAGE_BACKEND", "MINIO")];
            let all = all.iter().chain(more);
            all.map(|(name, value)| serde_json::json!({"name": name, "value": value})).collect()
        };
        let port = |env: serde_json::Value, mounts: serde_json::Value| {
            grpc_port(&deployment(serde_json::json!({"name": "pachd", "env": env, "volumeMounts": mounts})))
        };
        let certificate = serde_json::json!([{"name": "tls", "mountPath": "/pachd-tls-cert"}]);
        assert_eq!(port(variables(&[]), serde_json::json!([])), 650);
        assert_eq!(port(variables(&[("PORT", "1650")]), serde_json::json!([])), 1650);
        assert_eq!(port(variables(&[]), certificate.clone()), 653);
        assert_eq!(port(variables(&[("PEER_PORT", "1653")]), certificate), 1653);
    }

    #[test]
    fn an_absent_reverse_means_what_it_meant_in_that_version() {
        let reversed = |backend: &str, reverse: Option<&str>, version| {
            let all = [("STORAGE_BACKEND", backend), ("AMAZON_BUCKET", "data"), ("MINIO_BUCKET", "data")];
            let all = all.into_iter().chain([("MINIO_ENDPOINT", "minio:9000")]);
            let all = all.chain(reverse.map(|value| ("REVERSE", value)));
            let values = all.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            Environment { values, image: None }.bucket(version).unwrap().layout.is_reversed()
        };
        for (version, absent) in [((1, 7), false), ((1, 8), true), ((1, 10), true), ((1, 11), false), ((1, 13), false)]
        {
            assert_eq!(reversed("AMAZON", None, version), absent, "{version:?}");
            assert!(!reversed("AMAZON", Some("false"), version), "{version:?}");
            assert!(!reversed("MINIO", Some("true"), version), "{version:?}");
        }
        assert!(reversed("AMAZON", Some("true"), (1, 13)));
    }
}
