//! A bucket of the server as its owner sees it: read and filled without a request.

use std::ops::Bound;
use std::sync::{Arc, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;

use super::bucket_facts::BucketFacts;
use super::object::{Object, ObjectHeaders};
use super::store::{Store, StoredBucket};

/// A bucket of the server, reached directly: for seeding before a test and for looking behind it.
///
/// Calls on a bucket that doesn't exist create it.
#[derive(Clone)]
pub struct BucketHandle {
    store: Store,
    name: String,
    /// What objects without headers share, so that a million seeded objects stay small.
    plain: Arc<ObjectHeaders>,
}

impl BucketHandle {
    pub(super) fn new(store: Store, name: impl Into<String>) -> Self {
        let name = name.into();
        store.create(&name, BucketFacts::default);
        Self { store, name, plain: Arc::default() }
    }

    /// Another bucket of the same server, created if it isn't there.
    #[must_use]
    pub fn beside(&self, name: &str) -> Self {
        Self::new(self.store.clone(), name)
    }

    /// The bucket's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its name as gRPC has it: `projects/_/buckets/NAME`.
    #[must_use]
    pub fn resource(&self) -> String {
        format!("projects/_/buckets/{}", self.name)
    }

    /// What is set on the bucket.
    #[must_use]
    pub fn facts(&self) -> BucketFacts {
        self.with(|bucket| bucket.facts.clone())
    }

    /// Sets something on the bucket.
    pub fn set(&self, change: impl FnOnce(&mut BucketFacts)) {
        self.with(|bucket| {
            change(&mut bucket.facts);
            bucket.metageneration += 1;
            bucket.updated = SystemTime::now();
        });
    }

    /// Writes an object. Answers its generation.
    pub fn put(&self, key: &str, bytes: impl Into<Bytes>, headers: Option<ObjectHeaders>) -> i64 {
        let headers = headers.map_or_else(|| Arc::clone(&self.plain), Arc::new);
        self.put_object(key, Object::new(bytes.into(), headers))
    }

    /// Writes an object that was made or read before, here or from another bucket, under a key. Its content and checksums are
    /// shared, not made again: so a million objects take little memory and time. Holds and retention bind nobody here.
    /// Answers its generation, which is new.
    pub fn put_object(&self, key: &str, object: Object) -> i64 {
        self.with(|bucket| bucket.write(key, object).generation)
    }

    /// Changes the live object in place, with a new metageneration; `false` when there is none.
    pub fn change(&self, key: &str, change: impl FnOnce(&mut Object)) -> bool {
        self.with(|bucket| {
            let Some(object) = bucket.objects.get_mut(key) else { return false };
            change(object);
            object.metageneration += 1;
            true
        })
    }

    /// The live object, if it's there.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Object> {
        self.with(|bucket| bucket.objects.get(key).cloned())
    }

    /// The older versions of an object, oldest first.
    #[must_use]
    pub fn older(&self, key: &str) -> Vec<Object> {
        self.with(|bucket| bucket.older.get(key).cloned().unwrap_or_default())
    }

    /// Removes a live object; `false` when there was none.
    pub fn remove(&self, key: &str) -> bool {
        self.with(|bucket| bucket.delete(key, 0).is_some())
    }

    /// Removes every object and version.
    pub fn clear(&self) {
        self.with(|bucket| {
            bucket.objects.clear();
            bucket.older.clear();
        });
    }

    /// All keys, sorted by their bytes.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.with(|bucket| bucket.objects.keys().map(|key| key.to_string()).collect())
    }

    /// Runs `each` on all objects whose key begins with `prefix`, in the order of their keys, while nothing can be written.
    pub fn for_each(&self, prefix: &str, mut each: impl FnMut(&str, &Object)) {
        self.with(|bucket| {
            let found = bucket.objects.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
            let found = found.take_while(|(key, _)| key.starts_with(prefix));
            found.for_each(|(key, object)| each(key, object));
        });
    }

    /// Number of objects.
    #[must_use]
    pub fn object_count(&self) -> usize {
        self.with(|bucket| bucket.objects.len())
    }

    fn with<T>(&self, act: impl FnOnce(&mut StoredBucket) -> T) -> T {
        let (bucket, _) = self.store.create(&self.name, BucketFacts::default);
        act(&mut bucket.write().unwrap_or_else(PoisonError::into_inner))
    }
}

impl std::fmt::Debug for BucketHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BucketHandle").field("name", &self.name).finish_non_exhaustive()
    }
}
