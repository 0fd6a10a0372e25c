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
    let taken = owners(services).await?;
    for port in fenced.iter().flat_map(|service| &service.ports) {
        if let Some(owner) = taken.get(&port.to) {
            let what = format!("node port {} is used by Service {owner}", port.to);
            return Err(Error::new(ErrorKind::Configuration, what)
                .advise("choose others with port-map in [snapshot], or fence with fence = \"selector\""));
        }
    }
    Ok(())
}

/// The Service that has each node port.
async fn owners(services: &Api<Service>) -> kube::Result<BTreeMap<i32, String>> {
    let mut owners = BTreeMap::new();
    for service in services.list(&ListParams::default()).await? {
        let name = service.metadata.name.unwrap_or_default();
        let ports = service.spec.into_iter().flat_map(|spec| spec.ports.unwrap_or_default());
        owners.extend(ports.filter_map(|port| Some((port.node_port?, name.clone()))));
    }
    Ok(owners)
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
        Err(kube::Error::Api(status)) if status.code == 422 => Err(Error::new(
            ErrorKind::Disturbed,
            format!("the freed node ports of Service {} were taken by somebody", before.name),
        )
        .because(kube::Error::Api(status))
        .advise("something writes node ports (GitOps?): suspend it for the pause")),
        Err(error) => Err(error.into()),
        Ok(_) => Ok(()),
    }
}

/// Gives the numbers back: the placeholder goes first. May be repeated.
pub(super) async fn switch_back(services: &Api<Service>, before: &ServiceBefore, run: &str) -> Result<()> {
    remove_placeholder(services, &before.name, run).await?;
    match patch_ports(services, before, |port| (port.to, port.from)).await {
        Err(kube::Error::Api(status)) if status.code == 422 => {
            Err(not_got_back(services, before).await?.because(kube::Error::Api(status)))
        }
        patched => Ok(patched?),
    }
}

/// The error of numbers that Kubernetes does not give back, with who has them.
async fn not_got_back(services: &Api<Service>, before: &ServiceBefore) -> Result<Error> {
    let owners = owners(&Api::all(services.clone().into_client())).await?;
    let mut taken = before.ports.iter().filter_map(|port| Some((port.from, owners.get(&port.from)?)));
    let what = format!("Service {} can't get its node ports back", before.name);
    Ok(match taken.find(|(_, owner)| **owner != before.name) {
        Some((number, owner)) => {
            Error::new(ErrorKind::Failed, format!("{what}: Service {owner} has {number}")).advise("free that number")
        }
        // Kubernetes keeps a number that it set aside for a change which then met another one of the same Service.
        None => Error::new(ErrorKind::Failed, format!("{what}: they are set aside, and no Service has them"))
            .advise("Kubernetes frees such numbers by itself after some minutes"),
    })
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

/// How often a patch is composed anew for a Service that somebody else changes at the same time.
const TRIES: usize = 20;

/// Patches node ports by port name: `test` makes sure that nobody moved the port meanwhile.
async fn patch_ports(
    services: &Api<Service>,
    before: &ServiceBefore,
    from_to: impl Fn(&super::FencedPort) -> (i32, i32),
) -> kube::Result<()> {
    let mut tries = 1;
    loop {
        let service = services.get(&before.name).await?;
        let now: Vec<ServicePort> = service.spec.and_then(|spec| spec.ports).unwrap_or_default();
        let mut operations = Vec::new();
        for port in &before.ports {
            let (from, to) = from_to(port);
            let has_name = |one: &ServicePort| one.name.as_deref().unwrap_or_default() == port.name;
            let Some(index) = now.iter().position(|one| has_name(one) && one.node_port == Some(from)) else { continue };
            let path = format!("/spec/ports/{index}/nodePort");
            // No two ports have the same number, and a port may have no name.
            operations.push(json!({"op": "test", "path": path, "value": from}));
            operations.push(json!({"op": "replace", "path": path, "value": to}));
        }
        if operations.is_empty() {
            return Ok(());
        }
        let patch: json_patch::Patch =
            serde_json::from_value(serde_json::Value::Array(operations)).map_err(kube::Error::SerdeError)?;
        match services.patch(&before.name, &PatchParams::default(), &Patch::Json::<()>(patch)).await {
            Err(kube::Error::Api(status)) if tries < TRIES && is_outdated(&status) => tries += 1,
            patched => return patched.map(drop),
        }
    }
}

/// Whether a patch was composed for a Service that has changed since. A failed `test` has no reason of its own.
fn is_outdated(status: &kube::core::Status) -> bool {
    status.code == 409
        || (status.code == 422 && status.details.as_ref().is_none_or(|details| details.causes.is_empty()))
}
