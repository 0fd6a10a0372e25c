//! etcd's pods, found by the Service through which pachd reaches them.

use std::path::Path;

use k8s_openapi::api::core::v1::{Container, Pod, Service, Volume};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::Api;
use kube::api::ListParams;

use super::deployments::label_selector;
use crate::error::{Error, ErrorKind, Result};
use crate::job::Target;

/// Name of etcd's Service where pachd's environment names no other.
const ETCD: &str = "etcd";
/// Port of etcd's clients in every deployment of Pachyderm 1.x.
const ETCD_PORT: u16 = 2379;
/// Where etcd keeps its data in every deployment of Pachyderm 1.x.
const DATA_FOLDER: &str = "/var/data/etcd";

/// etcd's pods, and the port that clients use.
pub(super) struct EtcdPods {
    /// Labels that choose them.
    pub(super) selector: String,
    /// The port.
    pub(super) port: u16,
    /// The pods; none where etcd runs elsewhere.
    pub(super) pods: Vec<Pod>,
}

impl EtcdPods {
    /// Reads them. `host` is `ETCD_SERVICE_HOST` where pachd's Deployment sets it: Kubernetes itself does for Service `etcd`.
    ///
    /// # Errors
    /// `Configuration` when etcd runs elsewhere and no option names its address.
    pub(super) async fn read(target: &Target, host: Option<&str>) -> Result<Self> {
        let services: Api<Service> = Api::namespaced(target.kubernetes.clone(), &target.namespace);
        let name = host.map_or(Some(ETCD), |host| service_of(host, &target.namespace));
        let service = match name {
            Some(name) => services.get_opt(name).await?,
            None => None,
        };
        let Some(spec) = service.and_then(|service| service.spec) else {
            return match host {
                Some(host) => Self::elsewhere(target, host),
                None => Self::with_labels(target, format!("app={ETCD}"), ETCD_PORT).await,
            };
        };
        let Some(selector) = spec.selector.filter(|selector| !selector.is_empty()) else {
            return Self::elsewhere(target, host.unwrap_or(ETCD));
        };
        let ports = spec.ports.unwrap_or_default();
        let client = ports.iter().find(|port| port.name.as_deref() == Some("client-port")).or(ports.first());
        // A named target port is the container's of that name, which every deployment of 1.x gives this number.
        let port = client.and_then(|port| match &port.target_port {
            Some(IntOrString::Int(number)) => u16::try_from(*number).ok(),
            Some(IntOrString::String(_)) => None,
            None => u16::try_from(port.port).ok(),
        });
        Self::with_labels(target, label_selector(&selector), port.unwrap_or(ETCD_PORT)).await
    }

    async fn with_labels(target: &Target, selector: String, port: u16) -> Result<Self> {
        let pods: Api<Pod> = Api::namespaced(target.kubernetes.clone(), &target.namespace);
        let pods = pods.list(&ListParams::default().labels(&selector)).await?.items;
        Ok(Self { selector, port, pods })
    }

    fn elsewhere(target: &Target, host: &str) -> Result<Self> {
        if target.etcd_address.is_some() {
            return Ok(Self { selector: format!("app={ETCD}"), port: ETCD_PORT, pods: Vec::new() });
        }
        let namespace = &target.namespace;
        Err(Error::new(
            ErrorKind::Configuration,
            format!("pachd's etcd is {host:?}, which is no Service with pods in namespace {namespace:?}"),
        )
        .advise("name its address with --etcd-address"))
    }

    /// What isn't known when etcd has more members than there are pods, as when one waits for a node.
    pub(super) fn unseen(&self, members: usize) -> Option<String> {
        let pods = self.pods.len();
        (pods > 0 && members > pods)
            .then(|| format!("etcd has {members} members and {pods} pods: the volumes of the others are not known"))
    }

    /// The image that they run.
    pub(super) fn image(&self) -> Option<String> {
        self.pods.iter().find_map(|pod| etcd_container(pod)?.image.clone())
    }
}

/// The Service of this namespace that a host name means.
fn service_of<'a>(host: &'a str, namespace: &str) -> Option<&'a str> {
    let mut parts = host.split('.');
    let name = parts.next().filter(|name| !name.is_empty())?;
    let here = parts.next().is_none_or(|part| part == namespace) && parts.next().is_none_or(|part| part == "svc");
    here.then_some(name)
}

pub(super) fn etcd_container(pod: &Pod) -> Option<&Container> {
    let containers = &pod.spec.as_ref()?.containers;
    let runs_etcd = |container: &&Container| {
        let image = container.image.as_deref().unwrap_or_default();
        image.rsplit('/').next().is_some_and(|image| image.starts_with(ETCD))
    };
    let named = containers.iter().find(|container| container.name == ETCD);
    named.or_else(|| containers.iter().find(runs_etcd)).or(containers.first())
}

/// The volume of a pod that holds etcd's data: the one mounted at its data folder or above. Others, such as a sidecar's, are
/// no part of it.
pub(super) fn data_volume(pod: &Pod) -> Option<&Volume> {
    let container = etcd_container(pod)?;
    let folder = data_folder(container);
    let mounts = container.volume_mounts.iter().flatten();
    let mount = mounts
        .filter(|mount| Path::new(&folder).starts_with(&mount.mount_path))
        .max_by_key(|mount| mount.mount_path.len())?;
    pod.spec.as_ref()?.volumes.iter().flatten().find(|volume| volume.name == mount.name)
}

/// The folder that etcd is told to use, by a flag, also within a shell's command, or by a variable.
fn data_folder(container: &Container) -> String {
    let words: Vec<&str> = container.command.iter().chain(&container.args).flatten().map(String::as_str).collect();
    let command = words.join(" ");
    let flag = command.split_once("--data-dir").and_then(|(_, rest)| {
        let rest = rest.trim_start_matches(['=', ' ', '"', '\'']);
        rest.split([' ', '\n', '"', '\'']).next()
    });
    let variable = || {
        let found = container.env.iter().flatten().find(|variable| variable.name == "ETCD_DATA_DIR")?;
        found.value.as_deref()
    };
    let absolute = |folder: &&str| folder.starts_with('/');
    flag.filter(absolute).or_else(|| variable().filter(absolute)).unwrap_or(DATA_FOLDER).to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    #[test]
    fn a_host_is_a_service_of_the_namespace_or_elsewhere() {
        for host in ["etcd", "etcd.pach", "etcd.pach.svc", "etcd.pach.svc.cluster.local"] {
            assert_eq!(service_of(host, "pach"), Some("etcd"), "{host}");
        }
        for host in ["", "etcd.other", "etcd.other.svc.cluster.local", "10.0.0.7", "etcd.pach.example"] {
            assert_eq!(service_of(host, "pach"), None, "{host}");
        }
    }

    #[test]
    fn a_member_without_a_pod_is_missed() {
        let etcd =
            |pods: usize| EtcdPods { selector: String::new(), port: ETCD_PORT, pods: vec![Pod::default(); pods] };
        assert!(etcd(2).unseen(3).unwrap().contains("3 members and 2 pods"));
        assert_eq!(etcd(3).unseen(3), None);
        assert_eq!(etcd(0).unseen(1), None, "it runs elsewhere, which is said already");
    }

    #[test]
    fn etcds_volume_is_the_one_under_its_data_folder() {
        let found = |etcd: serde_json::Value| {
            let volumes = json!([{"name": "certificates"}, {"name": "data"}, {"name": "deep"}]);
            let mut etcd = etcd;
            etcd["name"] = json!("etcd");
            etcd["volumeMounts"] = json!([
                {"name": "certificates", "mountPath": "/etc/certificates"},
                {"name": "data", "mountPath": "/var/data/etcd"},
                {"name": "deep", "mountPath": "/srv"},
            ]);
            let proxy =
                json!({"name": "proxy", "volumeMounts": [{"name": "certificates", "mountPath": "/var/data/etcd"}]});
            let pod = json!({"metadata": {}, "spec": {"containers": [proxy, etcd], "volumes": volumes}});
            let pod: Pod = serde_json::from_value(pod).unwrap();
            data_volume(&pod).map(|volume| volume.name.clone())
        };
        assert_eq!(found(json!({})).as_deref(), Some("data"));
        assert_eq!(found(json!({"command": ["etcd", "--data-dir=/srv/etcd"]})).as_deref(), Some("deep"));
        assert_eq!(found(json!({"args": ["--data-dir", "/srv"]})).as_deref(), Some("deep"));
        let shell = "\"/usr/local/bin/etcd\" \"--data-dir=/srv/etcd\" \"--max-txn-ops=10000\"";
        assert_eq!(found(json!({"command": ["/bin/sh", "-c"], "args": [shell]})).as_deref(), Some("deep"));
        assert_eq!(found(json!({"env": [{"name": "ETCD_DATA_DIR", "value": "/srv"}]})).as_deref(), Some("deep"));
        assert_eq!(found(json!({"command": ["etcd", "--data-dir=/default.etcd"]})), None);
    }
}
