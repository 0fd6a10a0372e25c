//! What to clone, where to, and how.

use std::fmt;
use std::sync::Arc;

use provider::Bucket;

use super::CloneOrder;
use crate::retry::RetryPolicy;

/// How an object gets from the source to the clone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyPath {
    /// The store copies it by itself: source and clone are in the same store.
    ServerSide,
    /// It is read from one store and written to the other one, through this machine.
    Streamed,
}

/// A source, the place of its clone, and how to get from one to the other.
#[derive(Clone)]
pub struct CloneSpec {
    /// The bucket to clone. Never written to.
    pub source: Arc<dyn Bucket>,
    /// Where the clone is. Keys are the source's, below what this bucket is opened at.
    pub destination: Arc<dyn Bucket>,
    /// Who moves the bytes.
    pub path: CopyPath,
    /// How the kinds of keys are told apart.
    pub order: CloneOrder,
    /// Most objects in flight at once. Throttling lowers it while it lasts.
    pub concurrency: usize,
    /// How patiently calls are sent again.
    pub retry: RetryPolicy,
    /// Who hears of progress.
    pub progress: Arc<dyn CloneProgress>,
}

impl CloneSpec {
    /// A clone with the usual concurrency (64) and patience, and nobody listening.
    pub fn new(source: Arc<dyn Bucket>, destination: Arc<dyn Bucket>, path: CopyPath, order: CloneOrder) -> Self {
        Self {
            source,
            destination,
            path,
            order,
            concurrency: 64,
            retry: RetryPolicy::default(),
            progress: Arc::new(Silent),
        }
    }
}

impl fmt::Debug for CloneSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloneSpec")
            .field("source", &self.source)
            .field("destination", &self.destination)
            .field("path", &self.path)
            .field("order", &self.order)
            .field("concurrency", &self.concurrency)
            .finish_non_exhaustive()
    }
}

/// Hears of a clone's progress, from several threads, many times a second. Must not block.
pub trait CloneProgress: Send + Sync {
    /// An object of the source was listed and belongs to this pass; it will be copied or skipped.
    fn listed(&self, bytes: u64) {
        let _ = bytes;
    }

    /// An object is in the clone.
    fn copied(&self, bytes: u64) {
        let _ = bytes;
    }

    /// An object was in the clone already.
    fn skipped(&self, bytes: u64) {
        let _ = bytes;
    }

    /// A store answered, or a piece of an object passed through this machine: more often than objects are done.
    fn moved(&self) {}

    /// A store was asked to copy so many bytes by itself. It tells nothing until it is done.
    fn store_copies(&self, bytes: u64) {
        let _ = bytes;
    }

    /// A store asked for fewer requests; from now on at most this many objects are in flight.
    fn throttled(&self, concurrency: usize) {
        let _ = concurrency;
    }
}

/// Nobody listens.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl CloneProgress for Silent {}
