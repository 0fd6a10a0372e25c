//! A bucket of an S3 store behind the contract.

mod copy;
mod delete;
mod exposure;
mod facts;
mod get;
mod list;
mod meta;
mod put;
mod upload;

pub(crate) use meta::{checksum, timestamp};

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use provider::{
    Bucket, BucketCapabilities, BucketFacts, BucketUrl, Copied, CopyRequest, CopyToken, DeleteOutcome, Error,
    ErrorKind, Facts, GetRequest, Key, LastBucketUrl, ListRequest, ObjectMeta, ObjectStream, Page, Put, PutRequest,
    Result, UnfinishedUpload,
};

use crate::client::Clients;
use crate::error::refused;
use crate::hot::HotCalls;
use crate::hot::choice::ClientChoice;
use crate::terms::Terms;
use crate::{Quirks, S3Config, StoreKind, region};

/// Whose buckets these are, in URLs.
const SCHEME: &str = "s3";

/// A bucket of an S3 store, or a prefix of one.
///
/// Cheap to clone; clones share their connections. Where a key could not be held exactly as written
/// ([`Quirks::keys`]), nothing is sent: a write is refused with `Invalid`, and a read finds nothing, rather than
/// touching the object that the store would make of the name.
///
/// Two kinds of keys that no capability tells of are refused with an error: those of blanks only, which the SDK takes for none,
/// and, above the size of one part, those with control characters, which the protocol's XML can't carry.
///
/// Differences from the ideal, told by the capabilities: without `conditional_copy` a copy compares the version just
/// before it copies, which leaves a moment in between.
#[derive(Clone)]
pub struct S3Bucket {
    inner: Arc<Inner>,
}

struct Inner {
    clients: Clients,
    /// The two calls that copy and list.
    hot: Arc<dyn HotCalls>,
    choice: ClientChoice,
    bucket: String,
    prefix: String,
    endpoint: Option<String>,
    /// All of it as a URL.
    location: String,
    /// Where the last copy came from, as a URL and taken apart: usually the next one comes from there too.
    source: LastBucketUrl,
    quirks: Quirks,
}

impl S3Bucket {
    /// Opens a bucket. Amazon S3 is asked which region it is in, once in a process, and that one is used whatever was configured; of
    /// other stores nothing is asked yet. With [`crate::CredentialsConfig::Chain`] the SDK reads the environment, its files and
    /// perhaps the instance's metadata.
    ///
    /// # Errors
    /// `Invalid` for an empty bucket name, an endpoint that isn't a URL of HTTP, and settings that no request can carry.
    pub async fn open(config: &S3Config) -> Result<Self> {
        let invalid = |why| refused(ErrorKind::Invalid, "open", format!("s3://{}", config.bucket), why);
        if config.bucket.is_empty() || config.bucket.contains(['/', '?']) {
            return Err(invalid("the bucket has no name, or one with a slash or question mark"));
        }
        let http = |endpoint: &String| endpoint.starts_with("http://") || endpoint.starts_with("https://");
        if !config.endpoint.as_ref().is_none_or(http) {
            return Err(invalid("the endpoint must begin with http:// or https://"));
        }
        let quirks = config.resolved_quirks();
        let terms = Terms::of(config).map_err(|why| {
            Error::new(ErrorKind::Invalid, "open", format!("s3://{}", config.bucket)).with_source(why)
        })?;
        let mut clients = Clients::connect(config, &quirks, terms.clone()).await;
        if config.kind() == StoreKind::Aws
            && let Some(region) = region::elsewhere(&clients, config).await
        {
            tracing::info!(bucket = config.bucket, %region, instead_of = clients.region, "the bucket's own region is used");
            let there = S3Config { region: Some(region), ..config.clone() };
            clients = Clients::connect(&there, &quirks, terms).await;
        }
        let endpoint = config.endpoint.as_deref().map(BucketUrl::plain_endpoint);
        Ok(Self::over(clients, config.bucket.clone(), config.prefix.clone(), endpoint, quirks))
    }

    fn over(clients: Clients, bucket: String, prefix: String, endpoint: Option<String>, quirks: Quirks) -> Self {
        let (hot, choice) = clients.hot(&bucket);
        let place = BucketUrl { scheme: SCHEME, bucket, prefix, endpoint };
        let (location, source) = (place.to_string(), LastBucketUrl::default());
        let BucketUrl { bucket, prefix, endpoint, .. } = place;
        Self { inner: Arc::new(Inner { clients, hot, choice, bucket, prefix, endpoint, location, source, quirks }) }
    }

    /// Another bucket or prefix of the same store, over the same connections.
    #[must_use]
    pub fn sibling(&self, bucket: impl Into<String>, prefix: impl Into<String>) -> Self {
        let Inner { clients, endpoint, quirks, .. } = &*self.inner;
        Self::over(clients.clone(), bucket.into(), prefix.into(), endpoint.clone(), quirks.clone())
    }

    /// The client that copies and lists in this bucket, and why it is not the one that was asked for.
    #[must_use]
    pub fn client_choice(&self) -> ClientChoice {
        self.inner.choice
    }

    /// What the store can do, as configured.
    #[must_use]
    pub fn quirks(&self) -> &Quirks {
        &self.inner.quirks
    }

    fn client(&self) -> &Client {
        self.inner.clients.quick.get()
    }

    fn patient(&self) -> &Client {
        self.inner.clients.patient.get()
    }

    fn hot(&self) -> &dyn HotCalls {
        &*self.inner.hot
    }

    fn name(&self) -> &str {
        &self.inner.bucket
    }

    fn terms(&self) -> &Terms {
        &self.inner.clients.terms
    }

    /// The key as the store knows it.
    fn full(&self, key: &str) -> String {
        format!("{}{key}", self.inner.prefix)
    }

    /// A key in messages.
    fn resource(&self, full: &str) -> String {
        format!("s3://{}/{full}", self.inner.bucket)
    }

    /// Whether the store holds this full key exactly as written.
    fn holds(&self, full: &str) -> bool {
        self.inner.quirks.keys.holds(full)
    }

    /// The full key to write to, refused where the store would make another one of it.
    fn full_to_write(&self, key: &Key, operation: &'static str) -> Result<String> {
        let full = self.full(key.as_str());
        if !key.as_str().is_empty() && self.holds(&full) {
            return Ok(full);
        }
        let why = "the store doesn't hold this key exactly as written";
        Err(refused(ErrorKind::Invalid, operation, self.resource(&full), why))
    }

    /// The full key to read, absent where the store can't hold it.
    fn full_to_read(&self, key: &Key, operation: &'static str) -> Result<String> {
        let full = self.full(key.as_str());
        if !key.as_str().is_empty() && self.holds(&full) {
            return Ok(full);
        }
        Err(self.absent(operation, &full))
    }

    fn absent(&self, operation: &'static str, full: &str) -> Error {
        Error::new(ErrorKind::NotFound, operation, self.resource(full))
    }
}

impl fmt::Debug for S3Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Bucket")
            .field("location", &self.inner.location)
            .field("region", &self.inner.clients.region)
            .field("client", &self.inner.choice)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Bucket for S3Bucket {
    fn capabilities(&self) -> BucketCapabilities {
        self.inner.quirks.capabilities(&self.inner.prefix)
    }

    fn location(&self) -> String {
        self.inner.location.clone()
    }

    fn with_own_connections(&self) -> Option<Arc<dyn Bucket>> {
        let Inner { clients, bucket, prefix, endpoint, quirks, .. } = &*self.inner;
        let clients = clients.with_own_connections();
        Some(Arc::new(Self::over(clients, bucket.clone(), prefix.clone(), endpoint.clone(), quirks.clone())))
    }

    async fn list(&self, request: &ListRequest) -> Result<Page> {
        list::list(self, request).await
    }

    async fn copy_from(&self, request: &CopyRequest) -> Result<Copied> {
        copy::copy(self, request).await
    }

    async fn abandon_copy(&self, to: &Key, token: &CopyToken) -> Result<()> {
        copy::abandon(self, to, token).await
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

    async fn tags(&self, key: &Key) -> Result<BTreeMap<String, String>> {
        get::tags(self, key).await
    }

    async fn delete(&self, keys: &[Key]) -> Result<Vec<DeleteOutcome>> {
        delete::delete(self, keys).await
    }
}

#[async_trait]
impl BucketFacts for S3Bucket {
    async fn facts(&self) -> Result<Facts> {
        facts::facts(self).await
    }

    async fn unfinished_uploads(&self) -> Result<Vec<UnfinishedUpload>> {
        facts::unfinished_uploads(self).await
    }
}
