//! Deployments make ReplicaSets; ReplicaSets, StatefulSets and ReplicationControllers make pods.

use std::collections::HashMap;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Snapshot, is_ready, is_terminating, put_if_changed, snapshot, text, uid};
use crate::kubernetes::objects::{self, random_suffix};
use crate::kubernetes::resource_types::{self, ResourceType};
use crate::kubernetes::running::NODE;
use crate::kubernetes::store::{ObjectKey, State};

/// Objects of one kind by the uid of the controller that owns them.
fn by_owner(state: &State, resource: &'static ResourceType) -> HashMap<String, Snapshot> {
    let mut owned: HashMap<String, Snapshot> = HashMap::new();
    for (key, object) in state.list(resource, None) {
        let owners = object["metadata"]["ownerReferences"].as_array().into_iter().flatten();
        if let Some(owner) = owners.into_iter().find(|owner| owner["controller"] == true) {
            owned.entry(text(owner, "uid").to_owned()).or_default().push((key.clone(), object.clone()));
        }
    }
    owned
}

fn owner_reference(resource: &ResourceType, owner: &Value) -> Value {
    json!([{
        "apiVersion": resource.api_version(),
        "kind": resource.kind,
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": true,
        "blockOwnerDeletion": true,
    }])
}

/// A short name of a pod template's content.
fn template_hash(template: &Value) -> String {
    hex::encode(&Sha256::digest(template.to_string())[..5])
}

fn replicas(object: &Value) -> usize {
    object["spec"]["replicas"].as_u64().and_then(|count| usize::try_from(count).ok()).unwrap_or(0)
}

/// Sets a field of a status, or leaves it out at zero as real controllers do.
fn count(status: &mut Value, field: &str, value: usize) {
    if value > 0 {
        status[field] = json!(value);
    }
}

/// One ReplicaSet for the current template of each Deployment; those of earlier templates go to 0.
pub(super) fn reconcile_deployments(state: &mut State) {
    let deployments = resource_types::named("deployments");
    let replica_sets = resource_types::named("replicasets");
    let pods = by_owner(state, resource_types::named("pods"));
    let owned = by_owner(state, replica_sets);
    let none = Snapshot::new();
    for (key, deployment) in snapshot(state, deployments) {
        let hash = template_hash(&deployment["spec"]["template"]);
        let name = format!("{}-{hash}", key.name);
        let sets = owned.get(uid(&deployment)).unwrap_or(&none);
        for (set_key, set) in sets {
            let wanted = if set_key.name == name { replicas(&deployment) } else { 0 };
            if replicas(set) != wanted {
                let mut set = Value::clone(set);
                set["spec"]["replicas"] = json!(wanted);
                set["metadata"]["generation"] = json!(set["metadata"]["generation"].as_u64().unwrap_or(0) + 1);
                state.put(set_key.clone(), set);
            }
        }
        if !sets.iter().any(|(set_key, _)| set_key.name == name) && !is_terminating(&deployment) {
            let mut template = deployment["spec"]["template"].clone();
            let mut selector = deployment["spec"]["selector"].clone();
            template["metadata"]["labels"]["pod-template-hash"] = json!(hash);
            selector["matchLabels"]["pod-template-hash"] = json!(hash);
            let set = json!({
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "metadata": {
                    "name": name,
                    "labels": template["metadata"]["labels"],
                    "ownerReferences": owner_reference(deployments, &deployment),
                },
                "spec": {"replicas": replicas(&deployment), "selector": selector, "template": template},
            });
            if let Err(error) = objects::create(state, replica_sets, &key.namespace, set, false, false) {
                tracing::warn!(%error, deployment = key.name, "its ReplicaSet could not be created");
            }
        }
        let all: Vec<&Value> =
            sets.iter().filter_map(|(_, set)| pods.get(uid(set))).flatten().map(|(_, pod)| &**pod).collect();
        let current: usize = sets
            .iter()
            .filter(|(set_key, _)| set_key.name == name)
            .filter_map(|(_, set)| pods.get(uid(set)))
            .map(|pods| pods.iter().filter(|(_, pod)| !is_terminating(pod)).count())
            .sum();
        let alive = all.iter().filter(|pod| !is_terminating(pod)).count();
        let ready = all.iter().filter(|pod| is_ready(pod)).count();
        let wanted = replicas(&deployment);
        let mut status = json!({"observedGeneration": deployment["metadata"]["generation"]});
        count(&mut status, "replicas", alive);
        count(&mut status, "updatedReplicas", current);
        count(&mut status, "readyReplicas", ready);
        count(&mut status, "availableReplicas", ready);
        count(&mut status, "unavailableReplicas", wanted.saturating_sub(ready));
        count(&mut status, "terminatingReplicas", all.len() - alive);
        let available = if ready >= wanted { "True" } else { "False" };
        let reason = if ready >= wanted { "MinimumReplicasAvailable" } else { "MinimumReplicasUnavailable" };
        status["conditions"] = json!([{"type": "Available", "status": available, "reason": reason}]);
        let mut updated = Value::clone(&deployment);
        updated["status"] = status;
        put_if_changed(state, &key, updated);
    }
}

/// As many pods as each controller wants.
pub(super) fn reconcile_pod_sets(state: &mut State) {
    let pods = by_owner(state, resource_types::named("pods"));
    let none = Snapshot::new();
    for plural in ["replicationcontrollers", "replicasets", "statefulsets"] {
        let resource = resource_types::named(plural);
        for (key, controller) in snapshot(state, resource) {
            let owned = pods.get(uid(&controller)).unwrap_or(&none);
            if !is_terminating(&controller) {
                if resource.kind == "StatefulSet" {
                    step_ordered(state, resource, &key, &controller, owned);
                } else {
                    step_unordered(state, resource, &key, &controller, owned);
                }
            }
            let mut updated = Value::clone(&controller);
            updated["status"] = pod_set_status(resource, &controller, owned);
            put_if_changed(state, &key, updated);
        }
    }
}

fn pod_set_status(resource: &ResourceType, controller: &Value, owned: &Snapshot) -> Value {
    let alive = owned.iter().filter(|(_, pod)| !is_terminating(pod)).count();
    let ready = owned.iter().filter(|(_, pod)| is_ready(pod)).count();
    let mut status = json!({
        "observedGeneration": controller["metadata"]["generation"],
        "replicas": alive,
    });
    count(&mut status, "readyReplicas", ready);
    count(&mut status, "availableReplicas", ready);
    match resource.kind {
        "StatefulSet" => {
            let revision =
                format!("{}-{}", text(&controller["metadata"], "name"), template_hash(&controller["spec"]["template"]));
            count(&mut status, "currentReplicas", alive);
            count(&mut status, "updatedReplicas", alive);
            status["currentRevision"] = json!(revision);
            status["updateRevision"] = json!(revision);
            status["collisionCount"] = json!(0);
        }
        "ReplicaSet" => {
            count(&mut status, "fullyLabeledReplicas", alive);
            count(&mut status, "terminatingReplicas", owned.len() - alive);
        }
        _ => count(&mut status, "fullyLabeledReplicas", alive),
    }
    status
}

fn pod_of(resource: &ResourceType, controller: &Value) -> Value {
    let template = &controller["spec"]["template"];
    let mut pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "labels": template["metadata"]["labels"],
            "annotations": template["metadata"]["annotations"],
            "ownerReferences": owner_reference(resource, controller),
        },
        "spec": template["spec"],
    });
    if !pod["spec"].is_object() {
        pod["spec"] = json!({});
    }
    pod["spec"]["nodeName"] = json!(NODE);
    pod
}

fn create_pod(state: &mut State, namespace: &str, pod: Value) {
    if let Err(error) = objects::create(state, resource_types::named("pods"), namespace, pod, false, false) {
        tracing::warn!(%error, "a pod could not be created");
    }
}

fn delete_pod(state: &mut State, key: &ObjectKey) {
    // It was there a moment ago under the same lock; if another controller took it, that is what was wanted.
    let _ = objects::delete(state, resource_types::named("pods"), key, &Value::Null, false);
}

fn step_unordered(state: &mut State, resource: &ResourceType, key: &ObjectKey, controller: &Value, owned: &Snapshot) {
    let alive: Vec<_> = owned.iter().filter(|(_, pod)| !is_terminating(pod)).collect();
    let wanted = replicas(controller);
    for (pod, _) in alive.iter().skip(wanted) {
        delete_pod(state, pod);
    }
    for _ in alive.len()..wanted {
        let mut pod = pod_of(resource, controller);
        pod["metadata"]["generateName"] = json!(format!("{}-", key.name));
        pod["metadata"]["name"] = json!(format!("{}-{}", key.name, random_suffix()));
        create_pod(state, &key.namespace, pod);
    }
}

/// Pods `name-0`, `name-1`, … with a claim of their own for each template. A terminating pod keeps its name until it is gone.
fn step_ordered(state: &mut State, resource: &ResourceType, key: &ObjectKey, controller: &Value, owned: &Snapshot) {
    let wanted = replicas(controller);
    let revision = format!("{}-{}", key.name, template_hash(&controller["spec"]["template"]));
    let names: Vec<String> = (0..wanted).map(|index| format!("{}-{index}", key.name)).collect();
    for (pod_key, pod) in owned {
        let current = pod["metadata"]["labels"]["controller-revision-hash"] == revision.as_str();
        if !is_terminating(pod) && (!names.contains(&pod_key.name) || !current) {
            delete_pod(state, pod_key);
        }
    }
    for name in names {
        if owned.iter().any(|(pod, _)| pod.name == name) {
            continue;
        }
        let mut pod = pod_of(resource, controller);
        pod["metadata"]["name"] = json!(name);
        pod["metadata"]["labels"]["controller-revision-hash"] = json!(revision);
        pod["metadata"]["labels"]["statefulset.kubernetes.io/pod-name"] = json!(name);
        pod["spec"]["hostname"] = json!(name);
        pod["spec"]["subdomain"] = controller["spec"]["serviceName"].clone();
        let mut volumes = pod["spec"]["volumes"].as_array().cloned().unwrap_or_default();
        for template in controller["spec"]["volumeClaimTemplates"].as_array().into_iter().flatten() {
            let volume = text(&template["metadata"], "name");
            let claim = format!("{volume}-{name}");
            volumes.retain(|it| it["name"] != volume);
            volumes.push(json!({"name": volume, "persistentVolumeClaim": {"claimName": claim}}));
            create_claim(state, &key.namespace, &claim, template);
        }
        pod["spec"]["volumes"] = json!(volumes);
        create_pod(state, &key.namespace, pod);
    }
}

/// A claim from its template, unless there is one.
fn create_claim(state: &mut State, namespace: &str, name: &str, template: &Value) {
    let claims = resource_types::named("persistentvolumeclaims");
    if state.get(&ObjectKey::new(claims, namespace, name)).is_some() {
        return;
    }
    let claim = json!({
        "metadata": {
            "name": name,
            "labels": template["metadata"]["labels"],
            "annotations": template["metadata"]["annotations"],
        },
        "spec": template["spec"],
    });
    if let Err(error) = objects::create(state, claims, namespace, claim, false, false) {
        tracing::warn!(%error, name, "a claim could not be created");
    }
}
