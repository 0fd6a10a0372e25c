//! What another part of the sandbox may do with the API, as long as it runs.

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::watch;

use super::port_forward::ForwardTarget;
use super::resource_types;
use super::server::{Api, lock};
use super::store::ObjectKey;
use super::workers::WorkerControl;

/// A look at the objects of the API, past authorization and log.
#[derive(Clone)]
pub(crate) struct KubernetesView {
    pub(super) api: Arc<Api>,
}

impl KubernetesView {
    /// Wakes whenever an object changes.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.api.store.subscribe()
    }

    pub(crate) fn objects(&self, plural: &'static str, namespace: Option<&str>) -> Vec<Value> {
        let resource = resource_types::named(plural);
        self.api.store.with(|state| state.list(resource, namespace).map(|(_, object)| Value::clone(object)).collect())
    }

    pub(crate) fn object(&self, plural: &'static str, namespace: &str, name: &str) -> Option<Value> {
        let key = ObjectKey::new(resource_types::named(plural), namespace, name);
        self.api.store.with(|state| state.get(&key).map(|object| Value::clone(object)))
    }

    pub(crate) fn set_forward(&self, target: ForwardTarget, port: u16, address: SocketAddr) {
        lock(&self.api.forwards).set(target, port, address);
    }

    pub(crate) fn remove_forward(&self, target: &ForwardTarget, port: u16) {
        lock(&self.api.forwards).remove(target, port);
    }

    /// Takes away what leads into the pods of a namespace.
    pub(crate) fn forget_forwards(&self, namespace: &str) {
        lock(&self.api.forwards).forget(namespace);
    }

    pub(crate) fn worker_control(&self, namespace: &str) -> WorkerControl {
        WorkerControl::new(Arc::clone(&self.api.store), namespace)
    }
}
