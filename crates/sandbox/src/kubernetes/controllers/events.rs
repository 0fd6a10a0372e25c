//! Events: what controllers tell about an object.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{text, uid};
use crate::kubernetes::objects::{self, now};
use crate::kubernetes::resource_types;
use crate::kubernetes::store::{ObjectKey, State};

/// How an event is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Normal,
    Warning,
}

/// Tells something about an object. The same thing told again is counted in the first event.
pub(super) fn tell(state: &mut State, object: &Value, kind: Kind, reason: &str, message: &str) {
    let metadata = &object["metadata"];
    let namespace = metadata["namespace"].as_str().unwrap_or("default");
    let hash = Sha256::digest(format!("{}\0{reason}\0{message}", uid(object)));
    let name = format!("{}.{}", text(metadata, "name"), hex::encode(&hash[..8]));
    let resource = resource_types::named("events");
    let key = ObjectKey::new(resource, namespace, &name);
    if let Some(event) = state.get(&key) {
        let mut event = Value::clone(event);
        event["count"] = json!(event["count"].as_u64().unwrap_or(1) + 1);
        event["lastTimestamp"] = json!(now());
        state.put(key, event);
        return;
    }
    let event = json!({
        "metadata": {"name": name},
        "involvedObject": {
            "apiVersion": object["apiVersion"],
            "kind": object["kind"],
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"],
        },
        "type": if kind == Kind::Normal { "Normal" } else { "Warning" },
        "reason": reason,
        "message": message,
        "count": 1,
        "firstTimestamp": now(),
        "lastTimestamp": now(),
    });
    if let Err(error) = objects::create(state, resource, namespace, event, false, false) {
        tracing::debug!(%error, reason, "an event could not be stored");
    }
}
