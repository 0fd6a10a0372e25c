//! What the server holds: buckets of objects, sorted by name, with their older versions.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{SystemTime, UNIX_EPOCH};

use super::bucket_facts::BucketFacts;
use super::failure::Failure;
use super::object::Object;
use super::preconditions::Preconditions;

/// A bucket.
pub(super) struct StoredBucket {
    pub(super) name: Arc<str>,
    pub(super) created: SystemTime,
    pub(super) updated: SystemTime,
    pub(super) metageneration: i64,
    pub(super) facts: BucketFacts,
    pub(super) objects: BTreeMap<Arc<str>, Object>,
    /// Versions that are not live, oldest first.
    pub(super) older: BTreeMap<Arc<str>, Vec<Object>>,
    generations: Arc<AtomicI64>,
}

impl StoredBucket {
    /// The live object, or a version by its generation.
    pub(super) fn find(&self, key: &str, generation: i64) -> Option<&Object> {
        let live = self.objects.get(key);
        if generation == 0 {
            return live;
        }
        let older = self.older.get(key).into_iter().flatten();
        live.into_iter().chain(older).find(|object| object.generation == generation)
    }

    pub(super) fn missing(&self, key: &str) -> Failure {
        Failure::no_object(&self.name, key)
    }

    /// An object for a read.
    pub(super) fn read(&self, key: &str, generation: i64, conditions: &Preconditions) -> Result<&Object, Failure> {
        let found = self.find(key, generation);
        conditions.check_read(found)?;
        found.ok_or_else(|| self.missing(key))
    }

    /// Writes an object as the live one, with a generation of its own. What the bucket says of new objects is applied.
    pub(super) fn write(&mut self, key: &str, object: Object) -> &Object {
        let mut object = object;
        object.created = SystemTime::now();
        object.generation = self.next_generation(object.created);
        object.metageneration = 1;
        object.deleted = None;
        if object.storage_class.is_empty() {
            object.storage_class = Arc::clone(&self.facts.storage_class);
        }
        if object.kms_key.is_none() && object.customer_key.is_none() {
            object.kms_key.clone_from(&self.facts.default_kms_key);
        }
        object.holds.event_based |= self.facts.default_event_based_hold;
        self.retire(key, object.created);
        self.objects.entry(key.into()).insert_entry(object).into_mut()
    }

    /// Takes the live object away, into the older ones if the bucket keeps versions.
    fn retire(&mut self, key: &str, now: SystemTime) -> Option<Object> {
        // The key is looked up again by the write that follows, which is cheaper than keeping versions apart here.
        if !self.facts.versioning {
            return self.objects.remove(key);
        }
        let object = self.objects.remove(key)?;
        let retired = Object { deleted: Some(now), ..object.clone() };
        self.older.entry(key.into()).or_default().push(retired);
        Some(object)
    }

    /// Deletes the live object, or the version of a generation for good.
    pub(super) fn delete(&mut self, key: &str, generation: i64) -> Option<Object> {
        if generation == 0 {
            return self.retire(key, SystemTime::now());
        }
        if self.objects.get(key).is_some_and(|object| object.generation == generation) {
            return self.objects.remove(key);
        }
        let versions = self.older.get_mut(key)?;
        let at = versions.iter().position(|object| object.generation == generation)?;
        let object = versions.remove(at);
        if versions.is_empty() {
            self.older.remove(key);
        }
        Some(object)
    }

    /// Refuses to delete or to write over what is held or retained.
    pub(super) fn check_unheld(&self, key: &str, object: &Object) -> Result<(), Failure> {
        if object.holds.temporary {
            return Err(Failure::held(&self.name, key, "Temporary"));
        }
        if object.holds.event_based {
            return Err(Failure::held(&self.name, key, "Event-Based"));
        }
        match self.retained_until(object).filter(|until| *until > SystemTime::now()) {
            Some(until) => Err(Failure::retained(&self.name, key, super::times::rfc3339(until))),
            None => Ok(()),
        }
    }

    /// Until when an object is retained, by its bucket's policy or its own retention.
    pub(super) fn retained_until(&self, object: &Object) -> Option<SystemTime> {
        let by_bucket = self.facts.retention.and_then(|period| object.created.checked_add(period));
        by_bucket.max(object.holds.retention.map(|retention| retention.until))
    }

    fn next_generation(&self, now: SystemTime) -> i64 {
        let micros = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        let micros = i64::try_from(micros).unwrap_or(i64::MAX - 1);
        let next = |last: i64| Some(micros.max(last + 1));
        let last = self.generations.fetch_update(Relaxed, Relaxed, next).unwrap_or(micros);
        micros.max(last + 1)
    }
}

pub(super) type SharedBucket = Arc<RwLock<StoredBucket>>;

/// All buckets of a server. Clones share them. Each bucket has a lock of its own, so that reading one does not wait for
/// writes to another.
#[derive(Clone, Default)]
pub(super) struct Store {
    buckets: Arc<RwLock<BTreeMap<String, SharedBucket>>>,
    generations: Arc<AtomicI64>,
}

impl Store {
    pub(super) fn all(&self) -> RwLockReadGuard<'_, BTreeMap<String, SharedBucket>> {
        self.buckets.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) -> RwLockWriteGuard<'_, BTreeMap<String, SharedBucket>> {
        self.buckets.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn bucket(&self, bucket: &str) -> Result<SharedBucket, Failure> {
        self.all().get(bucket).cloned().ok_or_else(Failure::no_bucket)
    }

    /// Looks at a bucket.
    pub(super) fn read<T>(
        &self,
        bucket: &str,
        look: impl FnOnce(&StoredBucket) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        look(&self.bucket(bucket)?.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Runs `act` on a bucket.
    pub(super) fn with<T>(
        &self,
        bucket: &str,
        act: impl FnOnce(&mut StoredBucket) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        act(&mut self.bucket(bucket)?.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes a bucket; the one that is there, with `false`, if there is one.
    pub(super) fn create(&self, bucket: &str, facts: impl FnOnce() -> BucketFacts) -> (SharedBucket, bool) {
        let mut buckets = self.change();
        if let Some(found) = buckets.get(bucket) {
            return (Arc::clone(found), false);
        }
        let now = SystemTime::now();
        let made = Arc::new(RwLock::new(StoredBucket {
            name: bucket.into(),
            created: now,
            updated: now,
            metageneration: 1,
            facts: facts(),
            objects: BTreeMap::new(),
            older: BTreeMap::new(),
            generations: Arc::clone(&self.generations),
        }));
        buckets.insert(bucket.to_owned(), Arc::clone(&made));
        (made, true)
    }

    /// Removes an empty bucket.
    pub(super) fn delete(
        &self,
        bucket: &str,
        check: impl FnOnce(&StoredBucket) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut buckets = self.change();
        let found = Arc::clone(buckets.get(bucket).ok_or_else(Failure::no_bucket)?);
        let found = found.read().unwrap_or_else(PoisonError::into_inner);
        check(&found)?;
        if !found.objects.is_empty() || !found.older.is_empty() {
            return Err(Failure::bucket_not_empty());
        }
        buckets.remove(bucket);
        Ok(())
    }
}
