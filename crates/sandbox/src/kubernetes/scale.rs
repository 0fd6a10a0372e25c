//! The `/scale` of workloads.

use serde_json::{Value, json};

use super::resource_types::ResourceType;

/// The Scale object of a workload. A zero in `spec.replicas` is left out, as real servers do.
pub(crate) fn of(resource: &ResourceType, object: &Value) -> Value {
    let metadata = &object["metadata"];
    let selector = if resource.kind == "ReplicationController" {
        &object["spec"]["selector"]
    } else {
        &object["spec"]["selector"]["matchLabels"]
    };
    let pairs: Vec<String> = selector
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()))
        .collect();
    let mut scale = json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"],
            "creationTimestamp": metadata["creationTimestamp"],
        },
        "spec": {},
        "status": {
            "replicas": object["status"]["replicas"].as_i64().unwrap_or(0),
            "selector": pairs.join(","),
        },
    });
    let replicas = object["spec"]["replicas"].as_i64().unwrap_or(0);
    if replicas != 0 {
        scale["spec"]["replicas"] = json!(replicas);
    }
    scale
}

/// The workload as a written Scale object wants it. Version and uid of the Scale are kept, for the conflict check.
pub(crate) fn write_into(object: &Value, scale: &Value) -> Value {
    let mut object = object.clone();
    object["spec"]["replicas"] = json!(scale["spec"]["replicas"].as_i64().unwrap_or(0));
    for field in ["resourceVersion", "uid"] {
        object["metadata"][field] = scale["metadata"][field].clone();
    }
    object
}
