//! The controllers: they move the stored objects towards what their specs ask for.

mod binding;
mod claims;
mod contents;
mod csi_calls;
mod endpoints;
mod events;
pub(super) mod finalizers;
mod garbage;
mod namespaces;
mod pace;
mod pods;
mod protection;
mod quantity;
mod snapshot_sources;
mod snapshots;
mod workloads;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::csi::CsiDriver;
use super::resource_types::ResourceType;
use super::store::{ObjectKey, State, Store};
use pace::Paces;
pub use pace::StorageTiming;

/// How long pods take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PodTiming {
    /// From its creation until a pod is Running and ready.
    pub ready_after: Duration,
    /// From the deletion of a pod until it is gone.
    pub gone_after: Duration,
}

/// What can be changed while the controllers run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    pub(crate) timing: PodTiming,
    pub(crate) storage_timing: StorageTiming,
    pub(crate) paused: bool,
}

/// When pods were first seen, and first seen terminating, by uid; when the other objects are due.
#[derive(Debug, Default)]
struct Clocks {
    created: HashMap<String, Instant>,
    terminating: HashMap<String, Instant>,
    snapshots: Paces,
    contents: Paces,
    driver_contents: Paces,
    driver_volumes: Paces,
}

/// Objects as of the beginning of a step.
type Snapshot = Vec<(ObjectKey, Arc<Value>)>;

/// Runs until `stop`, or until nobody holds the settings any more.
pub(crate) async fn run(
    store: Arc<Store>,
    driver: Arc<CsiDriver>,
    mut settings: watch::Receiver<Settings>,
    stop: CancellationToken,
) {
    let mut changed = store.subscribe();
    let mut clocks = Clocks::default();
    loop {
        changed.borrow_and_update();
        let now = settings.borrow_and_update().clone();
        let next = if now.paused { None } else { step(&store, &driver, &mut clocks, &now).await };
        let sleep = tokio::time::sleep_until(next.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600)));
        tokio::select! {
            () = stop.cancelled() => return,
            _ = changed.changed() => {}
            alive = settings.changed() => if alive.is_err() {
                return;
            },
            () = driver.changed() => {}
            () = sleep => {}
        }
    }
}

/// One step of all controllers. Returns when the next one is due, if nothing else happens before.
async fn step(store: &Store, driver: &Arc<CsiDriver>, clocks: &mut Clocks, settings: &Settings) -> Option<Instant> {
    let timing = settings.storage_timing;
    let due = store.with(|state| reconcile(state, clocks, settings));
    let contents = contents::advance(store, driver, &mut clocks.driver_contents, timing).await;
    let claims = claims::advance(store, driver, &mut clocks.driver_volumes, timing).await;
    due.into_iter().chain(contents).chain(claims).min()
}

fn reconcile(state: &mut State, clocks: &mut Clocks, settings: &Settings) -> Option<Instant> {
    namespaces::finish(state);
    let timing = settings.storage_timing;
    garbage::collect(state);
    workloads::reconcile_deployments(state);
    workloads::reconcile_pod_sets(state);
    let pods = pods::advance(state, clocks, settings.timing);
    endpoints::reconcile(state);
    binding::reconcile(state);
    protection::reconcile(state);
    let snapshots = snapshots::reconcile(state, &mut clocks.snapshots, timing);
    let contents = contents::reconcile(state, &mut clocks.contents, timing);
    pods.into_iter().chain(snapshots).chain(contents).min()
}

/// All objects of one kind as they are now.
fn snapshot(state: &State, resource: &'static ResourceType) -> Snapshot {
    state.list(resource, None).map(|(key, object)| (key.clone(), object.clone())).collect()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

fn uid(object: &Value) -> &str {
    text(&object["metadata"], "uid")
}

/// Whether an object waits for its deletion.
fn is_terminating(object: &Value) -> bool {
    !object["metadata"]["deletionTimestamp"].is_null()
}

/// Whether a pod can serve.
fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    !is_terminating(pod) && conditions.into_iter().any(|it| it["type"] == "Ready" && it["status"] == "True")
}

/// Stores an object unless it is as it was.
fn put_if_changed(state: &mut State, key: &ObjectKey, new: Value) {
    if state.get(key).is_none_or(|old| **old != new) {
        state.put(key.clone(), new);
    }
}

/// Stores an object, or removes it when it waits for its deletion and nothing holds it any more.
fn store_or_finish(state: &mut State, key: &ObjectKey, object: Value) {
    let held = object["metadata"]["finalizers"].as_array().is_some_and(|all| !all.is_empty());
    if is_terminating(&object) && !held {
        state.remove(key);
    } else {
        state.put(key.clone(), object);
    }
}
