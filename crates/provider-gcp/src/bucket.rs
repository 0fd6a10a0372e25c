//! Buckets of Cloud Storage behind the contract.
//!
//! Everything but bytes goes over gRPC (`google.storage.v2`), bytes over the JSON API, both by Google's own client library.

mod body;
mod call;
mod class;
mod connections;
mod copy;
mod delete;
mod described;
mod exposure;
mod facts;
mod get;
mod list;
mod meta;
mod names;
mod progress;
mod put;
mod rights;
mod usual_class;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use provider::{
    Bucket, BucketCapabilities, BucketFacts, BucketUrl, Copied, CopyRequest, CopyToken, DeleteOutcome, Error,
    ErrorKind, Facts, GetRequest, Key, LastBucketUrl, ListRequest, ListingStart, ObjectMeta, ObjectStream, Page, Put,
    PutRequest, Result, StorageClass, UnfinishedUpload, WriteRamp,
};

pub use facts::GcsFacts;

use crate::config::{GcsConfig, GcsTimeouts};
use crate::error::refused;
use connections::{Connections, Target};

/// Whose buckets these are, in URLs.
const SCHEME: &str = "gs";

/// Bytes of an object up to which one call is sure to copy it. The service answers a call after half a minute, which moves many times
/// as much even between continents.
const ONE_CALL: u64 = 256 << 20;

/// Writes a second that a bucket takes at first, and after how many seconds it takes twice as many. From Google's "Request rate and access
/// distribution guidelines".
const WRITES_PER_SECOND: u32 = 1000;
const DOUBLES_EVERY_SECONDS: u32 = 20 * 60;

/// A bucket of Cloud Storage, or a prefix of one.
///
/// Cheap to clone; clones share their connections. A name that Google has no objects of is refused with `Invalid` when it is
/// written to, and is absent when it is read.
///
/// Each request is sent once. A copy of an object with another class than the bucket's usual one takes a second request, for
/// the headers that have to be said then.
#[derive(Clone)]
pub struct GcsBucket {
    inner: Arc<Inner>,
}

struct Inner {
    connections: Arc<Connections>,
    terms: Arc<Terms>,
    place: BucketUrl,
    /// The bucket as gRPC names it.
    parent: String,
    /// All of the place as a URL.
    location: String,
    /// Where the last copy came from, as a URL and taken apart: usually the next one comes from there too.
    source: LastBucketUrl,
    usual_class: usual_class::Known,
}

/// On what terms requests are made, and what new objects are to be.
#[derive(Debug)]
struct Terms {
    user_project: Option<String>,
    class: Option<&'static StorageClass>,
    kms_key: Option<String>,
    rewrite_bytes: Option<i64>,
    writes_per_second: u32,
    timeouts: GcsTimeouts,
}

impl GcsBucket {
    /// Opens a bucket, on a runtime of tokio. Asks the service nothing yet; Application Default Credentials are looked for.
    ///
    /// # Errors
    /// `Invalid` for settings that no request can carry; `Unauthenticated` for credentials that can't be used.
    pub fn open(config: &GcsConfig) -> Result<Self> {
        let invalid = |why: String| refused(ErrorKind::Invalid, "open", format!("gs://{}", config.bucket), why);
        if config.bucket.is_empty() || config.bucket.contains(['/', '?']) {
            return Err(invalid("the bucket has no name, or one with a slash or question mark".to_owned()));
        }
        let http = |endpoint: &String| endpoint.starts_with("http://") || endpoint.starts_with("https://");
        if !config.endpoint.as_ref().is_none_or(http) {
            return Err(invalid("the endpoint must begin with http:// or https://".to_owned()));
        }
        if config.rewrite_bytes_per_call.is_some_and(|bytes| bytes <= 0 || bytes % (1 << 20) != 0) {
            return Err(invalid("the bytes of a rewrite call must be a multiple of 1 MiB (1048576)".to_owned()));
        }
        let class = config.storage_class.as_deref().map(|name| {
            let unknown = || invalid(format!("there is no storage class {name:?}: choose one of {}", class::choices()));
            class::chosen(name).ok_or_else(unknown)
        });
        let terms = Terms {
            user_project: config.user_project.clone(),
            class: class.transpose()?,
            kms_key: config.kms_key.clone(),
            rewrite_bytes: config.rewrite_bytes_per_call,
            writes_per_second: config.writes_per_second.unwrap_or(WRITES_PER_SECOND),
            timeouts: config.timeouts,
        };
        let target = Target {
            endpoint: config.endpoint.clone(),
            credentials: config.credentials.credentials()?,
            channels: config.channels,
        };
        let endpoint = config.endpoint.as_deref().map(BucketUrl::plain_endpoint);
        let place =
            BucketUrl { scheme: SCHEME, bucket: config.bucket.clone(), prefix: config.prefix.clone(), endpoint };
        Ok(Self::over(Connections::new(target), Arc::new(terms), place))
    }

    fn over(connections: Arc<Connections>, terms: Arc<Terms>, place: BucketUrl) -> Self {
        let (parent, location) = (resource_name(&place), place.to_string());
        let (source, usual_class) = (LastBucketUrl::default(), usual_class::Known::default());
        Self { inner: Arc::new(Inner { connections, terms, place, parent, location, source, usual_class }) }
    }

    /// Another bucket or prefix on the same terms, over the same connections.
    #[must_use]
    pub fn sibling(&self, bucket: impl Into<String>, prefix: impl Into<String>) -> Self {
        let Inner { connections, terms, place, .. } = &*self.inner;
        let place = BucketUrl {
            scheme: SCHEME,
            bucket: bucket.into(),
            prefix: prefix.into(),
            endpoint: place.endpoint.clone(),
        };
        Self::over(Arc::clone(connections), Arc::clone(terms), place)
    }

    /// How many connections calls are spread over so far: more as more calls are under way at once.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.inner.connections.opened()
    }

    /// Those of some permissions on the bucket (`storage.objects.list`) that the credentials lack, in the order given.
    ///
    /// # Errors
    /// Those of asking: `NotFound`, `Unauthenticated`, `Unavailable` and the like.
    pub async fn missing_permissions(&self, asked: &[&'static str]) -> Result<Vec<&'static str>> {
        rights::missing(self, asked).await
    }

    /// What only Google's buckets have, besides [`BucketFacts::facts`].
    ///
    /// # Errors
    /// `Denied` when the right to ask is missing (`storage.buckets.get`), and those of asking.
    pub async fn google_facts(&self) -> Result<GcsFacts> {
        facts::bucket(self).await.map(|found| facts::of_google(&found))
    }

    fn parent(&self) -> &str {
        &self.inner.parent
    }

    /// The key as the store knows it.
    fn full(&self, key: &str) -> String {
        format!("{}{key}", self.inner.place.prefix)
    }

    /// A key in messages.
    fn resource(&self, full: &str) -> String {
        format!("gs://{}/{full}", self.inner.place.bucket)
    }

    /// The full key to write to.
    fn full_to_write(&self, key: &Key, operation: &'static str) -> Result<String> {
        let full = self.full(key.as_str());
        if names::rules(&self.inner.place.prefix).holds(key.as_str()) && names::is_name(&full) {
            return Ok(full);
        }
        let why = "Cloud Storage has no objects of this name, or it is one that tools take for a path";
        Err(refused(ErrorKind::Invalid, operation, self.resource(&full), why))
    }

    /// The full key to read, absent where the store can't have it.
    fn full_to_read(&self, key: &Key, operation: &'static str) -> Result<String> {
        let full = self.full(key.as_str());
        if !key.as_str().is_empty() && names::is_name(&full) {
            return Ok(full);
        }
        Err(Error::new(ErrorKind::NotFound, operation, self.resource(&full)))
    }
}

/// A bucket as gRPC names it.
fn resource_name(place: &BucketUrl) -> String {
    format!("projects/_/buckets/{}", place.bucket)
}

impl fmt::Debug for GcsBucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GcsBucket")
            .field("location", &self.inner.location)
            .field("terms", &self.inner.terms)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Bucket for GcsBucket {
    fn capabilities(&self) -> BucketCapabilities {
        let step = self.inner.terms.rewrite_bytes.and_then(|bytes| u64::try_from(bytes).ok());
        BucketCapabilities {
            listing_start: ListingStart::AfterAnyKey,
            page_keys: list::PAGE_KEYS,
            single_copy_bytes: step.map_or(ONE_CALL, |step| step.min(ONE_CALL)),
            create_only_put: true,
            conditional_copy: true,
            checked_put: true,
            metadata: true,
            delete_keys: delete::KEYS,
            keys: names::rules(&self.inner.place.prefix),
            write_ramp: Some(WriteRamp {
                per_second: self.inner.terms.writes_per_second,
                doubles_every_seconds: DOUBLES_EVERY_SECONDS,
            }),
        }
    }

    fn location(&self) -> String {
        self.inner.location.clone()
    }

    fn with_own_connections(&self) -> Option<Arc<dyn Bucket>> {
        let Inner { connections, terms, place, .. } = &*self.inner;
        Some(Arc::new(Self::over(connections.another(), Arc::clone(terms), place.clone())))
    }

    async fn list(&self, request: &ListRequest) -> Result<Page> {
        list::list(self, request).await
    }

    async fn copy_from(&self, request: &CopyRequest) -> Result<Copied> {
        copy::copy(self, request).await
    }

    async fn abandon_copy(&self, to: &Key, token: &CopyToken) -> Result<()> {
        copy::abandon(self, to, token)
    }

    async fn get(&self, request: &GetRequest) -> Result<ObjectStream> {
        get::get(self, request).await
    }

    async fn put(&self, request: PutRequest) -> Result<Put> {
        put::put(self, request).await
    }

    async fn head(&self, key: &Key) -> Result<Option<ObjectMeta>> {
        get::head(self, key).await
    }

    async fn delete(&self, keys: &[Key]) -> Result<Vec<DeleteOutcome>> {
        delete::delete(self, keys).await
    }
}

#[async_trait]
impl BucketFacts for GcsBucket {
    async fn facts(&self) -> Result<Facts> {
        facts::facts(self).await
    }

    async fn unfinished_uploads(&self) -> Result<Vec<UnfinishedUpload>> {
        facts::unfinished_uploads(self)
    }
}
