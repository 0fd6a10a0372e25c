//! A store in memory: what its buckets share.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::MemoryBucket;
use crate::{BucketCapabilities, Facts, Key, KeyRules, ListingStart, ObjectMeta, ObjectVersion};

static STORES: AtomicU64 = AtomicU64::new(0);

/// A store in memory. Clones share its content.
///
/// It can do what the [`BucketCapabilities`] it was made with say, and refuses the rest, so that a caller can be tested
/// against poorer stores. It keeps every key, and doesn't enforce [`KeyRules::nested_under_object`].
#[derive(Clone, Debug)]
pub struct MemoryStore {
    number: u64,
    pub(super) capabilities: BucketCapabilities,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) buckets: BTreeMap<String, Content>,
    pub(super) uploads: BTreeMap<u64, Upload>,
    sequence: u64,
}

#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) objects: BTreeMap<Key, Object>,
    pub(super) facts: Facts,
}

#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) bytes: Bytes,
    pub(super) meta: ObjectMeta,
}

/// A large copy that was begun. Finished ones stay, so that the last call may be sent again.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) bucket: String,
    pub(super) to: Key,
    pub(super) source: ObjectVersion,
    pub(super) bytes: Vec<u8>,
    pub(super) started: jiff::Timestamp,
    pub(super) done: Option<ObjectMeta>,
}

impl State {
    pub(super) fn next(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }
}

impl MemoryStore {
    /// Everything a store can do, with pages of 1,000 keys and single copies of up to 5 GiB.
    pub const CAPABLE: BucketCapabilities = BucketCapabilities {
        write_ramp: None,
        listing_start: ListingStart::AfterAnyKey,
        page_keys: 1000,
        single_copy_bytes: 5 << 30,
        create_only_put: true,
        conditional_copy: true,
        checked_put: true,
        metadata: true,
        delete_keys: 1000,
        keys: KeyRules::RAW,
    };

    /// An empty store with these capabilities.
    pub fn new(capabilities: BucketCapabilities) -> Self {
        Self { number: STORES.fetch_add(1, Ordering::Relaxed), capabilities, state: Arc::default() }
    }

    /// The bucket of this name; it is made if there is none.
    #[must_use]
    pub fn bucket(&self, name: &str) -> MemoryBucket {
        self.state().buckets.entry(name.to_owned()).or_default();
        self.open(name)
    }

    /// The bucket of this name, there or not: its calls answer `NotFound` until somebody makes it.
    #[must_use]
    pub fn open(&self, name: &str) -> MemoryBucket {
        MemoryBucket { store: self.clone(), name: name.to_owned(), known: true }
    }

    /// The bucket of this name, opened with credentials that the store doesn't know.
    #[must_use]
    pub fn open_with_wrong_credentials(&self, name: &str) -> MemoryBucket {
        MemoryBucket { store: self.clone(), name: name.to_owned(), known: false }
    }

    /// Sets what [`BucketFacts`](crate::BucketFacts) tells of a bucket, which is made if there is none.
    pub fn set_facts(&self, name: &str, facts: Facts) {
        self.state().buckets.entry(name.to_owned()).or_default().facts = facts;
    }

    pub(super) fn location(&self, bucket: &str) -> String {
        format!("memory://{}/{bucket}", self.number)
    }

    /// The name of the bucket at a location, if the location is in this store.
    pub(super) fn bucket_at(&self, location: &str) -> Option<String> {
        location.strip_prefix(&self.location("")).map(str::to_owned)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new(Self::CAPABLE)
    }
}
