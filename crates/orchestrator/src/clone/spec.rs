//! What to clone, where to, and how.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use provider::{Bucket, Key, KeyRules};

use super::limits::{Ceilings, RampedWrites};
use super::{CloneError, CloneOrder, KeyMap, Result};
use crate::retry::RetryPolicy;

/// How an object gets from the source to the clone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyPath {
    /// The store copies it by itself: source and clone are in the same store.
    ServerSide,
    /// It is read from one store and written to the other one, through this machine.
    Streamed,
}

/// Which keys of the source belong to the clone.
pub type KeyFilter = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// A source, the place of its clone, and how to get from one to the other.
#[derive(Clone)]
pub struct CloneSpec {
    /// The bucket to clone. Never written to.
    pub source: Arc<dyn Bucket>,
    /// Where the clone is. Keys are the source's, below what this bucket is opened at, as the key map renames them.
    pub destination: Arc<dyn Bucket>,
    /// Who moves the bytes.
    pub path: CopyPath,
    /// How the kinds of keys are told apart.
    pub order: CloneOrder,
    /// Whether the kinds are listed and copied in turn even where that takes one listing of the whole bucket for each: for a
    /// source that is written to while it is copied. Where prefixes tell the kinds apart it costs nothing and is always done.
    pub in_turn: bool,
    /// How keys are renamed.
    pub key_map: KeyMap,
    /// Which keys belong to the clone; all without it. What the clone has of others is left alone.
    pub filter: Option<KeyFilter>,
    /// Most objects in flight at once. Fewer while the store answers no faster for more, or asks for fewer requests.
    pub concurrency: usize,
    /// Most key ranges that are listed at once.
    pub listers: usize,
    /// Threads that list and copy, each over connections of its own where the stores have any; 1 stays on the caller's.
    pub threads: usize,
    /// Whether throttling slows all lanes at once, for a source that somebody else needs; else only those of the same keys.
    pub slow_together: bool,
    /// What it may take from the stores at most.
    pub ceilings: Ceilings,
    /// The largest share of the clone's objects, from 0 to 1, that a pass deletes (or leaves for the final pass to delete).
    /// A hundred are always allowed.
    pub most_deletes: f64,
    /// How long the work of one shard may go on without a part of the inventory that another process can go on from.
    pub checkpoint: Duration,
    /// How patiently calls are sent again.
    pub retry: RetryPolicy,
    /// Who hears of progress.
    pub progress: Arc<dyn CloneProgress>,
    /// How slowly writes to the clone have to begin, over all passes with this spec.
    pub ramp: Option<Arc<RampedWrites>>,
}

impl CloneSpec {
    /// A clone with the usual settings and patience, and nobody listening.
    pub fn new(source: Arc<dyn Bucket>, destination: Arc<dyn Bucket>, path: CopyPath, order: CloneOrder) -> Self {
        let ramp = destination.capabilities().write_ramp.map(|ramp| Arc::new(RampedWrites::new(ramp)));
        Self {
            ramp,
            source,
            destination,
            path,
            order,
            in_turn: true,
            key_map: KeyMap::default(),
            filter: None,
            concurrency: 512,
            listers: 32,
            threads: 1,
            slow_together: false,
            ceilings: Ceilings::default(),
            most_deletes: 0.25,
            checkpoint: Duration::from_secs(30),
            retry: RetryPolicy::default(),
            progress: Arc::new(Silent),
        }
    }

    /// The name of a key in the clone, whose store has these rules.
    ///
    /// # Errors
    /// [`CloneError::KeyNotHeld`] when the clone's store would make another key of it, or the key map has no name for it.
    pub(super) fn rename(&self, key: &Key, rules: &KeyRules) -> Result<Option<Key>> {
        let not_held =
            || CloneError::KeyNotHeld { destination: self.destination.location(), key: key.as_str().to_owned() };
        let renamed = match self.key_map.is_identity() {
            true => None,
            false => Some(self.key_map.apply(key.as_str()).map(Key::new).ok_or_else(not_held)?),
        };
        if rules.holds(renamed.as_ref().unwrap_or(key).as_str()) { Ok(renamed) } else { Err(not_held()) }
    }

    /// Whether a key of the source belongs to the clone.
    pub(super) fn includes(&self, key: &str) -> bool {
        self.filter.as_ref().is_none_or(|includes| includes(key))
    }
}

impl fmt::Debug for CloneSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloneSpec")
            .field("source", &self.source)
            .field("destination", &self.destination)
            .field("path", &self.path)
            .field("order", &self.order)
            .field("key_map", &self.key_map)
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
