//! Claims that pods use and volumes that claims are bound to do not go when they are deleted, but when nobody needs them.

use serde_json::Value;

use super::finalizers::{self, CLAIM_IN_USE, VOLUME_IN_USE};
use super::{is_terminating, snapshot, store_or_finish, text};
use crate::kubernetes::resource_types;
use crate::kubernetes::store::State;

/// Lets go of what is to be deleted and in no use any more.
pub(super) fn reconcile(state: &mut State) {
    for (plural, finalizer) in [("persistentvolumeclaims", CLAIM_IN_USE), ("persistentvolumes", VOLUME_IN_USE)] {
        for (key, object) in snapshot(state, resource_types::named(plural)) {
            let mut freed = Value::clone(&object);
            if is_terminating(&object) && !is_used(state, &object) && finalizers::remove(&mut freed, finalizer) {
                store_or_finish(state, &key, freed);
            }
        }
    }
}

fn is_used(state: &State, object: &Value) -> bool {
    if object["kind"] == "PersistentVolume" {
        return object["status"]["phase"] == "Bound";
    }
    has_pod(state, object)
}

/// Whether a pod that has not ended asks for a claim.
pub(super) fn has_pod(state: &State, claim: &Value) -> bool {
    let metadata = &claim["metadata"];
    state.list(resource_types::named("pods"), Some(text(metadata, "namespace"))).any(|(_, pod)| {
        let ended = pod["status"]["phase"] == "Succeeded" || pod["status"]["phase"] == "Failed";
        let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
        !ended && volumes.into_iter().any(|it| it["persistentVolumeClaim"]["claimName"] == metadata["name"])
    })
}
