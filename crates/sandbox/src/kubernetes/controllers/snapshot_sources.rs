//! What a VolumeSnapshot is made from: its class, its content, its claim and that claim's volume.

use std::sync::Arc;

use serde_json::Value;

use super::finalizers::{self, CLAIM_AS_SOURCE};
use super::snapshots::Failure;
use super::{is_terminating, text, uid};
use crate::kubernetes::resource_types::{self, SNAPSHOTS};
use crate::kubernetes::store::{ObjectKey, State};

const DEFAULT_CLASS: &str = "snapshot.storage.kubernetes.io/is-default-class";

/// The key of a content.
pub(super) fn content_key(name: &str) -> ObjectKey {
    ObjectKey::new(resource_types::named("volumesnapshotcontents"), "", name)
}

pub(super) fn content_named(state: &State, name: &str) -> Option<Arc<Value>> {
    state.get(&content_key(name)).cloned()
}

/// The name of the content that is made for a snapshot.
pub(super) fn content_name(object: &Value) -> String {
    format!("snapcontent-{}", uid(object))
}

/// Checks the class that a snapshot names. For one without a class, returns the default class that it gets.
pub(super) fn class(state: &State, object: &Value) -> Result<Option<String>, Failure> {
    let failure = |reason, message| Failure { reason, message, unready: false };
    if let Some(name) = object["spec"]["volumeSnapshotClassName"].as_str() {
        let found = named_class(state, name);
        return found.map(|_| None).map_err(|why| {
            failure("GetSnapshotClassFailed", format!("Failed to get snapshot class with error {why}"))
        });
    }
    if object["spec"]["source"]["volumeSnapshotContentName"].is_string() {
        return Ok(None);
    }
    default_class(state, object).map(Some).map_err(|why| {
        failure("SetDefaultSnapshotClassFailed", format!("Failed to set default snapshot class with error {why}"))
    })
}

fn named_class(state: &State, name: &str) -> Result<Arc<Value>, String> {
    let resource = resource_types::named("volumesnapshotclasses");
    let class = state.get(&ObjectKey::new(resource, "", name)).cloned();
    class.ok_or_else(|| format!("{}.{} \"{name}\" not found", resource.singular, resource.group))
}

fn default_class(state: &State, object: &Value) -> Result<String, String> {
    let volume = volume(state, object)?;
    let metadata = &object["metadata"];
    let (namespace, name) = (text(metadata, "namespace"), text(metadata, "name"));
    let driver = volume["spec"]["csi"]["driver"]
        .as_str()
        .ok_or_else(|| format!("snapshotting non-CSI volumes is not supported, snapshot:{namespace}/{name}"))?;
    let classes = state
        .list(resource_types::named("volumesnapshotclasses"), None)
        .filter(|(_, class)| class["metadata"]["annotations"][DEFAULT_CLASS] == "true" && class["driver"] == driver);
    let names: Vec<&str> = classes.map(|(key, _)| key.name.as_str()).collect();
    match names[..] {
        [] => Err("cannot find default snapshot class".to_owned()),
        [name] => Ok(name.to_owned()),
        _ => Err(format!("{} default snapshot classes were found", names.len())),
    }
}

/// The claim that a snapshot is cut from, if there is one.
pub(super) fn claim(state: &State, object: &Value) -> Option<(ObjectKey, Arc<Value>)> {
    let name = object["spec"]["source"]["persistentVolumeClaimName"].as_str()?;
    let namespace = text(&object["metadata"], "namespace");
    let key = ObjectKey::new(resource_types::named("persistentvolumeclaims"), namespace, name);
    let claim = state.get(&key).cloned()?;
    Some((key, claim))
}

/// Puts the finalizer on the source claim.
pub(super) fn protect_claim(state: &mut State, object: &Value) -> Result<(), String> {
    let refused =
        |name: &str, why: &str| Err(format!("snapshot controller failed to update {name} on API server: {why}"));
    let Some((key, claim)) = claim(state, object) else {
        return refused(text(&object["metadata"], "name"), "cannot get claim from snapshot");
    };
    let mut protected = Value::clone(&claim);
    if !finalizers::add(&mut protected, CLAIM_AS_SOURCE) {
        return Ok(());
    }
    if is_terminating(&claim) {
        return refused(&key.name, "cannot add finalizer on claim because it is being deleted");
    }
    state.put(key, protected);
    Ok(())
}

/// The volume behind a snapshot's source claim.
fn volume(state: &State, object: &Value) -> Result<Arc<Value>, String> {
    let claim_name = text(&object["spec"]["source"], "persistentVolumeClaimName");
    let Some((_, claim)) = claim(state, object) else {
        let why = format!("persistentvolumeclaim \"{claim_name}\" not found");
        return Err(format!("failed to retrieve PVC {claim_name} from the lister: {why:?}"));
    };
    if claim["status"]["phase"] != "Bound" {
        return Err(format!("the PVC {claim_name} is not yet bound to a PV, will not attempt to take a snapshot"));
    }
    let name = text(&claim["spec"], "volumeName");
    let volume = state.get(&ObjectKey::new(resource_types::named("persistentvolumes"), "", name)).cloned();
    let volume = volume.ok_or_else(|| {
        let why = format!("persistentvolumes \"{name}\" not found");
        format!("failed to retrieve PV {name} from the API server: {why:?}")
    })?;
    let reference = &volume["spec"]["claimRef"];
    let same = reference["name"] == claim_name
        && reference["namespace"] == claim["metadata"]["namespace"]
        && (reference["uid"].is_null() || reference["uid"] == claim["metadata"]["uid"]);
    if same { Ok(volume) } else { Err("claim in dataSource not bound or invalid".to_owned()) }
}

/// What a content is made from.
pub(super) fn class_and_volume(state: &State, object: &Value) -> Result<(Arc<Value>, Arc<Value>), String> {
    let class = named_class(state, text(&object["spec"], "volumeSnapshotClassName"))?;
    Ok((class, volume(state, object)?))
}

/// The content of a snapshot: the one that it names, or the one that was made for it; `None` when there is none yet.
pub(super) fn content(state: &State, object: &Value) -> Result<Option<Arc<Value>>, Failure> {
    let named = object["spec"]["source"]["volumeSnapshotContentName"].as_str();
    let name = named.map_or_else(|| content_name(object), str::to_owned);
    let Some(content) = content_named(state, &name) else { return Ok(None) };
    let source = &content["spec"]["source"];
    if named.is_some() && source["snapshotHandle"].is_null() {
        let message = "VolumeSnapshotContent is dynamically provisioned while expecting a pre-provisioned one";
        return Err(Failure::new("SnapshotContentMismatch", message));
    }
    if named.is_none() && source["volumeHandle"].is_null() {
        let message =
            format!("VolumeSnapshotContent {name} is pre-provisioned while expecting a dynamically provisioned one");
        return Err(Failure::new("SnapshotContentMismatch", message));
    }
    let (reference, metadata) = (&content["spec"]["volumeSnapshotRef"], &object["metadata"]);
    let same = reference["name"] == metadata["name"]
        && reference["namespace"] == metadata["namespace"]
        && (reference["uid"] == metadata["uid"] || (named.is_some() && reference["uid"].is_null()));
    if !same {
        let message = format!("VolumeSnapshotContent [{name}] is bound to a different snapshot");
        return Err(Failure::new("SnapshotContentMisbound", message));
    }
    Ok(Some(content))
}

/// Whether a claim is waiting to be made from this snapshot.
pub(super) fn is_being_restored(state: &State, object: &Value) -> bool {
    let metadata = &object["metadata"];
    let claims = resource_types::named("persistentvolumeclaims");
    state.list(claims, Some(text(metadata, "namespace"))).any(|(_, claim)| {
        let source = &claim["spec"]["dataSource"];
        source["kind"] == "VolumeSnapshot"
            && source["apiGroup"] == SNAPSHOTS
            && source["name"] == metadata["name"]
            && claim["status"]["phase"] == "Pending"
    })
}
