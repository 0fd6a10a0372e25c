//! One worker: runs shards side by side on one thread, and takes another range whenever its lanes have nothing to do.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::Notify;

use super::Result;
use super::context::Context;
use super::lanes::Lanes;
use super::recorder::Recorded;
use super::shard::{self, Job};

/// What the shards of one worker share.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) lanes: Arc<Lanes>,
    /// Decisions that no shard has begun yet.
    queued: AtomicUsize,
    hungry: Notify,
}

impl Worker {
    /// More decisions wait.
    pub(super) fn queued(&self, more: usize) {
        self.queued.fetch_add(more, Ordering::Relaxed);
    }

    /// One of them is begun.
    pub(super) fn begun(&self) {
        self.queued.fetch_sub(1, Ordering::Relaxed);
    }

    /// A shard waits for its listing.
    pub(super) fn is_hungry(&self) {
        if self.queued.load(Ordering::Relaxed) == 0 {
            self.hungry.notify_one();
        }
    }
}

/// Works on the job until no range is left, with a share of all lanes and listers.
pub(super) async fn work(context: Context, job: Arc<Job>, lanes: usize, listers: usize) -> Result<Vec<Recorded>> {
    let worker = Worker { lanes: Lanes::new(lanes), queued: AtomicUsize::new(0), hungry: Notify::new() };
    let mut shards = FuturesUnordered::new();
    let mut done = Vec::new();
    loop {
        let changed = job.ranges.changed();
        tokio::pin!(changed);
        // What changes from here on is not missed.
        changed.as_mut().enable();
        while shards.len() < listers.max(1) && (shards.is_empty() || worker.queued.load(Ordering::Relaxed) == 0) {
            let Some(taken) = job.ranges.take() else { break };
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
