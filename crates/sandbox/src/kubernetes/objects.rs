//! Create, update and delete with the rules that hold for every kind.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::Rng;
use serde_json::{Map, Value, json};

use super::controllers::finalizers::{self, CLAIM_IN_USE, VOLUME_IN_USE};
use super::resource_types::{self, ResourceType};
use super::services;
use super::snapshot_rules;
use super::status::{Cause, StatusError};
use super::store::{ObjectKey, State};

/// Most bytes that a ConfigMap or Secret may hold.
const DATA_LIMIT: usize = 1024 * 1024;

/// Which part of an object a write is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Everything but the status.
    Main,
    /// Only the status.
    Status,
}

/// Now, as API objects write it: whole seconds, UTC.
pub(crate) fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Five letters as generated names end.
pub(crate) fn random_suffix() -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut random = rand::rng();
    (0..5).map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())])).collect()
}

/// Takes every field that is null out of an object, at any depth.
pub(crate) fn strip_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(strip_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(strip_nulls),
        _ => {}
    }
}

/// Sets `apiVersion` and `kind`, or refuses an object of another kind.
fn check_kind(resource: &ResourceType, object: &mut Value) -> Result<(), StatusError> {
    if !object.is_object() {
        return Err(StatusError::bad_request("the object provided is unrecognized (must be of type object)"));
    }
    for (field, wanted) in [("apiVersion", resource.api_version()), ("kind", resource.kind.to_owned())] {
        match object[field].as_str() {
            None => object[field] = json!(wanted),
            Some(found) if found == wanted => {}
            Some(found) => {
                let message = format!("the {field} of the provided object ({found}) is not {wanted}");
                return Err(StatusError::bad_request(message));
            }
        }
    }
    for field in ["metadata", "spec", "status", "data", "stringData"] {
        if object.get(field).is_some_and(|value| !value.is_object() && !value.is_null()) {
            return Err(StatusError::bad_request(format!("{field} of the provided object is not an object")));
        }
    }
    if object["metadata"].is_null() {
        object["metadata"] = Value::Object(Map::new());
    }
    Ok(())
}

/// Stores a new object. With `keep_status` the status given is kept, as only the system itself may ask.
pub(crate) fn create(
    state: &mut State,
    resource: &'static ResourceType,
    namespace: &str,
    mut object: Value,
    dry_run: bool,
    keep_status: bool,
) -> Result<Arc<Value>, StatusError> {
    check_kind(resource, &mut object)?;
    let metadata = &mut object["metadata"];
    if metadata["resourceVersion"].as_str().is_some_and(|version| !version.is_empty()) {
        // It is the store that refuses, and a store's errors have no reason.
        return Err(StatusError::new(500, "", "resourceVersion should not be set on objects to be created"));
    }
    if resource.namespaced {
        if metadata["namespace"].as_str().is_some_and(|it| it != namespace) {
            let message = "the namespace of the provided object does not match the namespace sent on the request";
            return Err(StatusError::bad_request(message));
        }
        metadata["namespace"] = json!(namespace);
    } else if let Some(fields) = metadata.as_object_mut() {
        fields.shift_remove("namespace");
    }
    if metadata["name"].as_str().unwrap_or_default().is_empty() {
        match metadata["generateName"].as_str() {
            Some(prefix) if !prefix.is_empty() => metadata["name"] = json!(format!("{prefix}{}", random_suffix())),
            _ => {
                let cause = Cause::required("metadata.name", "name or generateName is required");
                return Err(StatusError::invalid(resource, "", vec![cause]));
            }
        }
    }
    let name = metadata["name"].as_str().unwrap_or_default().to_owned();
    check_name(resource, &name)?;
    if resource.namespaced {
        let namespaces = resource_types::named("namespaces");
        if state.get(&ObjectKey::new(namespaces, "", namespace)).is_none() {
            return Err(StatusError::not_found(namespaces, namespace));
        }
    }
    let key = ObjectKey::new(resource, namespace, &name);
    if state.get(&key).is_some() {
        return Err(StatusError::already_exists(resource, &name));
    }
    metadata["uid"] = json!(uuid::Uuid::new_v4().to_string());
    metadata["creationTimestamp"] = json!(now());
    if resource.generation {
        metadata["generation"] = json!(1);
    }
    if let Some(fields) = metadata.as_object_mut() {
        fields.shift_remove("managedFields");
        fields.shift_remove("deletionTimestamp");
    }
    if resource.status && !keep_status {
        object["status"] = initial_status(resource);
    }
    admit(state, resource, None, &mut object)?;
    if dry_run {
        return Ok(Arc::new(object));
    }
    Ok(state.put(key, object))
}

fn check_name(resource: &ResourceType, name: &str) -> Result<(), StatusError> {
    if resource.group == "rbac.authorization.k8s.io" {
        return Ok(());
    }
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if name.len() <= 253 && name.chars().all(allowed) && name.starts_with(edge) && name.ends_with(edge) {
        return Ok(());
    }
    let why = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must \
               start and end with an alphanumeric character";
    Err(StatusError::invalid(resource, name, vec![Cause::invalid("metadata.name", json!(name), why)]))
}

fn initial_status(resource: &ResourceType) -> Value {
    match resource.kind {
        "Namespace" => json!({"phase": "Active"}),
        "Pod" | "PersistentVolume" | "PersistentVolumeClaim" => json!({"phase": "Pending"}),
        "Service" => json!({"loadBalancer": {}}),
        "ReplicationController" | "ReplicaSet" => json!({"replicas": 0}),
        _ if resource.is_custom() => Value::Null,
        _ => json!({}),
    }
}

/// Replaces an object by `new`, which was built from a request's body or from a patch of the current state.
///
/// # Errors
///
/// 409 when `new` carries another `resourceVersion` or `uid` than the current state, 422 when it is invalid.
pub(crate) fn update(
    state: &mut State,
    resource: &'static ResourceType,
    key: &ObjectKey,
    mut new: Value,
    part: Part,
    dry_run: bool,
) -> Result<Arc<Value>, StatusError> {
    let old = state.get(key).cloned().ok_or_else(|| StatusError::not_found(resource, &key.name))?;
    check_kind(resource, &mut new)?;
    let given = &new["metadata"];
    if let Some(name) = given["name"].as_str().filter(|name| *name != key.name) {
        let message = format!("the name of the object ({name}) does not match the name on the URL ({})", key.name);
        return Err(StatusError::bad_request(message));
    }
    if given["namespace"].as_str().is_some_and(|it| it != key.namespace) {
        let message = "the namespace of the provided object does not match the namespace sent on the request";
        return Err(StatusError::bad_request(message));
    }
    check_preconditions(resource, &key.name, &old, given["uid"].as_str(), given["resourceVersion"].as_str())?;
    if resource.kind == "Lease" && given["resourceVersion"].as_str().unwrap_or_default().is_empty() {
        let cause = Cause::invalid("metadata.resourceVersion", 0, "must be specified for an update");
        return Err(StatusError::invalid(resource, &key.name, vec![cause]));
    }

    if part == Part::Status {
        let status = new["status"].take();
        new = Value::clone(&old);
        new["status"] = status;
    } else if resource.status {
        new["status"] = old["status"].clone();
    }
    for field in ["name", "namespace", "uid", "creationTimestamp", "generation", "deletionTimestamp", "resourceVersion"]
    {
        new["metadata"][field] = old["metadata"][field].clone();
    }
    if let Some(fields) = new["metadata"].as_object_mut() {
        fields.shift_remove("managedFields");
    }
    admit(state, resource, Some(&old), &mut new)?;
    if resource.generation && new["spec"] != old["spec"] {
        let generation = old["metadata"]["generation"].as_u64().unwrap_or(1) + 1;
        new["metadata"]["generation"] = json!(generation);
    }
    if dry_run {
        return Ok(Arc::new(new));
    }
    if new == *old {
        return Ok(old);
    }
    let finished = !new["metadata"]["deletionTimestamp"].is_null() && no_finalizers(&new) && !has_an_end(resource);
    if finished {
        state.remove(key);
        return Ok(Arc::new(new));
    }
    Ok(state.put(key.clone(), new))
}

fn check_preconditions(
    resource: &ResourceType,
    name: &str,
    current: &Value,
    uid: Option<&str>,
    version: Option<&str>,
) -> Result<(), StatusError> {
    let metadata = &current["metadata"];
    if let Some(uid) = uid.filter(|uid| !uid.is_empty() && metadata["uid"] != *uid) {
        let found = metadata["uid"].as_str().unwrap_or_default();
        let why = format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {found}");
        return Err(StatusError::conflict(resource, name, &why));
    }
    if version.is_some_and(|version| !version.is_empty() && metadata["resourceVersion"] != version) {
        return Err(StatusError::stale(resource, name));
    }
    Ok(())
}

fn no_finalizers(object: &Value) -> bool {
    object["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty)
}

/// Whether a deleted object stays until its controller has brought it to its end.
fn has_an_end(resource: &ResourceType) -> bool {
    matches!(resource.kind, "Pod" | "Namespace")
}

/// What a deletion did.
pub(crate) enum Deleted {
    /// The object is gone; this was its last state.
    Gone(Arc<Value>),
    /// The object waits for its finalizers, a pod for its end, a namespace for all that is in it.
    Pending(Arc<Value>),
}

/// Deletes an object under the preconditions in `options` (a `DeleteOptions`, or null).
pub(crate) fn delete(
    state: &mut State,
    resource: &'static ResourceType,
    key: &ObjectKey,
    options: &Value,
    dry_run: bool,
) -> Result<Deleted, StatusError> {
    let object = state.get(key).cloned().ok_or_else(|| StatusError::not_found(resource, &key.name))?;
    let preconditions = &options["preconditions"];
    check_preconditions(
        resource,
        &key.name,
        &object,
        preconditions["uid"].as_str(),
        preconditions["resourceVersion"].as_str(),
    )?;
    if dry_run {
        return Ok(Deleted::Gone(object));
    }
    let grace = options["gracePeriodSeconds"].as_u64();
    let waits = has_an_end(resource) && (resource.kind != "Pod" || grace != Some(0));
    if waits || !no_finalizers(&object) {
        if !object["metadata"]["deletionTimestamp"].is_null() {
            return Ok(Deleted::Pending(object));
        }
        let mut marked = Value::clone(&object);
        let pods_grace = if resource.kind == "Pod" { 30 } else { 0 };
        let own_grace = object["spec"]["terminationGracePeriodSeconds"].as_u64().unwrap_or(pods_grace);
        marked["metadata"]["deletionTimestamp"] = json!(now());
        if resource.kind == "Namespace" {
            marked["status"]["phase"] = json!("Terminating");
            return Ok(Deleted::Pending(state.put(key.clone(), marked)));
        }
        marked["metadata"]["deletionGracePeriodSeconds"] = json!(grace.unwrap_or(own_grace));
        if let Some(generation) = marked["metadata"]["generation"].as_u64() {
            marked["metadata"]["generation"] = json!(generation + 1);
        }
        return Ok(Deleted::Pending(state.put(key.clone(), marked)));
    }
    let last = state.remove(key).unwrap_or(object);
    let orphan = options["propagationPolicy"] == "Orphan" || options["orphanDependents"] == true;
    if orphan {
        release_dependents(state, &last);
    }
    Ok(Deleted::Gone(last))
}

/// Takes the owner out of everything that it owns.
fn release_dependents(state: &mut State, owner: &Value) {
    let uid = &owner["metadata"]["uid"];
    let owned = |object: &Value| {
        object["metadata"]["ownerReferences"].as_array().is_some_and(|owners| owners.iter().any(|it| &it["uid"] == uid))
    };
    let dependents: Vec<(ObjectKey, Arc<Value>)> =
        state.all().filter(|(_, object)| owned(object)).map(|(key, object)| (key.clone(), object.clone())).collect();
    for (key, object) in dependents {
        let mut object = Value::clone(&object);
        if let Some(owners) = object["metadata"]["ownerReferences"].as_array_mut() {
            owners.retain(|it| &it["uid"] != uid);
        }
        state.put(key, object);
    }
}

/// The rules of single kinds.
fn admit(
    state: &mut State,
    resource: &'static ResourceType,
    old: Option<&Value>,
    new: &mut Value,
) -> Result<(), StatusError> {
    match resource.kind {
        "Service" => services::admit(state, old, new)?,
        "ConfigMap" | "Secret" => admit_data(resource, old, new)?,
        "Deployment" | "ReplicaSet" | "StatefulSet" | "ReplicationController" => admit_workload(resource, old, new)?,
        "PersistentVolumeClaim" if old.is_none() => set_claim_defaults(new),
        "PersistentVolume" if old.is_none() => drop(finalizers::add(new, VOLUME_IN_USE)),
        _ if resource.is_custom() => snapshot_rules::check(resource, old, new)?,
        _ => {}
    }
    strip_nulls(new);
    Ok(())
}

fn set_claim_defaults(claim: &mut Value) {
    finalizers::add(claim, CLAIM_IN_USE);
    let spec = &mut claim["spec"];
    if spec["volumeMode"].is_null() {
        spec["volumeMode"] = json!("Filesystem");
    }
    // Old clients write the first field, new ones the second.
    for (from, to) in [("dataSource", "dataSourceRef"), ("dataSourceRef", "dataSource")] {
        if spec[to].is_null() {
            spec[to] = spec[from].clone();
        }
    }
}

fn admit_data(resource: &ResourceType, old: Option<&Value>, new: &mut Value) -> Result<(), StatusError> {
    let name = new["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let invalid = |causes| Err(StatusError::invalid(resource, &name, causes));
    if resource.kind == "Secret" {
        if new["type"].is_null() {
            new["type"] = json!("Opaque");
        }
        if let Value::Object(texts) = new["stringData"].take() {
            for (field, text) in texts {
                new["data"][field] = json!(STANDARD.encode(text.as_str().unwrap_or_default()));
            }
        }
    }
    strip_nulls(new);
    let mut size = 0;
    for part in ["data", "binaryData"] {
        for (field, value) in new[part].as_object().into_iter().flatten() {
            if field.is_empty() || !field.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
                let why = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'";
                return invalid(vec![Cause::invalid(format!("{part}[{field}]"), json!(field), why)]);
            }
            let text = value.as_str().unwrap_or_default();
            size += if part == "binaryData" || resource.kind == "Secret" {
                match STANDARD.decode(text) {
                    Ok(bytes) => bytes.len(),
                    Err(_) => return Err(StatusError::bad_request(format!("{part}.{field}: illegal base64 data"))),
                }
            } else {
                text.len()
            };
        }
    }
    if size > DATA_LIMIT {
        return invalid(vec![Cause::too_long("[]", DATA_LIMIT)]);
    }
    if let Some(old) = old.filter(|old| old["immutable"] == true) {
        let mut causes = Vec::new();
        let why = "field is immutable when `immutable` is set";
        if new["immutable"] != true {
            causes.push(Cause::forbidden("immutable", why));
        }
        for part in ["data", "binaryData"] {
            if new.get(part) != old.get(part) {
                causes.push(Cause::forbidden(part, why));
            }
        }
        if !causes.is_empty() {
            return invalid(causes);
        }
    }
    Ok(())
}

fn admit_workload(resource: &ResourceType, old: Option<&Value>, new: &mut Value) -> Result<(), StatusError> {
    let name = new["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let labels = new["spec"]["template"]["metadata"]["labels"].clone();
    let spec = &mut new["spec"];
    if spec["replicas"].is_null() {
        spec["replicas"] = json!(1);
    }
    if spec["replicas"].as_i64().is_none_or(|replicas| replicas < 0) {
        let cause = Cause::invalid("spec.replicas", &spec["replicas"], "must be greater than or equal to 0");
        return Err(StatusError::invalid(resource, &name, vec![cause]));
    }
    let selector = if resource.kind == "ReplicationController" {
        if spec["selector"].is_null() {
            spec["selector"] = labels.clone();
        }
        &spec["selector"]
    } else {
        &spec["selector"]["matchLabels"]
    };
    if selector.is_null() {
        return Err(StatusError::invalid(resource, &name, vec![Cause::required("spec.selector", "")]));
    }
    if !super::selector::equality_matches(selector, &labels) {
        let why = "`selector` does not match template `labels`";
        let cause = Cause::invalid("spec.template.metadata.labels", &labels, why);
        return Err(StatusError::invalid(resource, &name, vec![cause]));
    }
    let is_fixed = resource.kind != "ReplicationController";
    if is_fixed && old.is_some_and(|old| old["spec"]["selector"] != spec["selector"]) {
        let cause = Cause::invalid("spec.selector", &spec["selector"], "field is immutable");
        return Err(StatusError::invalid(resource, &name, vec![cause]));
    }
    Ok(())
}
