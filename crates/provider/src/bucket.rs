//! Objects: list, copy, read, write, delete. Seven calls, each with a request struct.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{BucketCapabilities, Key, Result};

/// One bucket, or one prefix of a bucket, of one store.
///
/// **Keys** are raw ([`Key`]). A bucket opened at a prefix adds and removes that prefix and nothing else.
///
/// **Atomicity.** An object is visible with all its bytes or not at all. A call that was cancelled (its future dropped)
/// or failed leaves either the old object or the whole new one.
///
/// **Repeating.** Every call may be sent again. `delete` of what is absent is a success; a create-only `put` sent again
/// after a lost reply answers `AlreadyExists`, and the caller compares.
///
/// **Retries** are the caller's: implementations send each request once and report throttling as it came
/// ([`crate::Retry`]).
#[async_trait]
pub trait Bucket: Send + Sync + fmt::Debug {
    /// What this store can do. Constant for the life of the value.
    fn capabilities(&self) -> BucketCapabilities;

    /// Where this bucket is, as a URL without secrets: for messages and manifests.
    fn location(&self) -> String;

    /// The same bucket over connections of its own, for a thread that has a runtime of its own; `None` when this value
    /// serves every thread equally well.
    ///
    /// Opens nothing yet. Credentials are shared, so they are fetched once.
    fn with_own_connections(&self) -> Option<Arc<dyn Bucket>> {
        None
    }

    /// One page of a listing, sorted by the bytes of the raw keys.
    ///
    /// The pages of one listing hold each object that exists during the whole listing exactly once.
    ///
    /// # Errors
    /// `NotFound` when the bucket is missing; an absent prefix is an empty page.
    async fn list(&self, request: &ListRequest) -> Result<Page>;

    /// Copies an object inside the store, with its metadata and content headers.
    ///
    /// Up to [`BucketCapabilities::single_copy_bytes`] one call finishes. Above it, each call makes progress and answers
    /// [`Copied::More`]; the token continues the copy, in this process or another one. Nothing is visible under the
    /// destination key before [`Copied::Done`].
    ///
    /// # Errors
    /// `Changed` when `if_version` is given and the source is another one by now: the destination is untouched.
    /// `NotFound` when the source is gone. `Unsupported` when `source` is not a location this store can read by itself.
    async fn copy_from(&self, request: &CopyRequest) -> Result<Copied>;

    /// Gives up a copy that was left at a [`Copied::More`], freeing what the store keeps for it.
    ///
    /// # Errors
    /// An upload that no longer exists is a success.
    async fn abandon_copy(&self, to: &Key, token: &CopyToken) -> Result<()>;

    /// Reads an object, or a range of it.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` for a range that begins beyond the end; `Changed` for a version that is no longer there. A
    /// stream that ends early ends with an error, never silently.
    async fn get(&self, request: &GetRequest) -> Result<ObjectStream>;

    /// Writes an object from a stream.
    ///
    /// # Errors
    /// `AlreadyExists` for [`PutMode::CreateOnly`] over an existing key. `Corrupt` when the bytes do not have the size or
    /// checksum that the request names. An error of the body stream ends the call with that error. In each case
    /// nothing new is visible.
    async fn put(&self, request: PutRequest) -> Result<Put>;

    /// Facts of one object, or `None` when there is none.
    ///
    /// # Errors
    /// `NotFound` is never an error here, unless the bucket itself is missing.
    async fn head(&self, key: &Key) -> Result<Option<ObjectMeta>>;

    /// The tags of an object; none where the store has no such thing. Copies in one call have their source's by themselves.
    ///
    /// # Errors
    /// `NotFound` when the object is gone.
    async fn tags(&self, key: &Key) -> Result<BTreeMap<String, String>> {
        let _ = key;
        Ok(BTreeMap::new())
    }

    /// Deletes objects. One outcome per key, in the order given; absent is success.
    ///
    /// # Errors
    /// Only when the whole call failed; a failure of one key is in its outcome.
    async fn delete(&self, keys: &[Key]) -> Result<Vec<DeleteOutcome>>;
}

/// Which part of a bucket to list, and where to go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListRequest {
    /// Only keys that begin with this. Empty: all.
    pub prefix: String,
    /// Only keys after this one. Ignored with a `token`. Stores without
    /// [`ListingStart::AfterAnyKey`](crate::ListingStart::AfterAnyKey) answer `Unsupported`.
    pub after: Option<Key>,
    /// Only keys up to and including this one.
    pub through: Option<Key>,
    /// The page to go on with, from the page before.
    pub token: Option<ListToken>,
    /// Most keys in the page; 0 means as many as the store gives.
    pub max_keys: usize,
}

/// Where a listing goes on. Opaque; valid for the request that it came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListToken(pub String);

/// One page of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Objects, sorted by key.
    pub objects: Vec<ObjectMeta>,
    /// The next page; `None` at the end.
    pub next: Option<ListToken>,
}

/// What identifies the content of an object: an ETag or a generation. Compared as a whole, never interpreted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ObjectVersion(pub String);

/// A checksum that a store keeps for an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Checksum {
    /// MD5 of the content.
    Md5(#[serde(with = "hex::serde")] [u8; 16]),
    /// CRC-32C of the content.
    Crc32c(u32),
    /// CRC-64/NVME of the content.
    Crc64Nvme(u64),
    /// SHA-256 of the content.
    Sha256(#[serde(with = "hex::serde")] [u8; 32]),
}

/// Headers that travel with the content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContentHeaders {
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Content-Encoding`. Pachyderm on Amazon writes `application/octet-stream` here.
    pub content_encoding: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
    /// `Content-Language`.
    pub content_language: Option<String>,
}

/// What is known of an object. Listings leave `details` empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectMeta {
    /// The raw key.
    pub key: Key,
    /// Size in bytes.
    pub size: u64,
    /// ETag or generation.
    pub version: ObjectVersion,
    /// Last change, by the store's clock.
    pub modified: Option<Timestamp>,
    /// A checksum of the content, where the store tells one.
    pub checksum: Option<Checksum>,
    /// Class of storage; `None` for the store's usual one, or where the store doesn't tell.
    pub class: Option<&'static StorageClass>,
    /// Headers and metadata; `None` when there are none. Apart, since millions of objects are listed without.
    pub details: Option<Box<ObjectDetails>>,
}

impl ObjectMeta {
    /// Content headers and user metadata.
    #[must_use]
    pub fn details(&self) -> &ObjectDetails {
        static NONE: ObjectDetails = ObjectDetails::none();
        self.details.as_deref().unwrap_or(&NONE)
    }
}

/// What goes with the content of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectDetails {
    /// Content headers.
    pub headers: ContentHeaders,
    /// User metadata, keys in lower case.
    pub metadata: BTreeMap<String, String>,
}

impl ObjectDetails {
    const fn none() -> Self {
        let headers = ContentHeaders {
            content_type: None,
            content_encoding: None,
            cache_control: None,
            content_disposition: None,
            content_language: None,
        };
        Self { headers, metadata: BTreeMap::new() }
    }

    /// As [`ObjectMeta::details`] has it.
    #[must_use]
    pub fn boxed(self) -> Option<Box<Self>> {
        (self != Self::none()).then(|| Box::new(self))
    }
}

/// A class of storage: a tier with a price of its own.
#[derive(Debug, PartialEq, Eq)]
pub struct StorageClass {
    /// As the store calls it.
    pub name: &'static str,
    /// Whether an object in it has to be brought back before it can be read or copied.
    pub archived: bool,
}

/// A copy from another bucket of the same store.
#[derive(Clone, Debug)]
pub struct CopyRequest<'a> {
    /// The bucket that holds the source.
    pub source: &'a dyn Bucket,
    /// The source's key.
    pub from: Key,
    /// The destination's key.
    pub to: Key,
    /// Size of the source, as listed.
    pub size: u64,
    /// Class of the source, as listed: the copy gets the same one, unless the destination was opened with another.
    pub class: Option<&'static StorageClass>,
    /// The source must still be this one.
    pub if_version: Option<ObjectVersion>,
    /// Where to go on.
    pub token: Option<CopyToken>,
}

/// Where a large copy goes on. Opaque, and valid in another process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyToken(pub String);

/// How far a copy got.
#[allow(clippy::large_enum_variant, reason = "one value per call, taken apart at once")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Copied {
    /// The destination is there, whole.
    Done(ObjectMeta),
    /// Not finished: call again with the token.
    More {
        /// Where to go on.
        token: CopyToken,
        /// Bytes copied so far, of the request's size.
        bytes: u64,
    },
}

/// What to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetRequest {
    /// The object.
    pub key: Key,
    /// Bytes wanted; `None` means all. An end beyond the object's is cut to it.
    pub range: Option<Range<u64>>,
    /// The object must still be this one.
    pub if_version: Option<ObjectVersion>,
}

impl GetRequest {
    /// The whole object, whatever its version.
    pub fn whole(key: impl Into<Key>) -> Self {
        Self { key: key.into(), range: None, if_version: None }
    }
}

/// An object being read.
pub struct ObjectStream {
    /// Facts of the whole object, also when a range is read.
    pub meta: ObjectMeta,
    /// The bytes. Dropping it ends the transfer.
    pub body: BoxStream<'static, Result<Bytes>>,
}

impl fmt::Debug for ObjectStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectStream").field("meta", &self.meta).finish_non_exhaustive()
    }
}

/// What to write.
pub struct PutRequest {
    /// The key.
    pub key: Key,
    /// What to do when the key is taken.
    pub mode: PutMode,
    /// The bytes.
    pub body: BoxStream<'static, Result<Bytes>>,
    /// Size in bytes, if known; the write fails when the body has another one.
    pub size: Option<u64>,
    /// SHA-256 of the body, if known; the write fails when the body has another one.
    pub sha256: Option<[u8; 32]>,
    /// Content headers.
    pub headers: ContentHeaders,
    /// User metadata.
    pub metadata: BTreeMap<String, String>,
}

impl PutRequest {
    /// A write of bytes at hand, with their size and without headers.
    pub fn bytes(key: impl Into<Key>, mode: PutMode, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self {
            key: key.into(),
            mode,
            size: Some(bytes.len() as u64),
            body: Box::pin(futures::stream::iter([Ok(bytes)])),
            sha256: None,
            headers: ContentHeaders::default(),
            metadata: BTreeMap::new(),
        }
    }
}

impl fmt::Debug for PutRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PutRequest").field("key", &self.key).field("mode", &self.mode).finish_non_exhaustive()
    }
}

/// What a write does when the key is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutMode {
    /// Replace it.
    Overwrite,
    /// Fail with `AlreadyExists`, atomically where
    /// [`BucketCapabilities::create_only_put`] says so; `Unsupported` elsewhere.
    CreateOnly,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// Version of the new object.
    pub version: ObjectVersion,
    /// Size in bytes.
    pub size: u64,
}

/// What became of one key of a delete.
#[derive(Debug)]
pub struct DeleteOutcome {
    /// The key.
    pub key: Key,
    /// `Ok` also when it was absent.
    pub result: Result<()>,
}
