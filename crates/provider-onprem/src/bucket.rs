//! A directory as a bucket.

mod facts;
mod path;
mod read;
mod scratch;
mod walk;
mod write;

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use provider::{
    Bucket, BucketCapabilities, Copied, CopyRequest, CopyToken, DeleteOutcome, Error, ErrorKind, GetRequest, Key,
    ListRequest, ListToken, ListingStart, ObjectMeta, ObjectStream, Page, Put, PutMode, PutRequest, Result,
};

use self::path::{check_key, find, missing, object_meta, version};
use self::walk::Walk;
use self::write::Writing;
use crate::error::Context;
use crate::{FileError, FileOptions, MissingRoot, config};

pub(crate) use self::path::TEMPORARY;

/// Most keys in one page of a listing.
const PAGE_KEYS: usize = 10_000;

/// Bytes gathered before they are handed to the thread that writes.
const WRITE_BYTES: usize = 1 << 20;

/// Listings that can go on without looking for their place again.
const WALKS_KEPT: usize = 16;

/// A directory as a bucket: the storage root of a cluster with the LOCAL backend, or a vault.
///
/// **Keys** are relative paths. What no path stands for exactly (empty, `.` and `..` segments, a leading or trailing
/// slash) is refused with `Invalid`; so is the first segment `.pachsnap-tmp`, which holds files being written.
///
/// **Links** are never followed below the root: a symbolic link in the way of a key or in a listing is an `Invalid`
/// error that names it. So is what is neither a file nor a directory. The directory itself may be given by a link.
/// Whoever may replace directories while a call runs is trusted.
///
/// **Writes** go to a file of their own, are made durable and then get their name in one step. Files are for
/// their owner only (0600), new directories too (0700).
///
/// **Versions** are time of last change, size and inode; content headers, metadata and checksums aren't kept.
///
/// **Reads and copies** of a file that is changed in place (as pachd does) fail with `Changed` and never give a mix.
#[derive(Clone, Debug)]
pub struct FileBucket {
    root: PathBuf,
    location: String,
    options: FileOptions,
    walks: Arc<Mutex<Vec<(ListRequest, Walk)>>>,
}

impl FileBucket {
    /// Opens a directory.
    ///
    /// # Errors
    /// `NotFound` when it isn't there and [`MissingRoot`] says so; `Invalid` when it isn't a directory; `Denied`.
    pub async fn open(path: impl AsRef<Path>, options: FileOptions) -> Result<Self> {
        let path = path.as_ref().to_owned();
        let context = Context { operation: "open", resource: path.display().to_string() };
        let (context, root) = blocking(&context, move |context| {
            if options.missing == MissingRoot::Create {
                let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
                made.map_err(|cause| context.io(cause))?;
            }
            let root = fs::canonicalize(&path).map_err(|cause| context.io(cause))?;
            path::check_root(context, &root)?;
            Ok((context.clone(), root))
        })
        .await?;
        let location = config::file_url(&root).map_err(|_| context.plain(ErrorKind::Invalid))?;
        Ok(Self { root, location, options, walks: Arc::default() })
    }

    /// Opens the directory that a `file://` URL names.
    ///
    /// # Errors
    /// Those of [`FileBucket::open`]; `Invalid` for a URL that isn't `file:///path`.
    pub async fn open_url(url: &str, options: FileOptions) -> Result<Self> {
        Self::open(config::path_of_url(url)?, options).await
    }

    /// The directory, absolute and without links.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.root
    }

    fn context(&self, operation: &'static str, key: Option<&Key>) -> Context {
        let resource = match key {
            Some(key) => format!("{} key {:?}", self.location, key.as_str()),
            None => self.location.clone(),
        };
        Context { operation, resource }
    }

    /// A walk that waits for this very request, if there is one.
    fn waiting_walk(&self, request: &ListRequest) -> Option<Walk> {
        let mut walks = self.walks.lock().unwrap_or_else(PoisonError::into_inner);
        let position = walks.iter().position(|(waiting, _)| waiting == request)?;
        Some(walks.remove(position).1)
    }

    fn keep_walk(&self, request: ListRequest, walk: Walk) {
        let mut walks = self.walks.lock().unwrap_or_else(PoisonError::into_inner);
        if walks.len() == WALKS_KEPT {
            walks.remove(0);
        }
        walks.push((request, walk));
    }
}

/// Runs work that waits for the disk where it keeps nobody else waiting.
async fn blocking<T: Send + 'static>(
    context: &Context,
    work: impl FnOnce(&Context) -> Result<T> + Send + 'static,
) -> Result<T> {
    let its_own = context.clone();
    let ended = tokio::task::spawn_blocking(move || work(&its_own)).await;
    ended.map_err(|cause| context.own(ErrorKind::Other, FileError::Thread(cause)))?
}

#[async_trait]
impl Bucket for FileBucket {
    fn capabilities(&self) -> BucketCapabilities {
        BucketCapabilities {
            write_ramp: None,
            listing_start: ListingStart::AfterAnyKey,
            page_keys: PAGE_KEYS,
            single_copy_bytes: u64::MAX,
            create_only_put: true,
            conditional_copy: true,
            checked_put: false,
            metadata: false,
            delete_keys: 1000,
            keys: path::RULES,
        }
    }

    fn location(&self) -> String {
        self.location.clone()
    }

    async fn list(&self, request: &ListRequest) -> Result<Page> {
        let context = self.context("list", None);
        if request.token.as_ref().is_some_and(|token| token.0.is_empty()) {
            return Err(context.own(ErrorKind::Invalid, FileError::BadToken));
        }
        let limit = if request.max_keys == 0 { PAGE_KEYS } else { request.max_keys.min(PAGE_KEYS) };
        let (bucket, request) = (self.clone(), request.clone());
        blocking(&context, move |context| {
            let mut walk = match bucket.waiting_walk(&request) {
                Some(walk) => walk,
                None => Walk::begin(context, &bucket.root, bucket.options.scratch, &request)?,
            };
            let (objects, more) = walk.page(context, limit)?;
            let next = objects.last().filter(|_| more).map(|last| ListToken(last.key.as_str().to_owned()));
            if next.is_some() {
                bucket.keep_walk(ListRequest { token: next.clone(), ..request }, walk);
            }
            Ok(Page { objects, next })
        })
        .await
    }

    async fn copy_from(&self, request: &CopyRequest) -> Result<Copied> {
        let context = self.context("copy", Some(&request.to));
        let unsupported = |cause: Error| context.plain(ErrorKind::Unsupported).with_source(cause);
        let source = config::path_of_url(&request.source.location()).map_err(unsupported)?;
        if request.token.is_some() {
            return Err(context.plain(ErrorKind::Invalid));
        }
        let (root, from, to) = (self.root.clone(), request.from.clone(), request.to.clone());
        let if_version = request.if_version.clone();
        blocking(&context, move |context| {
            check_key(context, &to)?;
            let found = find(context, &source, &from)?.ok_or_else(|| missing(context))?;
            if if_version.is_some_and(|wanted| wanted != version(&found.metadata)) {
                return Err(context.plain(ErrorKind::Changed));
            }
            let mut writing = Writing::begin(context, &root, &to)?;
            writing.copy(&found)?;
            Ok(Copied::Done(writing.publish(&to, PutMode::Overwrite)?))
        })
        .await
    }

    /// Removes a file that [`unfinished_uploads`](provider::BucketFacts::unfinished_uploads) told of; copies themselves
    /// never leave one.
    async fn abandon_copy(&self, to: &Key, token: &CopyToken) -> Result<()> {
        let context = self.context("abandon copy", Some(to));
        let (root, name) = (self.root.clone(), token.0.clone());
        blocking(&context, move |context| facts::remove_unfinished(context, &root, &name)).await
    }

    async fn get(&self, request: &GetRequest) -> Result<ObjectStream> {
        let context = self.context("get", Some(&request.key));
        let (root, request) = (self.root.clone(), request.clone());
        let reading = blocking(&context, move |context| read::Reading::begin(context, &root, &request)).await?;
        Ok(ObjectStream { meta: reading.meta().clone(), body: reading.stream() })
    }

    async fn put(&self, mut request: PutRequest) -> Result<Put> {
        let context = self.context("put", Some(&request.key));
        let (root, key) = (self.root.clone(), request.key.clone());
        let digest = request.sha256.is_some();
        let mut writing = blocking(&context, move |context| {
            let writing = Writing::begin(context, &root, &key)?;
            Ok(if digest { writing.digesting() } else { writing })
        })
        .await?;
        let append = async |mut writing: Writing, chunks: Vec<Bytes>| {
            blocking(&context, move |_| writing.append(&chunks).map(|()| writing)).await
        };
        let (mut gathered, mut bytes) = (Vec::new(), 0);
        while let Some(chunk) = request.body.next().await {
            let chunk = chunk?;
            bytes += chunk.len();
            gathered.push(chunk);
            if bytes >= WRITE_BYTES {
                writing = append(writing, std::mem::take(&mut gathered)).await?;
                bytes = 0;
            }
            let found = writing.written() + bytes as u64;
            if let Some(wanted) = request.size.filter(|wanted| found > *wanted) {
                // The rest is read all the same: if the body fails, that is the error to tell.
                while let Some(chunk) = request.body.next().await {
                    chunk?;
                }
                return Err(context.own(ErrorKind::Corrupt, FileError::WrongSize { wanted, found }));
            }
        }
        writing = append(writing, gathered).await?;
        let (key, mode) = (request.key.clone(), request.mode);
        let (size, sha256) = (request.size, request.sha256);
        let meta = blocking(&context, move |_| {
            writing.check(size, sha256)?;
            writing.publish(&key, mode)
        })
        .await?;
        Ok(Put { version: meta.version, size: meta.size })
    }

    async fn head(&self, key: &Key) -> Result<Option<ObjectMeta>> {
        let (root, wanted) = (self.root.clone(), key.clone());
        blocking(&self.context("head", Some(key)), move |context| {
            let found = find(context, &root, &wanted)?;
            Ok(found.map(|found| object_meta(wanted, &found.metadata)))
        })
        .await
    }

    async fn delete(&self, keys: &[Key]) -> Result<Vec<DeleteOutcome>> {
        let (bucket, keys) = (self.clone(), keys.to_vec());
        blocking(&self.context("delete", None), move |context| {
            path::check_root(context, &bucket.root)?;
            let delete = |key: Key| {
                let context = bucket.context("delete", Some(&key));
                let found = find(&context, &bucket.root, &key);
                let result =
                    found.and_then(|found| found.map_or(Ok(()), |found| write::remove(&context, &bucket.root, &found)));
                DeleteOutcome { key, result }
            };
            Ok(keys.into_iter().map(delete).collect())
        })
        .await
    }
}
