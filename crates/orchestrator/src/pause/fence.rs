//! The fence: outside traffic loses its way in, port numbers stay allocated, and etcd's Services are never touched.

use k8s_openapi::api::core::v1::Service;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::undo_record::{ServiceBefore, UndoRecord};
use super::{FENCE_LABEL, Hold, fence_ports};
use crate::cluster::Cluster;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Events;

/// Fences every Service of the record and reads it back.
pub(super) async fn raise(cluster: &Cluster, hold: &Hold, events: &Events) -> Result<((), String)> {
    let services: Api<Service> = Api::namespaced(cluster.kubernetes.clone(), cluster.namespace());
    let record = hold.record();
    for before in &record.services {
        hold.check().await?;
        let what = format!("Service {}", before.name);
        events
            .change("fence", what, async {
                if before.by_selector {
                    let patch = json!({"spec": {"selector": {FENCE_LABEL: record.run}}});
                    services.patch(&before.name, &PatchParams::default(), &Patch::Merge(&patch)).await?;
                }
                if !before.ports.is_empty() {
                    fence_ports::switch(&services, before, &record.run).await?;
                }
                Ok::<_, Error>(())
            })
            .await?;
    }
    check(cluster, record).await?;
    hold.set_fenced(true);
    Ok(((), format!("{} services fenced", record.services.len())))
}

/// Reads back that every fence stands. Asked again after capture.
pub(crate) async fn check(cluster: &Cluster, record: &UndoRecord) -> Result<()> {
    let services: Api<Service> = Api::namespaced(cluster.kubernetes.clone(), cluster.namespace());
    for before in &record.services {
        let service = services.get(&before.name).await?;
        if !stands(&service, before, &record.run) {
            return Err(Error::new(ErrorKind::Disturbed, format!("the fence of Service {} was taken down by somebody", before.name))
                .advise("something keeps the Service as it was (GitOps?): suspend it for the pause, or fence with fence = \"none\" and keep the traffic out yourself"));
        }
    }
    Ok(())
}

fn stands(service: &Service, before: &ServiceBefore, run: &str) -> bool {
    (!before.by_selector || label(service) == Some(run))
        && before.ports.iter().all(|port| node_port(service, &port.name) == Some(port.to))
}

/// Whether any part of the run's fence stands.
pub(super) async fn any_stands(services: &Api<Service>, record: &UndoRecord) -> Result<bool> {
    for before in &record.services {
        let Some(service) = services.get_opt(&before.name).await? else { continue };
        let is_same = service.metadata.uid.as_deref() == Some(before.uid.as_str());
        if is_same && (label(&service) == Some(record.run.as_str()) || !is_down(&service, before)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Takes the fence of one Service down; where it is down already nothing is changed. A Service that is gone, another one of
/// that name, and another run's fence are left alone and named.
pub(super) async fn lower(
    services: &Api<Service>,
    before: &ServiceBefore,
    run: &str,
    events: &Events,
) -> Result<Option<String>> {
    let Some(service) = services.get_opt(&before.name).await? else {
        fence_ports::remove_placeholder(services, &before.name, run).await?;
        return Ok(Some(format!("Service {} is gone: somebody deleted it during the pause", before.name)));
    };
    if service.metadata.uid.as_deref() != Some(before.uid.as_str()) {
        fence_ports::remove_placeholder(services, &before.name, run).await?;
        return Ok(Some(format!(
            "Service {} was made anew by somebody during the pause and is left as it is",
            before.name
        )));
    }
    if let Some(other) = label(&service).filter(|other| *other != run) {
        return Ok(Some(format!("Service {} is fenced by run {other}, whose fence is left as it is", before.name)));
    }
    if is_down(&service, before) {
        fence_ports::remove_placeholder(services, &before.name, run).await?;
        return Ok(changed_by_others(&service, before));
    }
    events
        .change("unfence", format!("Service {}", before.name), async {
            if label(&service).is_some() {
                let patch = json!({"spec": {"selector": {FENCE_LABEL: null}}});
                services.patch(&before.name, &PatchParams::default(), &Patch::Merge(&patch)).await?;
            }
            if !before.ports.is_empty() {
                fence_ports::switch_back(services, before, run).await?;
            }
            Ok::<_, Error>(())
        })
        .await?;
    let now = services.get(&before.name).await?;
    if is_down(&now, before) {
        return Ok(changed_by_others(&now, before));
    }
    Err(Error::new(ErrorKind::Failed, format!("Service {} still is fenced after it was put back", before.name)))
}

/// The run whose fence stands at a Service.
fn label(service: &Service) -> Option<&str> {
    service.spec.as_ref()?.selector.as_ref()?.get(FENCE_LABEL).map(String::as_str)
}

/// The node port of the port with this name, as it is now.
fn node_port(service: &Service, name: &str) -> Option<i32> {
    let mut ports = service.spec.iter().flat_map(|spec| spec.ports.iter().flatten());
    ports.find(|port| port.name.as_deref().unwrap_or_default() == name)?.node_port
}

fn is_down(service: &Service, before: &ServiceBefore) -> bool {
    label(service).is_none() && before.ports.iter().all(|port| node_port(service, &port.name) != Some(port.to))
}

/// Ports that are neither as before nor as fenced: somebody else's change, which stays.
fn changed_by_others(service: &Service, before: &ServiceBefore) -> Option<String> {
    let mut moved = Vec::new();
    for port in &before.ports {
        match node_port(service, &port.name) {
            Some(now) if now == port.from => {}
            Some(now) => moved.push(format!("node port of {} is {now}, it was {}", port.name, port.from)),
            None => moved.push(format!("{} has no node port, it had {}", port.name, port.from)),
        }
    }
    let what = moved.join(", ");
    (!moved.is_empty()).then(|| format!("Service {} was changed by somebody during the pause: {what}", before.name))
}
