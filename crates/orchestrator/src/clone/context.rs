//! What all parts of one pass share, and how they call the stores.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use provider::{Bucket, BucketCapabilities, Error, ErrorKind, Result};
use tokio::sync::Semaphore;

use super::CloneSpec;
use super::distance::Distance;
use super::kept_copies::KeptCopies;
use super::ledger::Ledger;
use super::limits::Limits;
use super::pace::{Pace, Sent};
use super::pieces;
use super::report::Requests;
use crate::retry::Backoff;

/// Most objects in flight where a folder is read or written: each takes a thread of this machine, and more than these wait for one
/// another.
const FOLDER_LANES: usize = 32;

/// What kind of request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// A page of a listing.
    List,
    /// A copy inside a store, or a part of one.
    Copy,
    /// An object is read.
    Get,
    /// An object is written.
    Put,
    /// An object is looked at.
    Head,
    /// Objects are deleted.
    Delete,
}

/// A pass in progress, as one shard of it sees it.
#[derive(Clone, Debug)]
pub(super) struct Context {
    pub(super) spec: Arc<CloneSpec>,
    /// The clone's store can do this; asked once, for each copy looks at it.
    pub(super) capabilities: Arc<BucketCapabilities>,
    pub(super) pace: Arc<Pace>,
    /// Where large copies are.
    pub(super) copies: Arc<KeptCopies>,
    /// Rooms for the pieces of large objects.
    pub(super) pieces: Arc<Semaphore>,
    /// How far away the stores are.
    pub(super) distance: Arc<Distance>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    limits: Limits,
    sent: [AtomicU64; 6],
    together: Option<Arc<Pace>>,
}

impl Context {
    pub(super) fn new(spec: &CloneSpec) -> Self {
        let concurrency = if is_of_folders(spec) { spec.concurrency.min(FOLDER_LANES) } else { spec.concurrency };
        let spec = CloneSpec { concurrency, ..spec.clone() };
        let pace = Arc::new(Pace::new(spec.concurrency));
        let together = spec.slow_together.then(|| Arc::clone(&pace));
        Self {
            shared: Arc::new(Shared {
                limits: Limits::new(spec.ceilings, spec.ramp.clone()),
                sent: Default::default(),
                together,
            }),
            capabilities: Arc::new(spec.destination.capabilities()),
            spec: Arc::new(spec),
            pace,
            copies: Arc::default(),
            pieces: pieces::rooms(),
            distance: Arc::default(),
        }
    }

    /// A pass whose large copies are kept with its ledger.
    pub(super) fn of_pass(spec: &CloneSpec, ledger: &Ledger) -> Self {
        Self { copies: Arc::clone(ledger.copies()), ..Self::new(spec) }
    }

    /// Whether a folder of this machine is read or written.
    pub(super) fn is_of_folders(&self) -> bool {
        is_of_folders(&self.spec)
    }

    /// The same pass over other connections, for a thread of its own.
    pub(super) fn over(&self, source: Arc<dyn Bucket>, destination: Arc<dyn Bucket>) -> Self {
        let spec = Arc::new(CloneSpec { source, destination, ..(*self.spec).clone() });
        Self { spec, ..self.clone() }
    }

    /// The same pass at a pace of its own, unless all slow down together.
    pub(super) fn for_shard(&self) -> Self {
        let pace = self.shared.together.clone().unwrap_or_else(|| Arc::new(Pace::new(self.spec.concurrency)));
        Self { pace, ..self.clone() }
    }

    pub(super) fn requests(&self) -> Requests {
        let [lists, copies, gets, puts, heads, deletes] =
            [0, 1, 2, 3, 4, 5].map(|sort: usize| self.shared.sent[sort].load(Ordering::Relaxed));
        Requests { lists, copies, gets, puts, heads, deletes }
    }

    /// Waits until a request may be sent, and notes it.
    pub(super) async fn send(&self, sort: Sort) -> Sent {
        self.shared.limits.request().await;
        if matches!(sort, Sort::Copy | Sort::Put | Sort::Delete) {
            self.shared.limits.write().await;
        }
        self.shared.sent[sort as usize].fetch_add(1, Ordering::Relaxed);
        self.pace.send()
    }

    /// Waits until so many more bytes may be copied.
    pub(super) async fn carry(&self, bytes: u64) {
        self.shared.limits.bytes(bytes).await;
    }

    /// Slows the lanes down if the error asks for it, and waits until the call may be sent again.
    ///
    /// # Errors
    /// The same error when it must not be sent again.
    pub(super) async fn wait_after(&self, error: Error, sent: Sent, backoff: &mut Backoff) -> Result<()> {
        if error.kind() == ErrorKind::Throttled
            && let Some(limit) = self.pace.throttled(sent)
        {
            self.spec.progress.throttled(limit);
        }
        match backoff.wait_after(&error) {
            Some(wait) => {
                tokio::time::sleep(wait).await;
                Ok(())
            }
            None => Err(error),
        }
    }

    /// Sends a call until it succeeds, fails for good, or the budget is spent.
    pub(super) async fn call<T, F>(&self, sort: Sort, mut call: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let mut backoff = Backoff::new(self.spec.retry);
        loop {
            let sent = self.send(sort).await;
            match call().await {
                Ok(value) => {
                    self.spec.progress.moved();
                    return Ok(value);
                }
                Err(error) => self.wait_after(error, sent, &mut backoff).await?,
            }
        }
    }
}

fn is_of_folders(spec: &CloneSpec) -> bool {
    [&spec.source, &spec.destination].into_iter().any(|bucket| bucket.location().starts_with("file:"))
}
