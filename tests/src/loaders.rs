//! External loaders in the sandbox's Kubernetes, and the configuration that names them.

use sandbox::cluster::NAMESPACE;
use serde_json::{Value, json};

use crate::Bench;

/// Namespace of the loaders that are not in the cluster's own.
const OTHER: &str = "ingest";

impl Bench {
    /// Adds loaders of three kinds, one of them in another namespace and one that rests already, and names them in the
    /// configuration. `more` are further lines of its section `[snapshot]`.
    ///
    /// # Panics
    /// When they exist.
    pub fn add_loaders(&self, more: &str) {
        let kubernetes = &self.cluster.kubernetes;
        kubernetes.create_namespace(OTHER).expect("a namespace can be made");
        for object in [
            workload("Deployment", "importer", NAMESPACE, 2),
            workload("StatefulSet", "queue", OTHER, 3),
            cron_job("nightly", false),
            cron_job("retired", true),
        ] {
            kubernetes.create(object).expect("a loader can be made");
        }
        self.write_config(&format!(
            "{more}\n[[loader]]\nkind = \"deployment\"\nname = \"importer\"\n\
             [[loader]]\nkind = \"stateful-set\"\nname = \"queue\"\nnamespace = \"{OTHER}\"\n\
             [[loader]]\nkind = \"cron-job\"\nname = \"nightly\"\n\
             [[loader]]\nkind = \"cron-job\"\nname = \"retired\"\n"
        ));
    }
}

fn workload(kind: &str, name: &str, namespace: &str, replicas: u32) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "serviceName": name,
            "selector": {"matchLabels": {"app": name}},
            "template": pod(name),
        },
    })
}

fn cron_job(name: &str, suspend: bool) -> Value {
    json!({
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "schedule": "0 3 * * *",
            "suspend": suspend,
            "jobTemplate": {"spec": {"template": pod(name)}},
        },
    })
}

fn pod(name: &str) -> Value {
    json!({
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": name, "image": format!("{name}:1")}]},
    })
}
