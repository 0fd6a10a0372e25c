//! Finalizers that hold claims, volumes, snapshots and their contents until they may go.

use serde_json::{Value, json};

/// On a VolumeSnapshot that may be restored into a claim.
pub(super) const SNAPSHOT_AS_SOURCE: &str = "snapshot.storage.kubernetes.io/volumesnapshot-as-source-protection";
/// On a VolumeSnapshot whose content goes with it.
pub(super) const SNAPSHOT_BOUND: &str = "snapshot.storage.kubernetes.io/volumesnapshot-bound-protection";
/// On a VolumeSnapshotContent that is bound.
pub(super) const CONTENT_BOUND: &str = "snapshot.storage.kubernetes.io/volumesnapshotcontent-bound-protection";
/// On a claim that a snapshot is being cut from.
pub(super) const CLAIM_AS_SOURCE: &str = "snapshot.storage.kubernetes.io/pvc-as-source-protection";

/// On every claim: a pod may be using it.
pub(in crate::kubernetes) const CLAIM_IN_USE: &str = "kubernetes.io/pvc-protection";
/// On every volume: a claim may be bound to it.
pub(in crate::kubernetes) const VOLUME_IN_USE: &str = "kubernetes.io/pv-protection";

/// Whether an object has a finalizer.
pub(super) fn has(object: &Value, finalizer: &str) -> bool {
    object["metadata"]["finalizers"].as_array().is_some_and(|all| all.iter().any(|it| it == finalizer))
}

/// Adds a finalizer. Returns false when it is there already.
pub(in crate::kubernetes) fn add(object: &mut Value, finalizer: &str) -> bool {
    if has(object, finalizer) {
        return false;
    }
    match object["metadata"]["finalizers"].as_array_mut() {
        Some(all) => all.push(json!(finalizer)),
        None => object["metadata"]["finalizers"] = json!([finalizer]),
    }
    true
}

/// Takes a finalizer off. Returns false when it is not there.
pub(super) fn remove(object: &mut Value, finalizer: &str) -> bool {
    let Some(all) = object["metadata"]["finalizers"].as_array_mut() else { return false };
    let before = all.len();
    all.retain(|it| it != finalizer);
    all.len() < before
}
