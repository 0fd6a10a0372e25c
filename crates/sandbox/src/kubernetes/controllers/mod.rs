//! The controllers: they move the stored objects towards what their specs ask for.

mod endpoints;
mod garbage;
mod namespaces;
mod pods;
mod workloads;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::store::{ObjectKey, State, Store};

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
    pub(crate) paused: bool,
}

/// When pods were first seen, and first seen terminating, by uid.
#[derive(Debug, Default)]
struct Clocks {
    created: HashMap<String, Instant>,
    terminating: HashMap<String, Instant>,
}

/// Objects as of the beginning of a step.
type Snapshot = Vec<(ObjectKey, Arc<Value>)>;

/// Runs until `stop`, or until nobody holds the settings any more.
pub(crate) async fn run(store: Arc<Store>, mut settings: watch::Receiver<Settings>, stop: CancellationToken) {
    let mut changed = store.subscribe();
    let mut clocks = Clocks::default();
    loop {
        changed.borrow_and_update();
        let now = settings.borrow_and_update().clone();
        let next = if now.paused { None } else { store.with(|state| reconcile(state, &mut clocks, now.timing)) };
        let sleep = tokio::time::sleep_until(next.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600)));
        tokio::select! {
            () = stop.cancelled() => return,
            _ = changed.changed() => {}
            alive = settings.changed() => if alive.is_err() {
                return;
            },
            () = sleep => {}
        }
    }
}

/// One step of all controllers. Returns when the next one is due, if nothing else happens before.
fn reconcile(state: &mut State, clocks: &mut Clocks, timing: PodTiming) -> Option<Instant> {
    namespaces::finish(state);
    garbage::collect(state);
    workloads::reconcile_deployments(state);
    workloads::reconcile_pod_sets(state);
    let next = pods::advance(state, clocks, timing);
    endpoints::reconcile(state);
    next
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
