//! VolumeSnapshots: each gets a class, finalizers and a content, and shows what its content's status says.

use serde_json::{Value, json};
use tokio::time::Instant;

use super::events::{self, Kind};
use super::finalizers::{self, CLAIM_AS_SOURCE, SNAPSHOT_AS_SOURCE, SNAPSHOT_BOUND};
use super::pace::{Paces, Step, StorageTiming};
use super::quantity;
use super::snapshot_sources::{self as sources, content_name};
use super::{is_terminating, snapshot, store_or_finish, text, uid};
use crate::kubernetes::objects::{self, now};
use crate::kubernetes::resource_types;
use crate::kubernetes::store::{ObjectKey, State};

/// Marks a content whose snapshot is being deleted.
pub(super) const BEING_DELETED: &str = "snapshot.storage.kubernetes.io/volumesnapshot-being-deleted";

/// One step for each snapshot whose time has come. Returns when the next is due.
pub(super) fn reconcile(state: &mut State, paces: &mut Paces, timing: StorageTiming) -> Option<Instant> {
    let snapshots = snapshot(state, resource_types::named("volumesnapshots"));
    for (key, object) in &snapshots {
        if paces.is_due(object, timing) {
            let step = look(state, key, object);
            paces.note(state, key, object, step, timing);
        }
    }
    paces.next(snapshots.iter().map(|(_, object)| &**object))
}

/// Why a look ends: a failure that is told in the status and in an event.
pub(super) struct Failure {
    pub(super) reason: &'static str,
    pub(super) message: String,
    /// Whether `readyToUse` becomes false with it.
    pub(super) unready: bool,
}

impl Failure {
    pub(super) fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Failure { reason, message: message.into(), unready: true }
    }
}

fn look(state: &mut State, key: &ObjectKey, object: &Value) -> Step {
    match advance(state, key, object) {
        Ok(step) => step,
        Err(failure) => {
            fail(state, key, object, &failure);
            Step::Retry
        }
    }
}

fn fail(state: &mut State, key: &ObjectKey, object: &Value, failure: &Failure) {
    if object["status"]["error"]["message"] == failure.message.as_str() {
        return;
    }
    let mut failed = Value::clone(object);
    failed["status"]["error"] = json!({"time": now(), "message": failure.message});
    if failure.unready {
        failed["status"]["readyToUse"] = json!(false);
    }
    state.put(key.clone(), failed);
    events::tell(state, object, Kind::Warning, failure.reason, &failure.message);
}

fn advance(state: &mut State, key: &ObjectKey, object: &Value) -> Result<Step, Failure> {
    if !is_terminating(object)
        && let Some(name) = sources::class(state, object)?
    {
        let mut classified = Value::clone(object);
        classified["spec"]["volumeSnapshotClassName"] = json!(name);
        classified["metadata"]["generation"] = json!(object["metadata"]["generation"].as_u64().unwrap_or(1) + 1);
        state.put(key.clone(), classified);
        return Ok(Step::Moved);
    }
    release_claim(state, object, false);
    if is_terminating(object) {
        return delete(state, key, object);
    }
    let content = sources::content(state, object).inspect_err(|failure| {
        let message = format!("Failed to check and update snapshot: {}", failure.message);
        events::tell(state, object, Kind::Warning, "SnapshotFinalizerError", &message);
    })?;
    let deletes = content.as_ref().is_some_and(|it| it["spec"]["deletionPolicy"] == "Delete");
    let bound = object["status"]["boundVolumeSnapshotContentName"].is_string();
    let mut protected = Value::clone(object);
    if finalizers::add(&mut protected, SNAPSHOT_AS_SOURCE)
        | (bound && deletes && finalizers::add(&mut protected, SNAPSHOT_BOUND))
    {
        state.put(key.clone(), protected);
        return Ok(Step::Moved);
    }
    if bound && object["status"]["readyToUse"] == true {
        return check_binding(state, object).map(|()| Step::Rest);
    }
    if object["spec"]["source"]["volumeSnapshotContentName"].is_string() {
        let content =
            content.ok_or_else(|| Failure::new("SnapshotContentMissing", "VolumeSnapshotContent is missing"))?;
        return Ok(match bind(state, object, &content) {
            true => Step::Moved,
            false => show(state, key, object, &content),
        });
    }
    match content {
        Some(content) => Ok(show(state, key, object, &content)),
        None => create_content(state, object).map(|()| Step::Moved).map_err(|message| {
            let message = format!("Failed to create snapshot content with error {message}");
            Failure::new("SnapshotContentCreationFailed", message)
        }),
    }
}

fn check_binding(state: &State, object: &Value) -> Result<(), Failure> {
    let name = text(&object["status"], "boundVolumeSnapshotContentName");
    let content = sources::content_named(state, name)
        .ok_or_else(|| Failure::new("SnapshotContentMissing", "VolumeSnapshotContent is missing"))?;
    if content["spec"]["volumeSnapshotRef"]["uid"] != uid(object) {
        let message = "VolumeSnapshotContent is not bound to the VolumeSnapshot correctly";
        return Err(Failure::new("SnapshotMisbound", message));
    }
    Ok(())
}

/// Writes the snapshot's uid, and its class if it names one, into a content that was made by hand.
fn bind(state: &mut State, object: &Value, content: &Value) -> bool {
    let spec = &content["spec"];
    let class = &object["spec"]["volumeSnapshotClassName"];
    let bound = spec["volumeSnapshotRef"]["uid"].is_string();
    if bound && (spec["volumeSnapshotClassName"].is_string() || class.is_null()) {
        return false;
    }
    let mut content = Value::clone(content);
    content["spec"]["volumeSnapshotRef"]["uid"] = object["metadata"]["uid"].clone();
    if class.is_string() {
        content["spec"]["volumeSnapshotClassName"] = class.clone();
    }
    content["metadata"]["generation"] = json!(content["metadata"]["generation"].as_u64().unwrap_or(1) + 1);
    state.put(sources::content_key(text(&content["metadata"], "name")), content);
    true
}

fn create_content(state: &mut State, object: &Value) -> Result<(), String> {
    sources::protect_claim(state, object)?;
    let inputs = sources::class_and_volume(state, object);
    let (class, volume) =
        inputs.map_err(|why| format!("failed to get input parameters to create snapshot {}: {why:?}", name(object)))?;
    let volume_name = text(&volume["metadata"], "name");
    let handle = volume["spec"]["csi"]["volumeHandle"]
        .as_str()
        .ok_or_else(|| format!("cannot find CSI PersistentVolumeSource for volume {volume_name}"))?;
    let content = json!({
        "metadata": {"name": content_name(object)},
        "spec": {
            "deletionPolicy": class["deletionPolicy"],
            "driver": class["driver"],
            "source": {"volumeHandle": handle},
            "sourceVolumeMode": volume["spec"]["volumeMode"],
            "volumeSnapshotClassName": class["metadata"]["name"],
            "volumeSnapshotRef": {
                "apiVersion": object["apiVersion"],
                "kind": object["kind"],
                "name": object["metadata"]["name"],
                "namespace": object["metadata"]["namespace"],
                "resourceVersion": object["metadata"]["resourceVersion"],
                "uid": object["metadata"]["uid"],
            },
        },
    });
    let contents = resource_types::named("volumesnapshotcontents");
    objects::create(state, contents, "", content, false, false).map_err(|error| error.message)?;
    let message = format!("Waiting for a snapshot {} to be created by the CSI driver.", full_name(object));
    events::tell(state, object, Kind::Normal, "CreatingSnapshot", &message);
    Ok(())
}

fn name(object: &Value) -> &str {
    text(&object["metadata"], "name")
}

fn full_name(object: &Value) -> String {
    format!("{}/{}", text(&object["metadata"], "namespace"), name(object))
}

/// Brings a content's status into its snapshot's.
fn show(state: &mut State, key: &ObjectKey, object: &Value, content: &Value) -> Step {
    let (old, from) = (&object["status"], &content["status"]);
    let mut new = old.clone();
    if new["boundVolumeSnapshotContentName"].is_null() {
        new["boundVolumeSnapshotContentName"] = content["metadata"]["name"].clone();
    }
    if let (true, Some(time)) = (new["creationTime"].is_null(), from["creationTime"].as_i64()) {
        let time = jiff::Timestamp::from_nanosecond(i128::from(time)).unwrap_or_default();
        new["creationTime"] = json!(time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    }
    new["readyToUse"] = json!(from["readyToUse"] == true);
    if let (true, Some(bytes)) = (new["restoreSize"].is_null(), from["restoreSize"].as_u64()) {
        new["restoreSize"] = json!(quantity::text(bytes));
    }
    new["error"] = from["error"].clone();
    objects::strip_nulls(&mut new);
    if new == *old {
        return Step::Rest;
    }
    if old["creationTime"].is_null() && !new["creationTime"].is_null() {
        let message = format!("Snapshot {} was successfully created by the CSI driver.", full_name(object));
        events::tell(state, object, Kind::Normal, "SnapshotCreated", &message);
    }
    if new["readyToUse"] == true {
        let message = format!("Snapshot {} is ready to use.", full_name(object));
        events::tell(state, object, Kind::Normal, "SnapshotReady", &message);
    }
    let mut shown = Value::clone(object);
    shown["status"] = new;
    state.put(key.clone(), shown);
    Step::Moved
}

/// Takes the finalizer off the source claim, unless a snapshot that is not ready yet still needs it.
fn release_claim(state: &mut State, object: &Value, without_this: bool) {
    let Some((claim_key, claim)) = sources::claim(state, object) else { return };
    let claim_name = claim_key.name.as_str();
    let needed = snapshot(state, resource_types::named("volumesnapshots")).iter().any(|(_, other)| {
        other["metadata"]["namespace"] == object["metadata"]["namespace"]
            && other["spec"]["source"]["persistentVolumeClaimName"] == claim_name
            && other["status"]["readyToUse"] != true
            && !(without_this && uid(other) == uid(object))
    });
    let mut released = Value::clone(&claim);
    if !needed && finalizers::remove(&mut released, CLAIM_AS_SOURCE) {
        store_or_finish(state, &claim_key, released);
    }
}

fn delete(state: &mut State, key: &ObjectKey, object: &Value) -> Result<Step, Failure> {
    if !finalizers::has(object, SNAPSHOT_AS_SOURCE) && !finalizers::has(object, SNAPSHOT_BOUND) {
        return Ok(Step::Rest);
    }
    let bound = object["status"]["boundVolumeSnapshotContentName"].as_str().map(str::to_owned);
    let content = sources::content_named(state, &bound.unwrap_or_else(|| content_name(object)))
        .filter(|content| content["spec"]["volumeSnapshotRef"]["uid"] == uid(object));
    if content.is_some() && sources::is_being_restored(state, object) {
        let message = "Snapshot is being used to restore a PVC";
        events::tell(state, object, Kind::Warning, "SnapshotDeletePending", message);
        return Ok(Step::Retry);
    }
    let deletes = content.as_ref().is_some_and(|content| content["spec"]["deletionPolicy"] == "Delete");
    if let Some(content) = content {
        let content_key = sources::content_key(text(&content["metadata"], "name"));
        if content["metadata"]["annotations"][BEING_DELETED].is_null() {
            let mut marked = Value::clone(&content);
            marked["metadata"]["annotations"][BEING_DELETED] = json!("yes");
            state.put(content_key, marked);
            return Ok(Step::Moved);
        }
        if deletes && !is_terminating(&content) {
            let contents = resource_types::named("volumesnapshotcontents");
            // It was there a moment ago under the same lock, and no precondition is given.
            let _ = objects::delete(state, contents, &content_key, &Value::Null, false);
            return Ok(Step::Moved);
        }
    }
    release_claim(state, object, true);
    let mut freed = Value::clone(object);
    if finalizers::remove(&mut freed, SNAPSHOT_AS_SOURCE) | (!deletes && finalizers::remove(&mut freed, SNAPSHOT_BOUND))
    {
        store_or_finish(state, key, freed);
        return Ok(Step::Moved);
    }
    Ok(Step::Rest)
}
