//! The fence by ports: node ports are switched by port name, and a placeholder Service holds the freed numbers.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use kube::Api;
use kube::api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use serde_json::json;

use super::undo_record::{ServiceBefore, UndoRecord};
use crate::cluster::Cluster;
use crate::error::{Error, ErrorKind, Result};
use crate::job::{FenceMode, SnapshotSettings};

/// Name of the Service that holds the freed node ports of `service`.
pub(super) fn placeholder_name(service: &str) -> String {
    format!("pachsnap-hold-{service}")
}

/// Refuses a fence that would keep nothing out, and node ports that somebody else uses, before anything changes. Answers
/// with what stays open.
///
/// # Errors
/// `Configuration`, naming what has to be chosen otherwise; those of Kubernetes.
pub(crate) async fn check_possible(
    cluster: &Cluster,
    settings: &SnapshotSettings,
    record: &UndoRecord,
) -> Result<Vec<String>> {
    if settings.fence != FenceMode::Ports {
        return Ok(Vec::new());
    }
    let switched: Vec<i32> = record.services.iter().flat_map(|service| &service.ports).map(|port| port.from).collect();
    if switched.is_empty() {
        return Err(Error::new(ErrorKind::Configuration, "the fence by ports would keep nothing out: no node port is one of those that it switches")
            .advise("give port-map in [snapshot] (this cluster's node ports: `pachsnap discover`), or fence with fence = \"selector\""));
    }
    check_free(&Api::all(cluster.kubernetes.clone()), &record.services).await?;
    let ports = cluster.services.iter().flat_map(|service| service.ports.iter().map(move |port| (service, port)));
    Ok(ports
        .filter_map(|(service, port)| Some((service, port, port.node_port?)))
        .filter(|(_, _, number)| !switched.contains(number))
        .map(|(service, port, number)| {
            format!("node port {number} ({} of Service {}) is not switched and stays open", port.name, service.name)
        })
        .collect())
}

async fn check_free(services: &Api<Service>, fenced: &[ServiceBefore]) -> Result<()> {
    let mut taken: BTreeMap<i32, String> = BTreeMap::new();
    for service in services.list(&ListParams::default()).await? {
        let name = service.metadata.name.unwrap_or_default();
        for port in service.spec.into_iter().flat_map(|spec| spec.ports.unwrap_or_default()) {
            if let Some(number) = port.node_port {
                taken.insert(number, name.clone());
            }
        }
    }
    for port in fenced.iter().flat_map(|service| &service.ports) {
        if let Some(owner) = taken.get(&port.to) {
            return Err(Error::new(
                ErrorKind::Configuration,
                format!("node port {} is used by Service {owner}", port.to),
            )
            .advise("choose others with port-map in [snapshot], or fence with fence = \"selector\""));
        }
    }
    Ok(())
}

/// Switches the node ports of one Service, then holds the freed numbers. May be repeated.
pub(super) async fn switch(services: &Api<Service>, before: &ServiceBefore, run: &str) -> Result<()> {
    patch_ports(services, before, |port| (port.from, port.to)).await?;
    let placeholder = Service {
        metadata: ObjectMeta {
            name: Some(placeholder_name(&before.name)),
            labels: Some(BTreeMap::from([("pachsnap.io/run".to_owned(), run.to_owned())])),
            ..ObjectMeta::default()
        },
        spec: Some(ServiceSpec {
            type_: Some("NodePort".to_owned()),
            selector: Some(BTreeMap::from([("pachsnap.io/nobody".to_owned(), run.to_owned())])),
            ports: Some(
                before
                    .ports
                    .iter()
                    .map(|port| ServicePort {
                        name: Some(format!("held-{}", port.from)),
                        port: port.from,
                        node_port: Some(port.from),
                        ..ServicePort::default()
                    })
                    .collect(),
            ),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    };
    match services.create(&PostParams::default(), &placeholder).await {
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => Ok(()),
    }
}

/// Gives the numbers back: the placeholder goes first. May be repeated.
pub(super) async fn switch_back(services: &Api<Service>, before: &ServiceBefore, run: &str) -> Result<()> {
    remove_placeholder(services, &before.name, run).await?;
    patch_ports(services, before, |port| (port.to, port.from)).await
}

/// Removes the placeholder of this run. Absent is success.
pub(super) async fn remove_placeholder(services: &Api<Service>, service: &str, run: &str) -> Result<()> {
    let name = placeholder_name(service);
    let Some(found) = services.get_opt(&name).await? else { return Ok(()) };
    if found.metadata.labels.and_then(|labels| labels.get("pachsnap.io/run").cloned()).as_deref() != Some(run) {
        return Ok(());
    }
    match services.delete(&name, &DeleteParams::default()).await {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => Ok(()),
    }
}

/// Patches node ports by port name: `test` makes sure that nobody moved the port meanwhile.
async fn patch_ports(
    services: &Api<Service>,
    before: &ServiceBefore,
    from_to: impl Fn(&super::FencedPort) -> (i32, i32),
) -> Result<()> {
    let service = services.get(&before.name).await?;
    let now: Vec<ServicePort> = service.spec.and_then(|spec| spec.ports).unwrap_or_default();
    let mut operations = Vec::new();
    for port in &before.ports {
        let (from, to) = from_to(port);
        let Some(index) = now.iter().position(|one| one.name.as_deref().unwrap_or_default() == port.name) else {
            continue;
        };
        if now[index].node_port != Some(from) {
            continue;
        }
        operations.push(json!({"op": "test", "path": format!("/spec/ports/{index}/name"), "value": port.name}));
        operations.push(json!({"op": "replace", "path": format!("/spec/ports/{index}/nodePort"), "value": to}));
    }
    if operations.is_empty() {
        return Ok(());
    }
    let patch: json_patch::Patch = serde_json::from_value(serde_json::Value::Array(operations))
        .map_err(|cause| Error::new(ErrorKind::Failed, "composing a patch").because(cause))?;
    services.patch(&before.name, &PatchParams::default(), &Patch::Json::<()>(patch)).await?;
    Ok(())
}
