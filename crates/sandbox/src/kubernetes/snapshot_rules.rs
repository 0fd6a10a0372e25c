//! What volume snapshots, their contents and their classes must satisfy: the rules of their CustomResourceDefinitions.

use serde_json::{Value, json};

use super::resource_types::ResourceType;
use super::status::{Cause, StatusError};

/// Checks an object of the snapshot group against the rules of its kind, and against its former state where that binds it.
///
/// # Errors
///
/// 422 with every rule that is broken.
pub(crate) fn check(resource: &ResourceType, old: Option<&Value>, new: &Value) -> Result<(), StatusError> {
    let mut causes = Vec::new();
    match resource.kind {
        "VolumeSnapshot" => check_snapshot(old, new, &mut causes),
        "VolumeSnapshotContent" => check_content(old, new, &mut causes),
        _ => {
            require(new, "driver", "driver", &mut causes);
            check_policy(&new["deletionPolicy"], "deletionPolicy", &mut causes);
        }
    }
    if causes.is_empty() {
        return Ok(());
    }
    Err(StatusError::invalid(resource, new["metadata"]["name"].as_str().unwrap_or_default(), causes))
}

fn require(parent: &Value, field: &str, path: &str, causes: &mut Vec<Cause>) {
    if parent[field].is_null() {
        causes.push(Cause::required(path, ""));
    }
}

fn check_policy(policy: &Value, path: &str, causes: &mut Vec<Cause>) {
    if policy.is_null() {
        causes.push(Cause::required(path, ""));
    } else if policy != "Delete" && policy != "Retain" {
        causes.push(Cause::not_supported(path, policy, "\"Delete\", \"Retain\""));
    }
}

/// One of two fields is set, and stays what it was.
fn check_source(old: Option<&Value>, new: &Value, fields: [&str; 2], together: &str, causes: &mut Vec<Cause>) {
    let source = &new["spec"]["source"];
    if !source.is_object() {
        causes.push(Cause::required("spec.source", ""));
        return;
    }
    for field in fields {
        let before = old.map(|old| &old["spec"]["source"][field]).filter(|before| !before.is_null());
        if before.is_some_and(|_| source[field].is_null()) {
            causes.push(Cause::broken_rule("spec.source", &format!("{field} is required once set")));
        } else if before.is_some_and(|before| *before != source[field]) {
            let path = format!("spec.source.{field}");
            causes.push(Cause::invalid(path, &source[field], &format!("{field} is immutable")));
        }
    }
    if fields.iter().filter(|field| !source[**field].is_null()).count() != 1 {
        causes.push(Cause::broken_rule("spec.source", together));
    }
}

fn check_snapshot(old: Option<&Value>, new: &Value, causes: &mut Vec<Cause>) {
    let fields = ["persistentVolumeClaimName", "volumeSnapshotContentName"];
    let together = "exactly one of volumeSnapshotContentName and persistentVolumeClaimName must be set";
    check_source(old, new, fields, together, causes);
    if new["spec"]["volumeSnapshotClassName"] == "" {
        let why = "volumeSnapshotClassName must not be the empty string when set";
        causes.push(Cause::invalid("spec.volumeSnapshotClassName", json!(""), why));
    }
}

fn check_content(old: Option<&Value>, new: &Value, causes: &mut Vec<Cause>) {
    let spec = &new["spec"];
    require(spec, "driver", "spec.driver", causes);
    check_policy(&spec["deletionPolicy"], "spec.deletionPolicy", causes);
    let together = "exactly one of volumeHandle and snapshotHandle must be set";
    check_source(old, new, ["volumeHandle", "snapshotHandle"], together, causes);
    let reference = &spec["volumeSnapshotRef"];
    if reference.is_null() {
        causes.push(Cause::required("spec.volumeSnapshotRef", ""));
    } else if reference["name"].is_null() || reference["namespace"].is_null() {
        let rule = "both spec.volumeSnapshotRef.name and spec.volumeSnapshotRef.namespace must be set";
        causes.push(Cause::broken_rule("spec.volumeSnapshotRef", rule));
    }
    let before = old.map(|old| &old["spec"]["sourceVolumeMode"]).filter(|mode| !mode.is_null());
    if before.is_some_and(|_| spec["sourceVolumeMode"].is_null()) {
        causes.push(Cause::broken_rule("spec", "sourceVolumeMode is required once set"));
    } else if before.is_some_and(|before| *before != spec["sourceVolumeMode"]) {
        let path = "spec.sourceVolumeMode";
        causes.push(Cause::invalid(path, &spec["sourceVolumeMode"], "sourceVolumeMode is immutable"));
    }
}
