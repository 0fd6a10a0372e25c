//! Who may do what: the permissions that Google's reference names under "IAM Permissions" of each method.

use serde_json::{Value, json};

use super::answer::Refused;
use super::state::{HOST, State};
use super::target::Target;

/// What a call needs, each permission with the path of what it is needed on.
fn needed(target: &Target, body: &Value) -> Vec<(&'static str, String)> {
    let (path, project) = (target.path(), format!("projects/{}", target.project));
    let labelled = body["labels"].as_object().is_some_and(|labels| !labels.is_empty());
    let made = |collection: &str| {
        let name = body["name"].as_str().unwrap_or_default();
        format!(
            "{}/{collection}/{name}",
            if collection == "snapshots" { format!("{project}/global") } else { target.place() }
        )
    };
    match (target.collection.as_str(), target.verb()) {
        ("disks", "get") => vec![("compute.disks.get", path)],
        ("disks", "delete") => vec![("compute.disks.delete", path)],
        ("disks", "insert") => {
            let mut needed = vec![("compute.disks.create", made("disks"))];
            if labelled {
                needed.push(("compute.disks.setLabels", made("disks")));
            }
            if let Some(link) = body["sourceSnapshot"].as_str() {
                let snapshot = link.strip_prefix(HOST).unwrap_or(link).to_owned();
                needed.push(("compute.snapshots.useReadOnly", snapshot));
            }
            needed
        }
        ("disks", "createSnapshot") => {
            let mut needed =
                vec![("compute.disks.createSnapshot", path), ("compute.snapshots.create", made("snapshots"))];
            if labelled {
                needed.push(("compute.snapshots.setLabels", made("snapshots")));
            }
            needed
        }
        ("snapshots", "get") => vec![("compute.snapshots.get", path)],
        ("snapshots", "list") => vec![("compute.snapshots.list", project)],
        ("snapshots", "delete") => vec![("compute.snapshots.delete", path)],
        ("snapshots", "setLabels") => vec![("compute.snapshots.setLabels", path)],
        ("operations", _) => match target.call.split_once('.').map_or("", |(service, _)| service) {
            "zoneOperations" => vec![("compute.zoneOperations.get", path)],
            "regionOperations" => vec![("compute.regionOperations.get", path)],
            _ => vec![("compute.globalOperations.get", path)],
        },
        _ => Vec::new(),
    }
}

impl State {
    /// Whether there is a token that this server knows.
    pub(super) fn authenticate(&self, authorization: Option<&str>) -> Result<(), Refused> {
        let known = match authorization {
            None => self.options.anonymous,
            Some(value) => value.strip_prefix("Bearer ").is_some_and(|token| self.knows(token)),
        };
        if known && !self.expired {
            return Ok(());
        }
        let message = "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid \
                       authentication credential.";
        Err(Refused::new(401, "authError", message))
    }

    fn knows(&self, token: &str) -> bool {
        token == self.options.token || self.options.other_tokens.as_ref().is_some_and(|good| good(token))
    }

    pub(super) fn authorize(&mut self, target: &Target, body: &Value) -> Result<(), Refused> {
        for (permission, path) in needed(target, body) {
            if !self.has(permission) {
                let message = format!("Required '{permission}' permission for '{path}'");
                return Err(Refused::new(403, "forbidden", message));
            }
            self.used.insert(permission.to_owned());
        }
        Ok(())
    }

    fn has(&self, permission: &str) -> bool {
        let granted = self.granted.as_ref().is_none_or(|granted| granted.contains(permission));
        granted && !self.denied.contains(permission)
    }

    /// `testIamPermissions` of a disk or a snapshot: those of the asked permissions that there are.
    pub(super) fn test_permissions(&self, target: &Target, body: &Value) -> Result<Value, Refused> {
        let path = target.path();
        let is_there = self.disks.contains_key(&path) || self.snapshots.contains_key(&path);
        if !is_there {
            return Err(Refused::not_found(&path));
        }
        let asked: Vec<&str> = body["permissions"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let of_this = format!("compute.{}.", target.collection);
        let creates =
            ["compute.disks.create", "compute.snapshots.create", "compute.snapshots.list", "compute.disks.list"];
        if let Some(wrong) = asked.iter().find(|asked| !asked.starts_with(&of_this) || creates.contains(asked)) {
            return Err(Refused::new(400, "badRequest", format!("Permission {wrong} is not valid for this resource.")));
        }
        let held: Vec<&str> = asked.into_iter().filter(|permission| self.has(permission)).collect();
        Ok(if held.is_empty() { json!({}) } else { json!({ "permissions": held }) })
    }
}
