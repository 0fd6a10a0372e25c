//! VolumeSnapshotContents: the driver cuts what they ask for, and removes it with them.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::csi_calls::call;
use super::events::{self, Kind};
use super::finalizers::{self, CONTENT_BOUND};
use super::pace::{Paces, Step, StorageTiming};
use super::snapshots::BEING_DELETED;
use super::{is_terminating, snapshot, store_or_finish, text, uid};
use crate::kubernetes::csi::{CSI_DRIVER, CsiCall, CsiDriver, CsiError, Snapshot};
use crate::kubernetes::objects::{self, now};
use crate::kubernetes::resource_types;
use crate::kubernetes::store::{ObjectKey, State, Store};

/// Marks a content whose snapshot the driver may be cutting.
const BEING_CREATED: &str = "snapshot.storage.kubernetes.io/volumesnapshot-being-created";

/// Protects each content that is bound, whoever's driver it is for. Returns when the next one's time comes.
pub(super) fn reconcile(state: &mut State, paces: &mut Paces, timing: StorageTiming) -> Option<Instant> {
    let contents = snapshot(state, resource_types::named("volumesnapshotcontents"));
    for (key, content) in &contents {
        if paces.is_due(content, timing) {
            let mut protected = Value::clone(content);
            let bound = content["spec"]["volumeSnapshotRef"]["uid"].is_string() && !is_terminating(content);
            let step = if bound && finalizers::add(&mut protected, CONTENT_BOUND) {
                state.put(key.clone(), protected);
                Step::Moved
            } else {
                Step::Rest
            };
            paces.note(state, key, content, step, timing);
        }
    }
    paces.next(contents.iter().map(|(_, content)| &**content))
}

/// One step for each content of the sandbox's driver whose time has come. Returns when the next is due.
pub(super) async fn advance(
    store: &Store,
    driver: &Arc<CsiDriver>,
    paces: &mut Paces,
    timing: StorageTiming,
) -> Option<Instant> {
    if !driver.is_served() {
        return None;
    }
    let mut contents = store.with(|state| snapshot(state, resource_types::named("volumesnapshotcontents")));
    contents.retain(|(_, content)| content["spec"]["driver"] == CSI_DRIVER);
    let mut next = None;
    for (key, content) in &contents {
        if paces.is_due(content, timing) {
            let mut at = At { store, driver, paces, key, content };
            let step = at.look().await;
            store.with(|state| paces.note(state, key, content, step, timing));
            if let Step::Calling(end) = step {
                next = Some(next.map_or(end, |it: Instant| it.min(end)));
            }
        }
    }
    let due = paces.next(contents.iter().map(|(_, content)| &**content));
    due.into_iter().chain(next).min()
}

/// One content that is being looked at.
struct At<'a> {
    store: &'a Store,
    driver: &'a Arc<CsiDriver>,
    paces: &'a mut Paces,
    key: &'a ObjectKey,
    content: &'a Value,
}

impl At<'_> {
    async fn look(&mut self) -> Step {
        let status = &self.content["status"];
        if self.is_to_be_deleted() {
            let deletes = self.content["spec"]["deletionPolicy"] == "Delete";
            return match status["snapshotHandle"].as_str() {
                Some(handle) if deletes => self.delete(handle).await,
                _ => self.change(|content| finalizers::remove(content, CONTENT_BOUND)),
            };
        }
        if status["readyToUse"] == true {
            return self.change(end_of_creation);
        }
        match self.content["spec"]["source"]["snapshotHandle"].as_str() {
            Some(handle) => self.find(handle).await,
            None => self.create().await,
        }
    }

    fn is_to_be_deleted(&self) -> bool {
        let spec = &self.content["spec"];
        let annotations = &self.content["metadata"]["annotations"];
        let unbound = spec["source"]["snapshotHandle"].is_string() && spec["volumeSnapshotRef"]["uid"].is_null();
        let settled = annotations[BEING_CREATED].is_null() && annotations[BEING_DELETED].is_string();
        is_terminating(self.content) && (unbound || settled)
    }

    /// Changes the content as it is now. Rests when the change finds nothing to do.
    fn change(&self, change: impl FnOnce(&mut Value) -> bool) -> Step {
        self.store.with(|state| {
            let Some(mut content) = state.get(self.key).map(|content| Value::clone(content)) else { return Step::Rest };
            if !change(&mut content) {
                return Step::Rest;
            }
            store_or_finish(state, self.key, content);
            Step::Moved
        })
    }

    fn warn(&self, reason: &str, message: &str) {
        self.store.with(|state| events::tell(state, self.content, Kind::Warning, reason, message));
    }

    async fn create(&mut self) -> Step {
        if self.content["metadata"]["annotations"][BEING_CREATED].is_null() {
            return self.change(|content| {
                content["metadata"]["annotations"][BEING_CREATED] = json!("yes");
                true
            });
        }
        if let Some(end) = self.paces.call(self.content, self.driver.delay_of(CsiCall::CreateSnapshot)) {
            return Step::Calling(end);
        }
        let volume = text(&self.content["spec"]["source"], "volumeHandle").to_owned();
        let name = format!("snapshot-{}", text(&self.content["spec"]["volumeSnapshotRef"], "uid"));
        let cut = call(self.driver, {
            let volume = volume.clone();
            move |driver| driver.cut(&name, &volume)
        });
        match cut.await {
            Ok(snapshot) => self.show(&snapshot),
            Err(error) => {
                if error.is_final() {
                    self.change(end_of_creation);
                }
                let why = format!("failed to take snapshot of the volume {volume}: {:?}", error.to_string());
                if self.content["status"].is_null() {
                    self.fail("SnapshotCreationFailed", &format!("Failed to create snapshot: {why}"))
                } else {
                    self.fail_check(&why)
                }
            }
        }
    }

    async fn find(&mut self, handle: &str) -> Step {
        if let Some(end) = self.paces.call(self.content, self.driver.delay_of(CsiCall::ListSnapshots)) {
            return Step::Calling(end);
        }
        let asked = handle.to_owned();
        let found: Result<Option<Snapshot>, CsiError> =
            call(self.driver, move |driver| driver.find_snapshot(&asked)).await;
        let why = match found {
            Ok(Some(snapshot)) => return self.show(&snapshot),
            Ok(None) => format!("can not find snapshot for snapshotID {handle}"),
            Err(error) => error.to_string(),
        };
        let name = text(&self.content["metadata"], "name");
        self.fail_check(&format!("failed to list snapshot for content {name}: {why:?}"))
    }

    fn fail_check(&self, why: &str) -> Step {
        let message = format!("Failed to check and update snapshot content: {why}");
        self.fail("SnapshotContentCheckandUpdateFailed", &message)
    }

    fn fail(&self, reason: &str, message: &str) -> Step {
        if self.content["status"]["error"]["message"] != message {
            self.change(|content| {
                content["status"]["error"] = json!({"time": now(), "message": message});
                content["status"]["readyToUse"] = json!(false);
                true
            });
            self.warn(reason, message);
        }
        Step::Retry
    }

    /// Brings what the driver tells into the status. A snapshot that is not ready yet is asked for again.
    fn show(&self, found: &Snapshot) -> Step {
        let step = self.change(|content| {
            let status = &mut content["status"];
            let before = status.clone();
            if status["snapshotHandle"].is_null() {
                status["snapshotHandle"] = json!(found.handle);
            }
            if status["creationTime"].is_null() {
                status["creationTime"] = json!(found.created);
            }
            if status["restoreSize"].is_null() && found.bytes > 0 {
                status["restoreSize"] = json!(found.bytes);
            }
            status["readyToUse"] = json!(found.ready);
            if let (true, Some(fields)) = (found.ready, status.as_object_mut()) {
                fields.shift_remove("error");
            }
            *status != before
        });
        if found.ready {
            return step;
        }
        self.change(end_of_creation);
        Step::Retry
    }

    async fn delete(&mut self, handle: &str) -> Step {
        if let Some(end) = self.paces.call(self.content, self.driver.delay_of(CsiCall::DeleteSnapshot)) {
            return Step::Calling(end);
        }
        let handle = handle.to_owned();
        if let Err(error) = call(self.driver, move |driver| driver.remove_snapshot(&handle)).await {
            tracing::debug!(%error, uid = uid(self.content), "a snapshot could not be removed");
            self.warn("SnapshotDeleteError", "Failed to delete snapshot");
            return Step::Retry;
        }
        self.change(|content| {
            let Some(status) = content["status"].as_object_mut() else { return false };
            for field in ["snapshotHandle", "readyToUse", "creationTime", "restoreSize"] {
                status.shift_remove(field);
            }
            true
        })
    }
}

fn end_of_creation(content: &mut Value) -> bool {
    let Some(annotations) = content["metadata"]["annotations"].as_object_mut() else { return false };
    let removed = annotations.shift_remove(BEING_CREATED).is_some();
    if annotations.is_empty() {
        content["metadata"]["annotations"] = Value::Null;
        objects::strip_nulls(&mut content["metadata"]);
    }
    removed
}
