//! A bucket of the server as its owner sees it: read and filled without a request.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;

use super::store::{Object, ObjectHeaders, Store, StoredBucket, Upload};

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
        store.create(&name);
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

    /// Writes an object. Answers its ETag.
    pub fn put(&self, key: &str, bytes: impl Into<Bytes>, headers: Option<ObjectHeaders>) -> String {
        let headers = headers.map_or_else(|| Arc::clone(&self.plain), Arc::new);
        let object = Object::new(bytes.into(), headers);
        let etag = object.etag.to_string();
        self.with(|bucket| bucket.objects.insert(key.into(), object));
        etag
    }

    /// Writes an object that was read, here or from another bucket, under a key. Its content and ETag are shared, not made
    /// again: so a million objects take little memory and time.
    pub fn put_object(&self, key: &str, object: Object) {
        self.with(|bucket| bucket.objects.insert(key.into(), object));
    }

    /// An object, if it's there.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Object> {
        self.with(|bucket| bucket.objects.get(key).cloned())
    }

    /// Removes an object; `false` when there was none.
    pub fn remove(&self, key: &str) -> bool {
        self.with(|bucket| bucket.objects.remove(key).is_some())
    }

    /// Removes every object.
    pub fn clear(&self) {
        self.with(|bucket| bucket.objects.clear());
    }

    /// All keys, sorted by their bytes.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.with(|bucket| bucket.objects.keys().map(|key| key.to_string()).collect())
    }

    /// Runs `each` on all objects whose key begins with `prefix`, in the order of their keys, while nothing can be written.
    pub fn for_each(&self, prefix: &str, mut each: impl FnMut(&str, &Object)) {
        self.with(|bucket| {
            bucket.range(prefix, Bound::Unbounded).for_each(|(key, object)| each(key, object));
        });
    }

    /// Number of objects.
    #[must_use]
    pub fn object_count(&self) -> usize {
        self.with(|bucket| bucket.objects.len())
    }

    /// Begins a multipart upload, as a client does that dies right afterwards.
    pub fn begin_upload(&self, key: &str) {
        let upload =
            Upload { started: SystemTime::now(), headers: Arc::clone(&self.plain), parts: BTreeMap::default() };
        let id = uuid::Uuid::now_v7().simple().to_string();
        self.with(|bucket| drop(bucket.uploads.insert((key.to_owned(), id), upload)));
    }

    /// Keys of the multipart uploads that were begun and neither completed nor aborted.
    #[must_use]
    pub fn unfinished_uploads(&self) -> Vec<String> {
        self.with(|bucket| bucket.uploads.keys().map(|(key, _)| key.clone()).collect())
    }

    /// Whether everybody may read the bucket, as its ACL and policy status tell.
    pub fn set_public(&self, public: bool) {
        self.with(|bucket| bucket.public = public);
    }

    /// Whether `GetBucketVersioning` says `Enabled`. Old versions are not kept either way.
    pub fn set_versioning(&self, versioning: bool) {
        self.with(|bucket| bucket.versioning = versioning);
    }

    fn with<T>(&self, act: impl FnOnce(&mut StoredBucket) -> T) -> T {
        self.store.with_created(&self.name, act)
    }
}

impl std::fmt::Debug for BucketHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BucketHandle").field("name", &self.name).finish_non_exhaustive()
    }
}
