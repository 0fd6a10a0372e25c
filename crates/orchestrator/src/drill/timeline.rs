//! How long each step took, in the order in which they ended.

use std::sync::{Arc, Mutex, PoisonError};

use super::report::StepTime;
use crate::event::{EventKind, Events};

/// The steps of a drill.
#[derive(Clone, Debug, Default)]
pub(super) struct Timeline(Arc<Mutex<Vec<StepTime>>>);

impl Timeline {
    /// Events that are told to `all`, and whose steps are written down.
    pub(super) fn listen(&self, all: &Events) -> Events {
        let (steps, all) = (Arc::clone(&self.0), all.clone());
        Events::to(move |event| {
            if let EventKind::StepFinished { step, seconds, summary } = &event.kind {
                let time = StepTime { step: *step, seconds: *seconds, summary: summary.clone() };
                steps.lock().unwrap_or_else(PoisonError::into_inner).push(time);
            }
            all.emit(event.kind);
        })
    }

    pub(super) fn steps(&self) -> Vec<StepTime> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
