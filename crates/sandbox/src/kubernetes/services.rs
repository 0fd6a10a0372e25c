//! What a Service must satisfy: types, cluster addresses, node ports.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use rand::Rng;
use serde_json::{Value, json};

use super::resource_types;
use super::status::{Cause, StatusError};
use super::store::State;

const NODE_PORTS: RangeInclusive<u64> = 30000..=32767;
/// Numbers that are given to who names none; the ones below are left to who does.
const GIVEN_NODE_PORTS: RangeInclusive<u64> = 30086..=32767;

const TAKEN: &str = "provided port is already allocated";

fn field(index: usize) -> String {
    format!("spec.ports[{index}].nodePort")
}

fn service_type(service: &Value) -> &str {
    service["spec"]["type"].as_str().unwrap_or("ClusterIP")
}

fn has_node_ports(service: &Value) -> bool {
    matches!(service_type(service), "NodePort" | "LoadBalancer")
}

fn ports(service: &Value) -> &[Value] {
    service["spec"]["ports"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn protocol(port: &Value) -> &str {
    port["protocol"].as_str().unwrap_or("TCP")
}

fn node_port(port: &Value) -> Option<u64> {
    port["nodePort"].as_u64().filter(|number| *number != 0)
}

fn node_ports(service: &Value) -> HashSet<u64> {
    ports(service).iter().filter_map(node_port).collect()
}

/// Fills in defaults, keeps what the system has given, allocates addresses and node ports.
///
/// Node ports are unique in the whole cluster. A number that a deletion or a change sets free can be taken at once.
///
/// # Errors
///
/// 422 for a number that is taken, out of range, or on a Service that has none, and for one number twice in a new Service;
/// 500 for one number twice in a changed one.
pub(crate) fn admit(state: &mut State, old: Option<&Value>, new: &mut Value) -> Result<(), StatusError> {
    let resource = resource_types::named("services");
    let name = new["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let invalid = |causes| Err(StatusError::invalid(resource, &name, causes));

    set_defaults(new);
    if let Some(old) = old {
        keep_given_values(old, new);
    }
    let kind = service_type(new).to_owned();
    if !matches!(kind.as_str(), "ClusterIP" | "NodePort" | "LoadBalancer" | "ExternalName") {
        return invalid(vec![Cause::invalid("spec.type", json!(kind), "unsupported value")]);
    }
    let headless = new["spec"]["clusterIP"] == "None";
    if ports(new).is_empty() && !headless && kind != "ExternalName" {
        return invalid(vec![Cause::required("spec.ports", "")]);
    }
    for (index, port) in ports(new).iter().enumerate() {
        if ports(new).len() > 1 && port["name"].as_str().unwrap_or_default().is_empty() {
            return invalid(vec![Cause::required(format!("spec.ports[{index}].name"), "")]);
        }
        if !port["port"].as_u64().is_some_and(|number| (1..=65535).contains(&number)) {
            let why = "must be between 1 and 65535, inclusive";
            return invalid(vec![Cause::invalid(format!("spec.ports[{index}].port"), &port["port"], why)]);
        }
    }
    check_cluster_address(old, new).or_else(|cause| invalid(vec![cause]))?;

    let mut causes = Vec::new();
    for (index, port) in ports(new).iter().enumerate() {
        let Some(number) = node_port(port) else { continue };
        if !has_node_ports(new) {
            let why = format!("may not be used when `type` is '{kind}'");
            causes.push(Cause::forbidden(field(index), &why));
        }
        let mut others = ports(new)[..index].iter().filter(|it| node_port(it) == Some(number));
        if old.is_some() && others.any(|it| protocol(it) == protocol(port)) {
            return Err(StatusError::duplicate_node_port(protocol(port), number));
        }
        // A new Service allocates port by port. One port with two protocols is one allocation.
        if old.is_none() && has_node_ports(new) && others.any(|it| it["port"] != port["port"]) {
            return invalid(vec![Cause::invalid(field(index), number, TAKEN)]);
        }
    }
    if !causes.is_empty() {
        return invalid(causes);
    }

    if has_node_ports(new) {
        let own = old.map(|old| old["metadata"]["uid"].clone());
        let taken: HashSet<u64> = state
            .list(resource, None)
            .filter(|(_, service)| own.as_ref() != Some(&service["metadata"]["uid"]))
            .flat_map(|(_, service)| node_ports(service))
            .collect();
        for (index, port) in ports(new).iter().enumerate() {
            let Some(number) = node_port(port) else { continue };
            if !NODE_PORTS.contains(&number) {
                let why = "provided port is not in the valid range. The range of valid ports is 30000-32767";
                return invalid(vec![Cause::invalid(field(index), number, why)]);
            }
            if taken.contains(&number) {
                return invalid(vec![Cause::invalid(field(index), number, TAKEN)]);
            }
        }
        allocate_node_ports(new, taken);
    }
    if !headless && kind != "ExternalName" && new["spec"]["clusterIP"].is_null() {
        let number = state.next_address();
        let address = format!("10.96.{}.{}", number / 250, number % 250 + 1);
        new["spec"]["clusterIPs"] = json!([address]);
        new["spec"]["clusterIP"] = json!(address);
    }
    Ok(())
}

fn set_defaults(service: &mut Value) {
    let spec = &mut service["spec"];
    for (field, value) in [("type", json!("ClusterIP")), ("sessionAffinity", json!("None"))] {
        if spec[field].is_null() {
            spec[field] = value;
        }
    }
    if spec["clusterIP"] == "" {
        spec["clusterIP"] = Value::Null;
    }
    if let Some(ports) = spec["ports"].as_array_mut() {
        for port in ports {
            if port["protocol"].is_null() {
                port["protocol"] = json!("TCP");
            }
            if port["targetPort"].is_null() || port["targetPort"] == 0 || port["targetPort"] == "" {
                port["targetPort"] = port["port"].clone();
            }
            let without_number = port["nodePort"] == 0 || port["nodePort"].is_null();
            if let Some(fields) = port.as_object_mut().filter(|_| without_number) {
                fields.shift_remove("nodePort");
            }
        }
    }
}

/// Carries the cluster address and, by port name, the node ports over into a change that leaves them out, and drops
/// unchanged node ports from a Service that no longer has any.
fn keep_given_values(old: &Value, new: &mut Value) {
    let internal = |service: &Value| service_type(service) != "ExternalName";
    if internal(old) && internal(new) {
        for field in ["clusterIP", "clusterIPs"] {
            if new["spec"][field].is_null() {
                new["spec"][field] = old["spec"][field].clone();
            }
        }
    }
    if has_node_ports(old) && has_node_ports(new) {
        let unchanged: HashSet<u64> = node_ports(old).intersection(&node_ports(new)).copied().collect();
        if let Some(new_ports) = new["spec"]["ports"].as_array_mut() {
            for port in new_ports.iter_mut().filter(|port| node_port(port).is_none()) {
                let before = ports(old).iter().find(|it| it.get("name") == port.get("name")).and_then(node_port);
                if let Some(number) = before.filter(|number| !unchanged.contains(number)) {
                    port["nodePort"] = json!(number);
                }
            }
        }
    }
    if has_node_ports(old) && !has_node_ports(new) && node_ports(old) == node_ports(new) {
        for port in new["spec"]["ports"].as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
            port.shift_remove("nodePort");
        }
    }
}

fn check_cluster_address(old: Option<&Value>, new: &Value) -> Result<(), Cause> {
    let Some(old) = old else { return Ok(()) };
    let (before, after) = (&old["spec"]["clusterIP"], &new["spec"]["clusterIP"]);
    if before.is_string() && after.is_string() && before != after {
        return Err(Cause::invalid("spec.clusterIPs[0]", format!("[]string{{{after}}}"), "may not change once set"));
    }
    Ok(())
}

fn allocate_node_ports(service: &mut Value, mut taken: HashSet<u64>) {
    taken.extend(node_ports(service));
    let mut random = rand::rng();
    if let Some(ports) = service["spec"]["ports"].as_array_mut() {
        for port in ports.iter_mut().filter(|port| node_port(port).is_none()) {
            let number = loop {
                let number = random.random_range(GIVEN_NODE_PORTS);
                if taken.insert(number) {
                    break number;
                }
            };
            port["nodePort"] = json!(number);
        }
    }
}
