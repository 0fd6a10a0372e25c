//! The ways into the cluster: Services that lead to pachd, to the dashboard, or to git hooks.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Service;
use kube::Api;
use kube::api::ListParams;

use crate::error::Result;
use crate::manifest::{ServicePortRecord, ServiceRecord};

/// A Service that leads into the cluster.
#[derive(Clone, Debug)]
pub struct EntryService {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Its type.
    pub kind: String,
    /// Its selector.
    pub selector: BTreeMap<String, String>,
    /// Its ports.
    pub ports: Vec<ServicePortRecord>,
}

impl EntryService {
    /// The Service as the manifest records it.
    #[must_use]
    pub fn record(&self, fenced: bool) -> ServiceRecord {
        ServiceRecord { name: self.name.clone(), kind: self.kind.clone(), ports: self.ports.clone(), fenced }
    }
}

/// Every Service of the namespace that selects pachd's or the dashboard's pods.
///
/// pachd dials only itself, workers dial their own sidecar, and everybody dials etcd: so etcd's Services and those of
/// pipelines are never among them.
pub(super) async fn read(
    kubernetes: &kube::Client,
    namespace: &str,
    pod_labels: &[BTreeMap<String, String>],
) -> Result<Vec<EntryService>> {
    let services: Api<Service> = Api::namespaced(kubernetes.clone(), namespace);
    let mut found = Vec::new();
    for service in services.list(&ListParams::default()).await? {
        let Some(spec) = service.spec else { continue };
        let selector = spec.selector.unwrap_or_default();
        if selector.is_empty() || !pod_labels.iter().any(|labels| selects(&selector, labels)) {
            continue;
        }
        found.push(EntryService {
            name: service.metadata.name.unwrap_or_default(),
            uid: service.metadata.uid.unwrap_or_default(),
            kind: spec.type_.unwrap_or_else(|| "ClusterIP".to_owned()),
            selector,
            ports: spec
                .ports
                .unwrap_or_default()
                .into_iter()
                .map(|port| ServicePortRecord {
                    name: port.name.unwrap_or_default(),
                    port: port.port,
                    node_port: port.node_port.filter(|number| *number != 0),
                })
                .collect(),
        });
    }
    Ok(found)
}

/// Whether a selector chooses pods with these labels. The fence's own label is left out: a fenced Service still counts.
fn selects(selector: &BTreeMap<String, String>, labels: &BTreeMap<String, String>) -> bool {
    selector
        .iter()
        .filter(|(key, _)| key.as_str() != crate::pause::FENCE_LABEL)
        .all(|(key, value)| labels.get(key) == Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_fenced_service_is_still_an_entry() {
        let pachd = labels(&[("app", "pachd"), ("suite", "pachyderm")]);
        assert!(selects(&labels(&[("app", "pachd")]), &pachd));
        assert!(selects(&labels(&[("app", "pachd"), (crate::pause::FENCE_LABEL, "run")]), &pachd));
        assert!(!selects(&labels(&[("app", "etcd")]), &pachd));
    }
}
