//! The account that pachd runs as, with the rights that it has by itself, in the scratch namespace alone.

use serde_json::{Value, json};

/// ServiceAccount, Role and RoleBinding. Source of the rules: the ClusterRole `pachyderm` that `pachctl deploy` makes, without
/// nodes, which are in no namespace.
pub(super) fn objects(account: &str, namespace: &str) -> Vec<Value> {
    const API: &str = "rbac.authorization.k8s.io";
    let metadata = json!({"name": account, "labels": {"suite": "pachyderm"}});
    let rule = |resources: &[&str], verbs: &[&str]| json!({"apiGroups": [""], "resources": resources, "verbs": verbs});
    let write = ["get", "list", "watch", "create", "update", "delete"];
    let mut objects = Vec::new();
    if account != "default" {
        objects.push(json!({"kind": "ServiceAccount", "metadata": metadata}));
    }
    objects.push(json!({
        "kind": "Role",
        "metadata": metadata,
        "rules": [
            rule(&["pods", "pods/log", "endpoints"], &["get", "list", "watch"]),
            rule(&["replicationcontrollers", "services"], &write),
            rule(&["secrets"], &[&write[..], &["deletecollection"]].concat()),
        ],
    }));
    objects.push(json!({
        "kind": "RoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": API, "kind": "Role", "name": account},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
    }));
    objects
}
