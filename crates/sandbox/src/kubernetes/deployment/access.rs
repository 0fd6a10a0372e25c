//! Service accounts and their rights.

use serde_json::{Value, json};

use super::PachydermDeployment;

const RBAC: &str = "rbac.authorization.k8s.io/v1";

pub(super) fn objects(deployment: &PachydermDeployment) -> Vec<Value> {
    let binding_name = format!("pachyderm-{}", deployment.namespace);
    let rule = |resources: &[&str], verbs: &[&str]| json!({"apiGroups": [""], "resources": resources, "verbs": verbs});
    let subject = |name: &str| json!([{"kind": "ServiceAccount", "name": name, "namespace": deployment.namespace}]);
    let role_ref = |kind: &str, name: &str| json!({"apiGroup": "", "kind": kind, "name": name});
    let write = ["get", "list", "watch", "create", "update", "delete"];
    let mut objects: Vec<Value> = ["pachyderm", "pachyderm-worker"]
        .iter()
        .map(|name| json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": deployment.metadata(name, "")}))
        .collect();
    objects.push(json!({
        "apiVersion": RBAC,
        "kind": "ClusterRole",
        "metadata": deployment.metadata("pachyderm", ""),
        "rules": [
            rule(&["nodes", "pods", "pods/log", "endpoints"], &["get", "list", "watch"]),
            rule(&["replicationcontrollers", "services"], &write),
            rule(&["secrets"], &[&write[..], &["deletecollection"]].concat()),
        ],
    }));
    objects.push(json!({
        "apiVersion": RBAC,
        "kind": "ClusterRoleBinding",
        "metadata": deployment.metadata(&binding_name, ""),
        "roleRef": role_ref("ClusterRole", "pachyderm"),
        "subjects": subject("pachyderm"),
    }));
    objects.push(json!({
        "apiVersion": RBAC,
        "kind": "Role",
        "metadata": deployment.metadata("pachyderm-worker", ""),
        "rules": [rule(&["services"], &["get", "list", "update", "create", "delete"])],
    }));
    objects.push(json!({
        "apiVersion": RBAC,
        "kind": "RoleBinding",
        "metadata": deployment.metadata("pachyderm-worker", ""),
        "roleRef": role_ref("Role", "pachyderm-worker"),
        "subjects": subject("pachyderm-worker"),
    }));
    objects
}
