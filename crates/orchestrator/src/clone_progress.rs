//! A clone's progress as events.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::clone::CloneProgress;
use crate::event::{Artifact, EventKind, Events};

/// Objects between two looks at the clock.
const LOOK_EVERY: u64 = 100;
/// Milliseconds between two reports.
const REPORT_EVERY: u64 = 100;

/// Counts objects and tells of them now and then.
#[derive(Debug)]
pub struct EventProgress {
    events: Events,
    began: Instant,
    reported: AtomicU64,
    listed: AtomicU64,
    done: AtomicU64,
    bytes: AtomicU64,
}

impl EventProgress {
    /// Tells these events.
    #[must_use]
    pub fn new(events: Events) -> Self {
        Self {
            events,
            began: Instant::now(),
            reported: AtomicU64::new(0),
            listed: AtomicU64::new(0),
            done: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        }
    }

    fn add(&self, bytes: u64) {
        let bytes = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if !done.is_multiple_of(LOOK_EVERY) {
            return;
        }
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX) + REPORT_EVERY;
        let reported = self.reported.load(Ordering::Relaxed);
        let is_due = now >= reported + REPORT_EVERY
            && self.reported.compare_exchange(reported, now, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if is_due {
            let total = Some(self.listed.load(Ordering::Relaxed));
            self.events.emit(EventKind::Progress { artifact: Artifact::Bucket, done, total, bytes: Some(bytes) });
        }
    }
}

impl CloneProgress for EventProgress {
    fn listed(&self, _: u64) {
        self.listed.fetch_add(1, Ordering::Relaxed);
    }

    fn copied(&self, bytes: u64) {
        self.add(bytes);
    }

    fn skipped(&self, bytes: u64) {
        self.add(bytes);
    }

    fn throttled(&self, concurrency: usize) {
        self.events.warn(format!("the store asks for fewer requests: at most {concurrency} copies at once now"));
    }
}
