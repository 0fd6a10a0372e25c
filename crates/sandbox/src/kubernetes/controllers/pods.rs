//! The life of pods: pending, running and ready, terminating, gone.

use std::collections::HashSet;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Clocks, PodTiming, Snapshot, is_terminating, uid};
use crate::kubernetes::objects::now;
use crate::kubernetes::resource_types;
use crate::kubernetes::store::State;

/// Moves each pod on whose time has come. Returns when the next one's comes.
pub(super) fn advance(state: &mut State, clocks: &mut Clocks, timing: PodTiming) -> Option<Instant> {
    let resource = resource_types::named("pods");
    let pods: Snapshot = state.list(resource, None).map(|(key, pod)| (key.clone(), pod.clone())).collect();
    let known: HashSet<&str> = pods.iter().map(|(_, pod)| uid(pod)).collect();
    clocks.created.retain(|uid, _| known.contains(uid.as_str()));
    clocks.terminating.retain(|uid, _| known.contains(uid.as_str()));

    let time = Instant::now();
    let mut next: Option<Instant> = None;
    let mut wait = |due: Instant| next = Some(next.map_or(due, |it| it.min(due)));
    for (key, pod) in &pods {
        let created = *clocks.created.entry(uid(pod).to_owned()).or_insert(time);
        if is_terminating(pod) {
            let due = *clocks.terminating.entry(uid(pod).to_owned()).or_insert(time) + timing.gone_after;
            if due <= time {
                state.remove(key);
            } else {
                wait(due);
            }
        } else if pod["status"]["phase"] == "Pending" && !pod["spec"]["nodeName"].is_null() {
            let due = created + timing.ready_after;
            if due <= time {
                let number = state.next_address();
                let mut pod = Value::clone(pod);
                pod["status"] = running_status(&pod, &format!("10.244.{}.{}", number / 250, number % 250 + 1));
                state.put(key.clone(), pod);
            } else {
                wait(due);
            }
        }
    }
    next
}

fn running_status(pod: &Value, address: &str) -> Value {
    let since = now();
    let containers: Vec<Value> = pod["spec"]["containers"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|container| {
            json!({
                "name": container["name"],
                "image": container["image"].as_str().unwrap_or_default(),
                "imageID": "",
                "ready": true,
                "started": true,
                "restartCount": 0,
                "state": {"running": {"startedAt": since}},
            })
        })
        .collect();
    let conditions: Vec<Value> = ["PodScheduled", "Initialized", "ContainersReady", "Ready"]
        .iter()
        .map(|kind| json!({"type": kind, "status": "True", "lastTransitionTime": since}))
        .collect();
    json!({
        "phase": "Running",
        "hostIP": "127.0.0.1",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": since,
        "conditions": conditions,
        "containerStatuses": containers,
    })
}
