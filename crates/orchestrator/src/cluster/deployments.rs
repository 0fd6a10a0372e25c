//! The Deployments that discovery starts from: pachd's and the dashboard's.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;
use kube::api::ListParams;
use kube::{Api, ResourceExt};

use super::environment::pachd_container;
use crate::error::{Error, ErrorKind, Result};
use crate::job::Target;

/// The name that every tool gives to pachd's Deployment.
const PACHD: &str = "pachd";
/// The name that every tool gives to the dashboard's Deployment.
const DASH: &str = "dash";
/// The containers that it has in every version.
const DASH_CONTAINERS: [&str; 2] = ["dash", "grpc-proxy"];

/// pachd's Deployment: the one that the target names, else the one that is called `pachd`, else the only one whose container
/// has pachd's variables.
pub(super) async fn pachd(target: &Target) -> Result<Deployment> {
    let deployments: Api<Deployment> = Api::namespaced(target.kubernetes.clone(), &target.namespace);
    let named = target.pachd_deployment.as_deref();
    let name = named.unwrap_or(PACHD);
    if let Some(found) = deployments.get_opt(name).await? {
        return Ok(found);
    }
    let all = deployments.list(&ListParams::default()).await?;
    let alike: Vec<Deployment> = all.items.into_iter().filter(|one| pachd_container(one).is_some()).collect();
    let names = || alike.iter().map(ResourceExt::name_any).collect::<Vec<_>>().join(", ");
    match (named, alike.as_slice()) {
        (None, [only]) => Ok(only.clone()),
        (None, [_, _, ..]) => Err(Error::new(
            ErrorKind::Configuration,
            format!("namespace {:?} has several Deployments that could be pachd's: {}", target.namespace, names()),
        )
        .advise("name the right one with --pachd-deployment")),
        (_, found) => {
            let missing = format!("namespace {:?} has no Deployment {name:?}", target.namespace);
            Err(Error::new(ErrorKind::NotFound, missing).advise(if found.is_empty() {
                "choose the namespace of Pachyderm with -n, or name its Deployment with --pachd-deployment".to_owned()
            } else {
                format!("pachd's could be {}: name it with --pachd-deployment", names())
            }))
        }
    }
}

/// The dashboard's Deployments, by name or by containers.
pub(super) async fn dashboards(target: &Target) -> Result<Vec<Deployment>> {
    let deployments: Api<Deployment> = Api::namespaced(target.kubernetes.clone(), &target.namespace);
    let is_dashboard = |one: &Deployment| {
        let containers = one.spec.template.spec.iter().flat_map(|pod| &pod.containers);
        let names: Vec<&str> = containers.map(|container| container.name.as_str()).collect();
        one.name_any() == DASH || DASH_CONTAINERS.iter().all(|name| names.contains(name))
    };
    Ok(deployments.list(&ListParams::default()).await?.items.into_iter().filter(is_dashboard).collect())
}

/// Labels of a Deployment's pods.
pub(super) fn pod_labels(deployment: &Deployment) -> BTreeMap<String, String> {
    let metadata = deployment.spec.template.metadata.as_ref();
    metadata.and_then(|metadata| metadata.labels.clone()).unwrap_or_default()
}

/// Labels as `kubectl get -l` takes them.
pub(super) fn label_selector(labels: &BTreeMap<String, String>) -> String {
    labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}
