//! The documents that tell clients what is served.

use serde_json::{Value, json};

use super::resource_types::{RESOURCE_TYPES, ResourceType, SNAPSHOTS};

const REVIEWS: &str = "authorization.k8s.io";

/// Whether a path that has no document is below the path of a group that is served.
pub(crate) fn is_in_a_group(path: &str, snapshots: bool) -> bool {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    match parts[..] {
        ["api", "v1", _, ..] => true,
        ["apis", group, _, _, ..] => {
            groups().iter().any(|(name, _)| *name == group) && (snapshots || group != SNAPSHOTS)
        }
        _ => false,
    }
}

/// The document of a path, if it is one of discovery, health or version. Health answers are plain text.
///
/// Without `snapshots` the group of volume snapshots is left out.
pub(crate) fn document(path: &str, git_version: &str, snapshots: bool) -> Option<Value> {
    let groups = || groups().into_iter().filter(move |(name, _)| snapshots || *name != SNAPSHOTS);
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    match parts[..] {
        ["healthz" | "livez" | "readyz"] => Some(json!("ok")),
        ["version"] => Some(version(git_version)),
        ["api"] => Some(json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})),
        ["apis"] => {
            let groups: Vec<Value> = groups().map(|(name, version)| group(name, version)).collect();
            Some(json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}))
        }
        ["apis", name] => {
            let (name, version) = groups().find(|(group, _)| *group == name)?;
            let mut document = group(name, version);
            document["kind"] = json!("APIGroup");
            document["apiVersion"] = json!("v1");
            Some(document)
        }
        ["api", "v1"] => Some(resources("", "v1")),
        ["apis", name, version] if groups().any(|it| it == (name, version)) => Some(resources(name, version)),
        _ => None,
    }
}

fn version(git_version: &str) -> Value {
    let mut numbers = git_version.trim_start_matches('v').split('.');
    json!({
        "major": numbers.next().unwrap_or_default(),
        "minor": numbers.next().unwrap_or_default(),
        "gitVersion": git_version,
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "",
        "platform": "linux/amd64",
    })
}

fn groups() -> Vec<(&'static str, &'static str)> {
    let mut groups: Vec<_> = RESOURCE_TYPES.iter().map(|it| (it.group, it.version)).collect();
    groups.retain(|(group, _)| !group.is_empty());
    groups.dedup();
    groups.push((REVIEWS, "v1"));
    groups
}

fn group(name: &str, version: &str) -> Value {
    let version = json!({"groupVersion": format!("{name}/{version}"), "version": version});
    json!({"name": name, "versions": [version.clone()], "preferredVersion": version})
}

fn resources(group: &str, version: &str) -> Value {
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    let mut resources: Vec<Value> = RESOURCE_TYPES
        .iter()
        .filter(|it| it.group == group && it.version == version)
        .flat_map(resource_with_parts)
        .collect();
    if group == REVIEWS {
        for (name, kind) in [
            ("selfsubjectaccessreviews", "SelfSubjectAccessReview"),
            ("selfsubjectrulesreviews", "SelfSubjectRulesReview"),
        ] {
            resources.push(
                json!({"name": name, "singularName": "", "namespaced": false, "kind": kind, "verbs": ["create"]}),
            );
        }
    }
    json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources})
}

fn resource_with_parts(resource: &ResourceType) -> Vec<Value> {
    let part = |name: String, kind: &str, verbs: Value| {
        json!({
            "name": name,
            "singularName": if kind == resource.kind && verbs.as_array().is_some_and(|it| it.len() > 3) { resource.singular } else { "" },
            "namespaced": resource.namespaced,
            "kind": kind,
            "verbs": verbs,
        })
    };
    let verbs = json!(["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]);
    let mut parts = vec![part(resource.plural.to_owned(), resource.kind, verbs)];
    let some_verbs = json!(["get", "patch", "update"]);
    if resource.status {
        parts.push(part(format!("{}/status", resource.plural), resource.kind, some_verbs.clone()));
    }
    if resource.scale {
        let mut scale = part(format!("{}/scale", resource.plural), "Scale", some_verbs);
        scale["group"] = json!("autoscaling");
        scale["version"] = json!("v1");
        parts.push(scale);
    }
    if resource.kind == "Pod" {
        parts.push(part("pods/portforward".to_owned(), "PodPortForwardOptions", json!(["create", "get"])));
    }
    parts
}
