//! Deletes what has lost its owner.

use std::collections::HashSet;

use serde_json::Value;

use super::{Snapshot, is_terminating, uid};
use crate::kubernetes::objects;
use crate::kubernetes::resource_types::RESOURCE_TYPES;
use crate::kubernetes::store::State;

/// Deletes every object none of whose owners exists any more.
pub(super) fn collect(state: &mut State) {
    let living: HashSet<String> = state.all().map(|(_, object)| uid(object).to_owned()).collect();
    let orphaned = |object: &Value| {
        let owners = object["metadata"]["ownerReferences"].as_array().filter(|owners| !owners.is_empty());
        owners.is_some_and(|owners| {
            owners.iter().all(|owner| !living.contains(owner["uid"].as_str().unwrap_or_default()))
        })
    };
    let orphans: Snapshot = state
        .all()
        .filter(|(_, object)| orphaned(object) && !is_terminating(object))
        .map(|(key, object)| (key.clone(), object.clone()))
        .collect();
    for (key, _) in orphans {
        if let Some(resource) = RESOURCE_TYPES.iter().find(|it| it.group == key.group && it.plural == key.plural) {
            // It was there a moment ago under the same lock, and no precondition is given.
            let _ = objects::delete(state, resource, &key, &Value::Null, false);
        }
    }
}
