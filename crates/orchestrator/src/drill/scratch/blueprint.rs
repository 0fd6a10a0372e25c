//! The recorded deployment, as far as a scratch cluster gets it: pachd's Deployment and etcd's container.

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::Container;
use serde::Deserialize;
use serde_json::Value;

use crate::error::{Error, ErrorKind, Result};

/// What an environment variable says whose value is in no recovery point.
const NOT_RECORDED: &str = "(not recorded)";
/// The Secret that the scratch cluster gets.
const STORAGE_SECRET: &str = super::storage_secret::NAME;

/// What is made again.
pub(in crate::drill) struct Blueprint {
    /// pachd's Deployment, without what a scratch cluster can't have.
    pub(super) pachd: Deployment,
    /// etcd's container.
    pub(super) etcd: Container,
    /// What of the deployment is not made again, in words.
    left_out: Vec<String>,
}

impl Blueprint {
    /// Reads the recorded objects: YAML documents.
    ///
    /// # Errors
    /// `Damaged` when they can't be read, `UnsupportedCluster` when pachd or etcd is not among them.
    pub(in crate::drill) fn read(yaml: &[u8]) -> Result<Self> {
        let damaged = || Error::new(ErrorKind::Damaged, "the recorded objects of the deployment can't be read");
        let (mut pachd, mut etcd) = (None, None);
        for document in serde_yaml_ng::Deserializer::from_slice(yaml) {
            let object = Value::deserialize(document).map_err(|cause| damaged().because(cause))?;
            match object["kind"].as_str() {
                Some("Deployment") => {
                    let found: Deployment = serde_json::from_value(object).map_err(|cause| damaged().because(cause))?;
                    if container_of(&found, is_pachd).is_some() {
                        pachd = pachd.or(Some(found));
                    } else {
                        etcd = etcd.or(container_of(&found, is_etcd).cloned());
                    }
                }
                Some("StatefulSet") => {
                    let found: StatefulSet =
                        serde_json::from_value(object).map_err(|cause| damaged().because(cause))?;
                    let pod = found.spec.template.spec.as_ref();
                    etcd = etcd.or(pod.and_then(|pod| pod.containers.iter().find(|one| is_etcd(one))).cloned());
                }
                _ => {}
            }
        }
        let missing = |what: &str| {
            Error::new(ErrorKind::UnsupportedCluster, format!("the recorded objects of the deployment lack {what}"))
                .advise("deploy a cluster by hand, and rehearse with `pachsnap restore` into it")
        };
        let pachd = pachd.ok_or_else(|| missing("pachd's Deployment"))?;
        let etcd = etcd.ok_or_else(|| missing("etcd's StatefulSet or Deployment"))?;
        let mut blueprint = Self { pachd, etcd, left_out: Vec::new() };
        blueprint.strip();
        Ok(blueprint)
    }

    /// The account that pachd runs as.
    pub(in crate::drill) fn service_account(&self) -> String {
        let pod = self.pachd.spec.template.spec.as_ref();
        let account = pod.and_then(|pod| pod.service_account_name.clone()).filter(|name| !name.is_empty());
        account.unwrap_or_else(|| "default".to_owned())
    }

    /// The images that run.
    pub(in crate::drill) fn images(&self) -> Vec<String> {
        let pachd = container_of(&self.pachd, is_pachd).and_then(|container| container.image.clone());
        pachd.into_iter().chain(self.etcd.image.clone()).collect()
    }

    /// What of the deployment is not made again, in words.
    pub(in crate::drill) fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// Takes away what refers to objects that no recovery point holds, and everything that would let somebody in.
    fn strip(&mut self) {
        let Some(pod) = self.pachd.spec.template.spec.as_mut() else { return };
        pod.node_name = None;
        pod.host_network = None;
        if pod.init_containers.take().is_some_and(|all| !all.is_empty()) {
            self.left_out.push("containers that run before pachd".to_owned());
        }
        if pod.containers.len() > 1 {
            self.left_out.push("containers beside pachd".to_owned());
            pod.containers.retain(is_pachd);
        }
        if let Some(secrets) = &pod.image_pull_secrets
            && !secrets.is_empty()
        {
            let names: Vec<&str> = secrets.iter().map(|secret| secret.name.as_str()).collect();
            self.left_out.push(format!(
                "pull secrets {} are in no recovery point: the nodes have to get the images without them",
                names.join(", ")
            ));
            pod.image_pull_secrets = None;
        }
        let mut gone = Vec::new();
        for volume in pod.volumes.iter_mut().flatten() {
            let secret = volume.secret.as_ref().and_then(|secret| secret.secret_name.as_deref());
            if volume.empty_dir.is_some() || secret == Some(STORAGE_SECRET) {
                continue;
            }
            if volume.host_path.is_some() || volume.persistent_volume_claim.is_some() {
                *volume = k8s_openapi::api::core::v1::Volume {
                    name: volume.name.clone(),
                    empty_dir: Some(Default::default()),
                    ..Default::default()
                };
            } else {
                gone.push(volume.name.clone());
            }
        }
        pod.volumes.iter_mut().for_each(|volumes| volumes.retain(|volume| !gone.contains(&volume.name)));
        for container in &mut pod.containers {
            container.volume_mounts.iter_mut().for_each(|all| all.retain(|mount| !gone.contains(&mount.name)));
            self.left_out.extend(strip_environment(container));
            for port in container.ports.iter_mut().flatten() {
                port.host_port = None;
            }
        }
        if !gone.is_empty() {
            self.left_out.push(format!("volumes of pachd whose content is in no recovery point: {}", gone.join(", ")));
        }
    }
}

/// Takes variables away whose values are in no recovery point, and says which.
fn strip_environment(container: &mut Container) -> Option<String> {
    let mut gone = Vec::new();
    if container.env_from.take().is_some_and(|all| !all.is_empty()) {
        gone.push("those of envFrom".to_owned());
    }
    container.env.iter_mut().for_each(|all| {
        all.retain(|variable| {
            let from = variable.value_from.as_ref();
            let secret = from.and_then(|from| from.secret_key_ref.as_ref()).map(|key| key.name.as_str());
            let elsewhere = secret.is_some_and(|name| name != STORAGE_SECRET)
                || from.is_some_and(|from| from.config_map_key_ref.is_some());
            let stays = variable.value.as_deref() != Some(NOT_RECORDED) && !elsewhere;
            if !stays {
                gone.push(variable.name.clone());
            }
            stays
        });
    });
    (!gone.is_empty()).then(|| format!("variables of pachd whose values are in no recovery point: {}", gone.join(", ")))
}

fn container_of(deployment: &Deployment, is_it: impl Fn(&Container) -> bool) -> Option<&Container> {
    deployment.spec.template.spec.as_ref()?.containers.iter().find(|container| is_it(container))
}

pub(super) fn is_pachd(container: &Container) -> bool {
    container.env.iter().flatten().any(|variable| variable.name == "STORAGE_BACKEND")
}

fn is_etcd(container: &Container) -> bool {
    let image = container.image.as_deref().unwrap_or_default();
    container.name == "etcd" || image.rsplit('/').next().is_some_and(|image| image.starts_with("etcd"))
}
