//! Endpoints and EndpointSlices: which pods stand behind each Service.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::{Value, json};

use super::{Snapshot, is_ready, is_terminating, put_if_changed};
use crate::kubernetes::objects::now;
use crate::kubernetes::resource_types;
use crate::kubernetes::selector::equality_matches;
use crate::kubernetes::store::{ObjectKey, State};

/// Marks the Endpoints that come from here.
const MANAGED_BY: &str = "endpoints.kubernetes.io/managed-by";

/// Computes the endpoints of every Service with a selector. Those of Services without one are left to their makers.
pub(super) fn reconcile(state: &mut State) {
    let services: Snapshot = state
        .list(resource_types::named("services"), None)
        .filter(|(_, service)| service["spec"]["selector"].as_object().is_some_and(|it| !it.is_empty()))
        .map(|(key, service)| (key.clone(), service.clone()))
        .collect();
    let mut pods: HashMap<String, Vec<Arc<Value>>> = HashMap::new();
    for (key, pod) in state.list(resource_types::named("pods"), None) {
        if pod["status"]["podIP"].is_string() && !is_terminating(pod) {
            pods.entry(key.namespace.clone()).or_default().push(pod.clone());
        }
    }
    let names: HashSet<(&str, &str)> =
        services.iter().map(|(key, _)| (key.namespace.as_str(), key.name.as_str())).collect();
    let left_over: Vec<ObjectKey> = state
        .list(resource_types::named("endpoints"), None)
        .filter(|(_, object)| !object["metadata"]["labels"][MANAGED_BY].is_null())
        .map(|(key, _)| key.clone())
        .filter(|key| !names.contains(&(key.namespace.as_str(), key.name.as_str())))
        .collect();
    for key in left_over {
        state.remove(&key);
    }
    for (key, service) in services {
        let behind: Vec<&Value> = pods
            .get(&key.namespace)
            .into_iter()
            .flatten()
            .map(|pod| &**pod)
            .filter(|pod| equality_matches(&service["spec"]["selector"], &pod["metadata"]["labels"]))
            .collect();
        store(state, "endpoints", &key, &key.name, endpoints(&service, &behind));
        store(state, "endpointslices", &key, &format!("{}-slice", key.name), slice(&service, &behind));
    }
}

/// The number of a port on a pod: the Service's target port, looked up among the containers when it is a name.
fn target_port(port: &Value, pod: Option<&Value>) -> Value {
    let target = &port["targetPort"];
    let Some(name) = target.as_str() else { return target.clone() };
    let containers = pod.into_iter().flat_map(|pod| pod["spec"]["containers"].as_array().into_iter().flatten());
    let mut ports = containers.flat_map(|container| container["ports"].as_array().into_iter().flatten());
    ports.find(|it| it["name"] == name).map_or(Value::Null, |it| it["containerPort"].clone())
}

fn target_ports(service: &Value, pod: Option<&Value>) -> Vec<Value> {
    let ports = service["spec"]["ports"].as_array().into_iter().flatten();
    ports
        .map(|port| {
            let mut value = json!({"port": target_port(port, pod), "protocol": port["protocol"]});
            if !port["name"].is_null() {
                value["name"] = port["name"].clone();
            }
            value
        })
        .filter(|port| !port["port"].is_null())
        .collect()
}

fn target_ref(pod: &Value) -> Value {
    let metadata = &pod["metadata"];
    json!({"kind": "Pod", "namespace": metadata["namespace"], "name": metadata["name"], "uid": metadata["uid"]})
}

fn endpoints(service: &Value, pods: &[&Value]) -> Value {
    let address = |pod: &&Value| json!({"ip": pod["status"]["podIP"], "nodeName": pod["spec"]["nodeName"], "targetRef": target_ref(pod)});
    let (ready, others): (Vec<&Value>, Vec<&Value>) = pods.iter().partition(|pod| is_ready(pod));
    let mut endpoints = json!({
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {"labels": service["metadata"]["labels"]},
    });
    endpoints["metadata"]["labels"][MANAGED_BY] = json!("endpoint-controller");
    if !pods.is_empty() {
        let mut subset = json!({});
        if !ready.is_empty() {
            subset["addresses"] = ready.iter().map(address).collect();
        }
        if !others.is_empty() {
            subset["notReadyAddresses"] = others.iter().map(address).collect();
        }
        subset["ports"] = json!(target_ports(service, pods.first().copied()));
        endpoints["subsets"] = json!([subset]);
    }
    endpoints
}

fn slice(service: &Value, pods: &[&Value]) -> Value {
    let metadata = &service["metadata"];
    let endpoints: Vec<Value> = pods
        .iter()
        .map(|pod| {
            let ready = is_ready(pod);
            json!({
                "addresses": [pod["status"]["podIP"]],
                "conditions": {"ready": ready, "serving": ready, "terminating": false},
                "nodeName": pod["spec"]["nodeName"],
                "targetRef": target_ref(pod),
            })
        })
        .collect();
    let mut labels = metadata["labels"].clone();
    labels["kubernetes.io/service-name"] = metadata["name"].clone();
    json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "labels": labels,
            "ownerReferences": [{
                "apiVersion": "v1", "kind": "Service", "name": metadata["name"], "uid": metadata["uid"],
                "controller": true, "blockOwnerDeletion": true,
            }],
        },
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": target_ports(service, pods.first().copied()),
    })
}

/// Stores a computed object under its old identity, or a new one.
fn store(state: &mut State, plural: &'static str, service: &ObjectKey, name: &str, mut object: Value) {
    let key = ObjectKey::new(resource_types::named(plural), &service.namespace, name);
    let old = state.get(&key).cloned();
    let metadata = &mut object["metadata"];
    metadata["name"] = json!(name);
    metadata["namespace"] = json!(service.namespace);
    match old {
        Some(old) => {
            for field in ["uid", "creationTimestamp", "resourceVersion"] {
                metadata[field] = old["metadata"][field].clone();
            }
        }
        None => {
            metadata["uid"] = json!(uuid::Uuid::new_v4().to_string());
            metadata["creationTimestamp"] = json!(now());
        }
    }
    put_if_changed(state, &key, object);
}
