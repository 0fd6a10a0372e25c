//! When the next step for an object is due: storage controllers write once, wait a little, and try again ever more rarely.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::{text, uid};
use crate::kubernetes::store::{ObjectKey, State};

/// How long the controllers of volumes and snapshots take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StorageTiming {
    /// Between two writes for the same object. A real cluster needs about 15 ms.
    pub step: Duration,
    /// From a failure until the next try. It doubles with each further failure, up to ten times this. A real cluster
    /// begins with one second and goes up to five minutes.
    pub retry: Duration,
}

impl Default for StorageTiming {
    fn default() -> Self {
        StorageTiming { step: Duration::from_millis(10), retry: Duration::from_millis(100) }
    }
}

/// What a look at an object led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing is to be done until something changes.
    Rest,
    /// Something was written.
    Moved,
    /// It failed, and is tried again.
    Retry,
    /// A call of the driver ends then.
    Calling(Instant),
}

#[derive(Debug)]
struct Pace {
    /// Not before; absent when the object rests.
    due: Option<Instant>,
    failures: u32,
    /// The object's version at the last failure: a newer one does not wait.
    failed_version: String,
    call_began: Option<Instant>,
}

/// The paces of one controller's objects, by uid.
#[derive(Debug, Default)]
pub(super) struct Paces {
    by_uid: HashMap<String, Pace>,
}

impl Paces {
    /// Whether an object's time has come. A new one has its first step after a moment.
    pub(super) fn is_due(&mut self, object: &Value, timing: StorageTiming) -> bool {
        let now = Instant::now();
        let pace = self.by_uid.entry(uid(object).to_owned()).or_insert_with(|| Pace {
            due: Some(now + timing.step),
            failures: 0,
            failed_version: String::new(),
            call_began: None,
        });
        let changed = pace.failures > 0 && pace.failed_version != text(&object["metadata"], "resourceVersion");
        if changed && pace.call_began.is_none() && pace.due.is_some_and(|due| due > now + timing.step) {
            pace.due = Some(now + timing.step);
        }
        pace.due.is_none_or(|due| due <= now)
    }

    /// Begins a call of the driver that takes `delay`, if none has begun. Returns its end while that is to come.
    pub(super) fn call(&mut self, object: &Value, delay: Duration) -> Option<Instant> {
        let now = Instant::now();
        let began = self.by_uid.get_mut(uid(object)).map(|pace| *pace.call_began.get_or_insert(now));
        began.map(|began| began + delay).filter(|end| *end > now)
    }

    /// Takes down what a look led to.
    pub(super) fn note(&mut self, state: &State, key: &ObjectKey, object: &Value, step: Step, timing: StorageTiming) {
        let Some(pace) = self.by_uid.get_mut(uid(object)) else { return };
        let now = Instant::now();
        if !matches!(step, Step::Calling(_)) {
            pace.call_began = None;
        }
        pace.due = match step {
            Step::Rest => {
                pace.failures = 0;
                None
            }
            Step::Moved => Some(now + timing.step),
            Step::Retry => {
                let factor = 2u32.saturating_pow(pace.failures).min(10);
                pace.failures = pace.failures.saturating_add(1);
                let current = state.get(key).map(|object| text(&object["metadata"], "resourceVersion").to_owned());
                pace.failed_version = current.unwrap_or_default();
                Some(now + timing.retry * factor)
            }
            // The call may be made shorter meanwhile, which wakes the controllers: it is looked at whenever they wake.
            Step::Calling(_) => None,
        };
    }

    /// Forgets all objects but these, and tells when the next of them is due.
    pub(super) fn next<'a>(&mut self, objects: impl IntoIterator<Item = &'a Value>) -> Option<Instant> {
        let known: HashSet<&str> = objects.into_iter().map(uid).collect();
        self.by_uid.retain(|uid, _| known.contains(uid.as_str()));
        self.by_uid.values().filter_map(|pace| pace.due).min()
    }
}
