//! The hand of a pachd: the ReplicationControllers and Services of its pipelines' workers.

use std::sync::Arc;

use serde_json::{Value, json};

use super::objects;
use super::resource_types::{self, ResourceType};
use super::status::StatusError;
use super::store::{ObjectKey, State, Store};

/// What the cluster shows of one pipeline's workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Workers {
    /// ReplicationControllers of the pipeline: 0 or 1, more never stays.
    pub controllers: usize,
    /// `spec.replicas` of the controller.
    pub wanted: usize,
    /// Pods that are not yet gone, terminating ones included.
    pub pods: usize,
    /// Pods that are ready and not terminating.
    pub ready: usize,
}

/// Makes and removes the workers of pipelines, as the PPS master of Pachyderm 1.13.4 does.
#[derive(Debug, Clone)]
pub struct WorkerControl {
    store: Arc<Store>,
    namespace: String,
}

/// The name of a pipeline's ReplicationController: `pipeline-<name>-v<version>`, lower case, `_` as `-`.
fn controller_name(pipeline: &str, version: u64) -> String {
    format!("pipeline-{}-v{version}", pipeline.replace('_', "-").to_lowercase())
}

impl WorkerControl {
    pub(crate) fn new(store: Arc<Store>, namespace: &str) -> Self {
        WorkerControl { store, namespace: namespace.to_owned() }
    }

    fn keys(&self, state: &State, resource: &'static ResourceType, pipeline: &str) -> Vec<ObjectKey> {
        state
            .list(resource, Some(&self.namespace))
            .filter(|(_, object)| {
                let labels = &object["metadata"]["labels"];
                labels["component"] == "worker" && labels["pipelineName"] == pipeline
            })
            .map(|(key, _)| key.clone())
            .collect()
    }

    fn remove(&self, state: &mut State, pipeline: &str, keep: Option<&str>) -> Result<(), StatusError> {
        for plural in ["replicationcontrollers", "services"] {
            let resource = resource_types::named(plural);
            for key in self.keys(state, resource, pipeline) {
                if keep != Some(key.name.as_str()) {
                    objects::delete(state, resource, &key, &Value::Null, false)?;
                }
            }
        }
        Ok(())
    }

    /// Makes the pipeline's ReplicationController and Service be those of this version and spec commit, with this many
    /// replicas. A controller with another name or another `specCommit` is deleted, its pods with it, and a new one made.
    ///
    /// # Errors
    ///
    /// 404 when the namespace does not exist, 422 when the pipeline's name makes no valid object name.
    pub fn set_worker_rc(
        &self,
        pipeline: &str,
        version: u64,
        spec_commit: &str,
        replicas: usize,
    ) -> Result<(), StatusError> {
        let controllers = resource_types::named("replicationcontrollers");
        let name = controller_name(pipeline, version);
        let key = ObjectKey::new(controllers, &self.namespace, &name);
        self.store.with(|state| {
            let existing = state.get(&key).cloned();
            let same = existing.filter(|it| it["metadata"]["annotations"]["specCommit"] == spec_commit);
            self.remove(state, pipeline, same.as_ref().map(|_| name.as_str()))?;
            if let Some(existing) = same {
                let mut changed = Value::clone(&existing);
                changed["spec"]["replicas"] = json!(replicas);
                objects::update(state, controllers, &key, changed, objects::Part::Main, false)?;
                return Ok(());
            }
            let controller = controller(pipeline, &name, version, spec_commit, replicas);
            objects::create(state, controllers, &self.namespace, controller, false, false)?;
            let service = service(pipeline, &name);
            objects::create(state, resource_types::named("services"), &self.namespace, service, false, false)?;
            Ok(())
        })
    }

    /// Deletes the pipeline's ReplicationController, its pods with it, and its Service. None is fine.
    ///
    /// # Errors
    ///
    /// None is known; the signature is that of all deletions.
    pub fn remove_worker_rc(&self, pipeline: &str) -> Result<(), StatusError> {
        self.store.with(|state| self.remove(state, pipeline, None))
    }

    /// What there is now.
    pub fn workers(&self, pipeline: &str) -> Workers {
        self.store.with(|state| {
            let controllers = self.keys(state, resource_types::named("replicationcontrollers"), pipeline);
            let wanted = controllers
                .iter()
                .filter_map(|key| state.get(key))
                .filter_map(|it| it["spec"]["replicas"].as_u64())
                .filter_map(|count| usize::try_from(count).ok())
                .sum();
            let pods = self.keys(state, resource_types::named("pods"), pipeline);
            let ready = pods
                .iter()
                .filter_map(|key| state.get(key))
                .filter(|pod| pod["status"]["phase"] == "Running" && pod["metadata"]["deletionTimestamp"].is_null())
                .count();
            Workers { controllers: controllers.len(), wanted, pods: pods.len(), ready }
        })
    }
}

/// The ReplicationController and the Service of a pipeline's workers, as the PPS master makes them.
#[cfg(feature = "programs")]
pub(crate) fn objects_of(pipeline: &str, version: u64, spec_commit: &str, replicas: usize) -> [Value; 2] {
    let name = controller_name(pipeline, version);
    [controller(pipeline, &name, version, spec_commit, replicas), service(pipeline, &name)]
}

fn labels(pipeline: &str, name: &str) -> Value {
    json!({"app": name, "component": "worker", "pipelineName": pipeline, "suite": "pachyderm"})
}

fn controller(pipeline: &str, name: &str, version: u64, spec_commit: &str, replicas: usize) -> Value {
    let labels = labels(pipeline, name);
    let annotations = json!({
        "version": version.to_string(),
        "specCommit": spec_commit,
        "authTokenHash": "",
        "pipelineName": pipeline,
    });
    json!({
        "metadata": {"name": name, "labels": labels, "annotations": annotations},
        "spec": {
            "replicas": replicas,
            "selector": labels,
            "template": {
                "metadata": {"labels": labels, "annotations": annotations},
                "spec": {
                    "initContainers": [{"name": "init", "image": "pachyderm/worker:1.13.4"}],
                    "containers": [
                        {"name": "user", "image": "user:1", "env": [{"name": "PPS_PIPELINE_NAME", "value": pipeline}]},
                        {"name": "storage", "image": "pachyderm/pachd:1.13.4", "command": ["/pachd", "--mode", "sidecar"]},
                    ],
                    "serviceAccountName": "pachyderm-worker",
                    "terminationGracePeriodSeconds": 0,
                },
            },
        },
    })
}

fn service(pipeline: &str, name: &str) -> Value {
    let labels = labels(pipeline, name);
    json!({
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "selector": labels,
            "ports": [{"name": "grpc-port", "port": 80, "targetPort": 80}, {"name": "prometheus-metrics", "port": 9090}],
        },
    })
}
