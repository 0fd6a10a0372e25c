//! What the server holds: buckets of objects sorted by key, and unfinished multipart uploads.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::SystemTime;

use bytes::Bytes;
use s3s::crypto::{Checksum as _, Md5};
use s3s::{S3Error, S3ErrorCode, S3Result};

/// Headers and metadata that travel with an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectHeaders {
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Content-Encoding`.
    pub content_encoding: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
    /// `Content-Language`.
    pub content_language: Option<String>,
    /// User metadata, without `x-amz-meta-`.
    pub metadata: BTreeMap<String, String>,
}

/// An object.
#[derive(Clone, Debug)]
pub struct Object {
    /// Its content.
    pub bytes: Bytes,
    /// Its ETag, without quotes: the MD5 of the content, or of the parts' MD5s with `-` and their number.
    pub etag: Arc<str>,
    /// When it was written.
    pub modified: SystemTime,
    /// Headers and metadata; objects without any share one value.
    pub headers: Arc<ObjectHeaders>,
    /// Checksums that came with it, in base64.
    pub(super) checksums: Option<Arc<s3s::dto::Checksum>>,
}

impl Object {
    /// An object of this content without headers, written now.
    #[must_use]
    pub fn plain(bytes: impl Into<Bytes>) -> Self {
        Self::new(bytes.into(), Arc::default())
    }

    pub(super) fn new(bytes: Bytes, headers: Arc<ObjectHeaders>) -> Self {
        let etag = hex::encode(Md5::checksum(&bytes)).into();
        Self { bytes, etag, modified: SystemTime::now(), headers, checksums: None }
    }

    /// This object written again by one request, with other headers. A copy has the ETag of its content: that is the
    /// source's, unless the source was uploaded in parts.
    pub(super) fn copy(self, headers: Arc<ObjectHeaders>) -> Self {
        if self.etag.contains('-') {
            return Self { checksums: self.checksums, ..Self::new(self.bytes, headers) };
        }
        Self { modified: SystemTime::now(), headers, ..self }
    }
}

/// A part of an unfinished upload.
pub(super) struct Part {
    pub(super) bytes: Bytes,
    pub(super) md5: [u8; 16],
    pub(super) modified: SystemTime,
}

/// An unfinished upload.
pub(super) struct Upload {
    pub(super) started: SystemTime,
    pub(super) headers: Arc<ObjectHeaders>,
    pub(super) parts: BTreeMap<i32, Part>,
}

/// A bucket.
pub(super) struct StoredBucket {
    pub(super) created: SystemTime,
    pub(super) objects: BTreeMap<Arc<str>, Object>,
    pub(super) uploads: BTreeMap<(String, String), Upload>,
    pub(super) public: bool,
    pub(super) versioning: bool,
}

impl StoredBucket {
    fn shared() -> Arc<RwLock<Self>> {
        Arc::new(RwLock::new(Self {
            created: SystemTime::now(),
            objects: BTreeMap::new(),
            uploads: BTreeMap::new(),
            public: false,
            versioning: false,
        }))
    }

    pub(super) fn object(&self, key: &str) -> S3Result<&Object> {
        self.objects.get(key).ok_or_else(|| S3Error::new(S3ErrorCode::NoSuchKey))
    }

    pub(super) fn upload(&mut self, key: &str, id: &str) -> S3Result<&mut Upload> {
        self.uploads.get_mut(&(key.to_owned(), id.to_owned())).ok_or_else(|| S3Error::new(S3ErrorCode::NoSuchUpload))
    }

    pub(super) fn unfinished(&self, key: &str, id: &str) -> S3Result<&Upload> {
        self.uploads.get(&(key.to_owned(), id.to_owned())).ok_or_else(|| S3Error::new(S3ErrorCode::NoSuchUpload))
    }

    /// Objects whose key begins with `prefix`, from `start` on.
    pub(super) fn range<'a>(
        &'a self,
        prefix: &'a str,
        start: Bound<&'a str>,
    ) -> impl Iterator<Item = (&'a Arc<str>, &'a Object)> {
        let from = match start {
            Bound::Included(key) | Bound::Excluded(key) if key >= prefix => start,
            _ => Bound::Included(prefix),
        };
        self.objects.range::<str, _>((from, Bound::Unbounded)).take_while(move |(key, _)| key.starts_with(prefix))
    }
}

type Shelf = BTreeMap<String, Arc<RwLock<StoredBucket>>>;

/// All buckets of a server. Clones share them. Each bucket has a lock of its own, so that reading one does not wait for
/// writes to another.
#[derive(Clone, Default)]
pub(super) struct Store {
    buckets: Arc<RwLock<Shelf>>,
}

impl Store {
    pub(super) fn all(&self) -> RwLockReadGuard<'_, Shelf> {
        self.buckets.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) -> RwLockWriteGuard<'_, Shelf> {
        self.buckets.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn bucket(&self, bucket: &str) -> S3Result<Arc<RwLock<StoredBucket>>> {
        self.all().get(bucket).cloned().ok_or_else(|| S3Error::new(S3ErrorCode::NoSuchBucket))
    }

    /// Looks at a bucket.
    pub(super) fn read<T>(&self, bucket: &str, look: impl FnOnce(&StoredBucket) -> S3Result<T>) -> S3Result<T> {
        look(&self.bucket(bucket)?.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Runs `act` on a bucket.
    pub(super) fn with<T>(&self, bucket: &str, act: impl FnOnce(&mut StoredBucket) -> S3Result<T>) -> S3Result<T> {
        act(&mut self.bucket(bucket)?.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes a bucket; `false` when it was there.
    pub(super) fn create(&self, bucket: &str) -> bool {
        let mut buckets = self.change();
        let absent = !buckets.contains_key(bucket);
        buckets.entry(bucket.to_owned()).or_insert_with(StoredBucket::shared);
        absent
    }

    /// Removes an empty bucket.
    pub(super) fn delete(&self, bucket: &str) -> S3Result<()> {
        let mut buckets = self.change();
        let found = buckets.get(bucket).ok_or_else(|| S3Error::new(S3ErrorCode::NoSuchBucket))?;
        if !found.read().unwrap_or_else(PoisonError::into_inner).objects.is_empty() {
            return Err(S3Error::new(S3ErrorCode::BucketNotEmpty));
        }
        buckets.remove(bucket);
        Ok(())
    }

    /// Runs `act` on a bucket, which is made if it isn't there.
    pub(super) fn with_created<T>(&self, bucket: &str, act: impl FnOnce(&mut StoredBucket) -> T) -> T {
        let found = Arc::clone(self.change().entry(bucket.to_owned()).or_insert_with(StoredBucket::shared));
        let mut found = found.write().unwrap_or_else(PoisonError::into_inner);
        act(&mut found)
    }
}
