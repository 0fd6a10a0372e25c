//! Claims and volumes that name each other become bound; a volume whose claim is gone is released.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{is_terminating, put_if_changed, snapshot, text, uid};
use crate::kubernetes::csi::CSI_DRIVER;
use crate::kubernetes::resource_types;
use crate::kubernetes::store::{ObjectKey, State};

/// Binds what can be bound.
pub(super) fn reconcile(state: &mut State) {
    for (key, claim) in snapshot(state, resource_types::named("persistentvolumeclaims")) {
        let pending = claim["status"]["phase"] == "Pending" && !is_terminating(&claim);
        if let Some((volume_key, volume)) = volume_for(state, &claim).filter(|_| pending) {
            bind(state, &key, &claim, &volume_key, &volume);
        }
    }
    for (key, volume) in snapshot(state, resource_types::named("persistentvolumes")) {
        let mut changed = Value::clone(&volume);
        let reference = &volume["spec"]["claimRef"];
        if volume["status"]["phase"] == "Pending" && reference.is_null() {
            changed["status"]["phase"] = json!("Available");
        } else if volume["status"]["phase"] == "Bound" {
            let claim = claim_of(state, reference);
            if reference["uid"].is_string() {
                if claim.is_none_or(|claim| reference["uid"] != uid(&claim)) {
                    changed["status"]["phase"] = json!("Released");
                }
            } else if let Some(claim) = claim.filter(|_| volume["spec"]["csi"]["driver"] == CSI_DRIVER) {
                // Made as bound, by hand: from now on another claim of this name is not taken for it.
                changed["spec"]["claimRef"]["uid"] = claim["metadata"]["uid"].clone();
            }
        }
        put_if_changed(state, &key, changed);
    }
}

fn claim_of(state: &State, reference: &Value) -> Option<Arc<Value>> {
    let claims = resource_types::named("persistentvolumeclaims");
    state.get(&ObjectKey::new(claims, text(reference, "namespace"), text(reference, "name"))).cloned()
}

/// The volume that a claim names, or that names the claim.
fn volume_for(state: &State, claim: &Value) -> Option<(ObjectKey, Arc<Value>)> {
    let wanted = claim["spec"]["volumeName"].as_str();
    let metadata = &claim["metadata"];
    let named = |volume: &Value| {
        let reference = &volume["spec"]["claimRef"];
        reference["name"] == metadata["name"]
            && reference["namespace"] == metadata["namespace"]
            && (reference["uid"].is_null() || reference["uid"] == metadata["uid"])
    };
    let free = |volume: &Value| volume["spec"]["claimRef"].is_null() || named(volume);
    let mut volumes = state.list(resource_types::named("persistentvolumes"), None);
    let found = match wanted {
        Some(name) => volumes.find(|(key, volume)| key.name == name && free(volume)),
        None => volumes.find(|(_, volume)| named(volume)),
    };
    found
        .filter(|(_, volume)| !is_terminating(volume) && volume["status"]["phase"] != "Released")
        .map(|(key, volume)| (key.clone(), volume.clone()))
}

fn bind(state: &mut State, key: &ObjectKey, claim: &Value, volume_key: &ObjectKey, volume: &Value) {
    let mut bound_volume = Value::clone(volume);
    bound_volume["spec"]["claimRef"] = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "name": claim["metadata"]["name"],
        "namespace": claim["metadata"]["namespace"],
        "uid": claim["metadata"]["uid"],
    });
    bound_volume["status"] = json!({"phase": "Bound"});
    state.put(volume_key.clone(), bound_volume);
    let mut bound = Value::clone(claim);
    let annotations = &mut bound["metadata"]["annotations"];
    annotations["pv.kubernetes.io/bind-completed"] = json!("yes");
    if claim["spec"]["volumeName"].is_null() {
        annotations["pv.kubernetes.io/bound-by-controller"] = json!("yes");
    }
    bound["spec"]["volumeName"] = volume["metadata"]["name"].clone();
    bound["status"] = json!({
        "phase": "Bound",
        "accessModes": volume["spec"]["accessModes"],
        "capacity": volume["spec"]["capacity"],
    });
    state.put(key.clone(), bound);
}
