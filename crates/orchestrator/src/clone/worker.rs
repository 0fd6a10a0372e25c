//! One worker: runs shards side by side on one thread, and takes more ranges when its lanes have nothing to do for all that the
//! ranges it has bring in.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::Notify;

use super::Result;
use super::context::Context;
use super::distance::Distance;
use super::lanes::Lanes;
use super::recorder::Recorded;
use super::shard::{self, Job};
use super::stock::Stock;

/// Pages that a worker may have in stock at first: one that is worked on, and the next one.
const PAGES_AT_FIRST: usize = 2;

/// What the shards of one worker share.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) lanes: Arc<Lanes>,
    /// What is listed ahead of the lanes.
    pub(super) stock: Stock,
    /// Decisions that no shard has begun yet.
    queued: AtomicUsize,
    /// How often a shard brought some.
    brought: AtomicUsize,
    hungry: Notify,
}

impl Worker {
    /// A shard has more decisions.
    pub(super) fn brought(&self, more: usize) {
        self.brought.fetch_add(1, Ordering::Relaxed);
        self.queued(more);
    }

    /// More decisions wait.
    pub(super) fn queued(&self, more: usize) {
        self.queued.fetch_add(more, Ordering::Relaxed);
    }

    /// One of them is begun.
    pub(super) fn begun(&self) {
        self.queued.fetch_sub(1, Ordering::Relaxed);
    }

    /// A shard waits for its listing.
    pub(super) fn waits(&self, distance: &Distance) {
        if self.is_hungry(distance) {
            self.hungry.notify_one();
        }
    }

    /// Whether there is nothing to begin, for lanes that had time to empty meanwhile.
    fn is_hungry(&self, distance: &Distance) -> bool {
        self.queued.load(Ordering::Relaxed) == 0 && self.lanes.are_idle(distance)
    }
}

/// Works on the job until no range is left, with a share of all lanes and listers.
pub(super) async fn work(context: Context, job: Arc<Job>, lanes: usize, listers: usize) -> Result<Vec<Recorded>> {
    let worker = Worker {
        lanes: Lanes::new(lanes),
        stock: Stock::new(context.spec.source.capabilities().page_keys, PAGES_AT_FIRST),
        queued: AtomicUsize::new(0),
        brought: AtomicUsize::new(0),
        hungry: Notify::new(),
    };
    let mut shards = FuturesUnordered::new();
    let mut done = Vec::new();
    // Ranges to have, and how often decisions were brought when that was settled.
    let (mut wanted, mut then) = (1, 0);
    loop {
        let changed = job.ranges.changed();
        tokio::pin!(changed);
        // What changes from here on is not missed.
        changed.as_mut().enable();
        let brought = worker.brought.load(Ordering::Relaxed);
        let is_hungry = worker.is_hungry(&context.distance);
        if is_hungry && shards.len() >= wanted && brought >= then + shards.len() {
            // Each of them has had its turn, and it was not enough.
            worker.stock.grow(wanted);
            (wanted, then) = (2 * wanted, brought);
        }
        let mut room = wanted.min(context.distance.ranges(listers)).saturating_sub(shards.len());
        while shards.is_empty() || (is_hungry && room > 0) {
            let Some(taken) = job.ranges.take(shards.is_empty()) else { break };
            // What may be empty is no help to who is hungry.
            room = room.saturating_sub(usize::from(!taken.unsure));
            shards.push(shard::run(&worker, context.for_shard(), &job, taken));
        }
        if shards.is_empty() && job.ranges.is_finished() {
            return Ok(done);
        }
        tokio::select! {
            biased;
            Some(recorded) = shards.next(), if !shards.is_empty() => done.push(recorded?),
            () = worker.hungry.notified() => {}
            () = changed => {}
        }
    }
}
