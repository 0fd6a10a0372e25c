//! One bucket of a store in memory.

use std::ops::Bound;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::MemoryStore;
use super::store::{Content, Object, State, Upload};
use crate::{
    Bucket, BucketCapabilities, BucketFacts, Checksum, Copied, CopyRequest, CopyToken, DeleteOutcome, Error, ErrorKind,
    Facts, GetRequest, Key, ListRequest, ListToken, ListingStart, ObjectDetails, ObjectMeta, ObjectStream,
    ObjectVersion, Page, Put, PutMode, PutRequest, Result, UnfinishedUpload,
};

/// One bucket of a [`MemoryStore`]. Clones share its content.
#[derive(Clone, Debug)]
pub struct MemoryBucket {
    pub(super) store: MemoryStore,
    pub(super) name: String,
    pub(super) known: bool,
}

impl MemoryBucket {
    /// An empty bucket in a new store that can do everything.
    #[must_use]
    pub fn new(name: &str) -> Self {
        MemoryStore::default().bucket(name)
    }

    /// Every key and its content, in order of the keys.
    ///
    /// # Errors
    /// `NotFound` when the bucket is missing.
    pub fn snapshot(&self) -> Result<Vec<(Key, Bytes)>> {
        let mut state = self.store.state();
        let content = self.content(&mut state, "snapshot")?;
        Ok(content.objects.iter().map(|(key, object)| (key.clone(), object.bytes.clone())).collect())
    }

    fn error(&self, kind: ErrorKind, operation: &'static str, key: Option<&Key>) -> Error {
        let location = self.location();
        Error::new(kind, operation, key.map_or(location.clone(), |key| format!("{location} key {key:?}")))
    }

    fn content<'s>(&self, state: &'s mut State, operation: &'static str) -> Result<&'s mut Content> {
        if !self.known {
            return Err(self.error(ErrorKind::Unauthenticated, operation, None));
        }
        state.buckets.get_mut(&self.name).ok_or_else(|| self.error(ErrorKind::NotFound, operation, None))
    }

    fn check_key(&self, operation: &'static str, key: &Key) -> Result<()> {
        if self.store.capabilities.keys.holds(key.as_str()) {
            Ok(())
        } else {
            Err(self.error(ErrorKind::Invalid, operation, Some(key)))
        }
    }

    fn insert(&self, state: &mut State, mut object: Object, operation: &'static str) -> Result<ObjectMeta> {
        object.meta.version = ObjectVersion(format!("v{}", state.next()));
        object.meta.modified = Some(Timestamp::now());
        let meta = object.meta.clone();
        self.content(state, operation)?.objects.insert(meta.key.clone(), object);
        Ok(meta)
    }

    fn source(&self, state: &mut State, request: &CopyRequest<'_>) -> Result<Object> {
        const OPERATION: &str = "copy";
        let unsupported = || self.error(ErrorKind::Unsupported, OPERATION, Some(&request.to));
        if request.if_version.is_some() && !self.store.capabilities.conditional_copy {
            return Err(unsupported());
        }
        let name = self.store.bucket_at(&request.source.location()).ok_or_else(unsupported)?;
        let source = Self { store: self.store.clone(), name, known: self.known };
        let missing = || source.error(ErrorKind::NotFound, OPERATION, Some(&request.from));
        let object = source.content(state, OPERATION)?.objects.get(&request.from).ok_or_else(missing)?.clone();
        match &request.if_version {
            Some(wanted) if *wanted != object.meta.version => {
                Err(source.error(ErrorKind::Changed, OPERATION, Some(&request.from)))
            }
            _ => Ok(object),
        }
    }

    /// Copies the part at the token's offset. A token sent again copies the same part again.
    fn copy_part(&self, state: &mut State, source: &Object, request: &CopyRequest<'_>) -> Result<Copied> {
        let invalid = || self.error(ErrorKind::Invalid, "copy", Some(&request.to));
        let (number, offset) = match &request.token {
            Some(token) => parse_token(token).ok_or_else(invalid)?,
            None => {
                let number = state.next();
                let upload = Upload {
                    bucket: self.name.clone(),
                    to: request.to.clone(),
                    source: source.meta.version.clone(),
                    bytes: Vec::new(),
                    started: Timestamp::now(),
                    done: None,
                };
                state.uploads.insert(number, upload);
                (number, 0)
            }
        };
        let gone = || self.error(ErrorKind::Invalid, "copy", Some(&request.to));
        let upload = state.uploads.get_mut(&number).ok_or_else(gone)?;
        if upload.bucket != self.name || upload.to != request.to || offset > upload.bytes.len() {
            return Err(invalid());
        }
        if let Some(done) = &upload.done {
            return Ok(Copied::Done(done.clone()));
        }
        if upload.source != source.meta.version {
            return Err(self.error(ErrorKind::Changed, "copy", Some(&request.from)));
        }
        let part = usize::try_from(self.store.capabilities.single_copy_bytes.max(1)).unwrap_or(usize::MAX);
        let end = source.bytes.len().min(offset.saturating_add(part));
        upload.bytes.truncate(offset);
        upload.bytes.extend_from_slice(&source.bytes[offset..end]);
        if end < source.bytes.len() {
            return Ok(Copied::More { token: CopyToken(format!("{number}:{end}")), bytes: end as u64 });
        }
        let bytes = Bytes::from(upload.bytes.clone());
        let meta = ObjectMeta { key: request.to.clone(), ..source.meta.clone() };
        let meta = self.insert(state, Object { bytes, meta }, "copy")?;
        if let Some(upload) = state.uploads.get_mut(&number) {
            upload.done = Some(meta.clone());
        }
        Ok(Copied::Done(meta))
    }
}

fn parse_token(token: &CopyToken) -> Option<(u64, usize)> {
    let (number, offset) = token.0.split_once(':')?;
    Some((number.parse().ok()?, offset.parse().ok()?))
}

#[async_trait]
impl Bucket for MemoryBucket {
    fn capabilities(&self) -> BucketCapabilities {
        self.store.capabilities.clone()
    }

    fn location(&self) -> String {
        self.store.location(&self.name)
    }

    async fn list(&self, request: &ListRequest) -> Result<Page> {
        let capabilities = &self.store.capabilities;
        if request.after.is_some() && capabilities.listing_start == ListingStart::AtPrefix {
            return Err(self.error(ErrorKind::Unsupported, "list", None));
        }
        let mut state = self.store.state();
        let objects = &self.content(&mut state, "list")?.objects;
        let after = request.token.as_ref().map(|token| token.0.as_str());
        let after = after.or(request.after.as_ref().map(Key::as_str));
        let start = match after {
            Some(after) if after >= request.prefix.as_str() => Bound::Excluded(after),
            _ => Bound::Included(request.prefix.as_str()),
        };
        let limit = if request.max_keys == 0 { usize::MAX } else { request.max_keys }.min(capabilities.page_keys);
        let mut found = objects
            .range::<str, _>((start, Bound::Unbounded))
            .take_while(|(key, _)| key.as_str().starts_with(&request.prefix))
            .take_while(|(key, _)| request.through.as_ref().is_none_or(|through| *key <= through));
        let listed = |object: &Object| ObjectMeta { details: None, ..object.meta.clone() };
        let objects: Vec<_> = found.by_ref().take(limit).map(|(_, object)| listed(object)).collect();
        let more = found.next().is_some();
        let next = objects.last().filter(|_| more).map(|last| ListToken(last.key.as_str().to_owned()));
        Ok(Page { objects, next })
    }

    async fn copy_from(&self, request: &CopyRequest) -> Result<Copied> {
        self.check_key("copy", &request.to)?;
        let mut state = self.store.state();
        self.content(&mut state, "copy")?;
        let source = self.source(&mut state, request)?;
        if request.token.is_some() || source.bytes.len() as u64 > self.store.capabilities.single_copy_bytes {
            return self.copy_part(&mut state, &source, request);
        }
        let meta = ObjectMeta { key: request.to.clone(), ..source.meta };
        Ok(Copied::Done(self.insert(&mut state, Object { bytes: source.bytes, meta }, "copy")?))
    }

    async fn abandon_copy(&self, to: &Key, token: &CopyToken) -> Result<()> {
        let mut state = self.store.state();
        self.content(&mut state, "abandon copy")?;
        let invalid = || self.error(ErrorKind::Invalid, "abandon copy", Some(to));
        let (number, _) = parse_token(token).ok_or_else(invalid)?;
        state.uploads.remove(&number);
        Ok(())
    }

    async fn get(&self, request: &GetRequest) -> Result<ObjectStream> {
        let mut state = self.store.state();
        let objects = &self.content(&mut state, "get")?.objects;
        let error = |kind| self.error(kind, "get", Some(&request.key));
        let object = objects.get(&request.key).ok_or_else(|| error(ErrorKind::NotFound))?.clone();
        if request.if_version.as_ref().is_some_and(|wanted| *wanted != object.meta.version) {
            return Err(error(ErrorKind::Changed));
        }
        let bytes = match &request.range {
            None => object.bytes,
            Some(range) => {
                let end = range.end.min(object.meta.size);
                if range.start >= end {
                    return Err(error(ErrorKind::Invalid));
                }
                let position = |at| usize::try_from(at).map_err(|cause| error(ErrorKind::Invalid).with_source(cause));
                object.bytes.slice(position(range.start)?..position(end)?)
            }
        };
        Ok(ObjectStream { meta: object.meta, body: stream::iter([Ok(bytes)]).boxed() })
    }

    async fn put(&self, mut request: PutRequest) -> Result<Put> {
        let error = |kind| self.error(kind, "put", Some(&request.key));
        self.check_key("put", &request.key)?;
        if request.mode == PutMode::CreateOnly && !self.store.capabilities.create_only_put {
            return Err(error(ErrorKind::Unsupported));
        }
        self.content(&mut self.store.state(), "put")?;
        let mut bytes = Vec::new();
        while let Some(chunk) = request.body.next().await {
            bytes.extend_from_slice(&chunk?);
        }
        let size = bytes.len() as u64;
        let sha256: [u8; 32] = Sha256::digest(&bytes).into();
        if request.size.is_some_and(|wanted| wanted != size) || request.sha256.is_some_and(|wanted| wanted != sha256) {
            return Err(error(ErrorKind::Corrupt));
        }
        let details = ObjectDetails { headers: request.headers, metadata: request.metadata };
        let meta = ObjectMeta {
            key: request.key.clone(),
            size,
            version: ObjectVersion(String::new()),
            modified: None,
            checksum: Some(Checksum::Sha256(sha256)),
            class: None,
            details: details.boxed().filter(|_| self.store.capabilities.metadata),
        };
        let mut state = self.store.state();
        if request.mode == PutMode::CreateOnly && self.content(&mut state, "put")?.objects.contains_key(&request.key) {
            return Err(error(ErrorKind::AlreadyExists));
        }
        let meta = self.insert(&mut state, Object { bytes: bytes.into(), meta }, "put")?;
        Ok(Put { version: meta.version, size })
    }

    async fn head(&self, key: &Key) -> Result<Option<ObjectMeta>> {
        let mut state = self.store.state();
        Ok(self.content(&mut state, "head")?.objects.get(key).map(|object| object.meta.clone()))
    }

    async fn delete(&self, keys: &[Key]) -> Result<Vec<DeleteOutcome>> {
        let mut state = self.store.state();
        let objects = &mut self.content(&mut state, "delete")?.objects;
        if keys.len() > self.store.capabilities.delete_keys {
            return Err(self.error(ErrorKind::Invalid, "delete", None));
        }
        let mut delete = |key: &Key| {
            objects.remove(key);
            DeleteOutcome { key: key.clone(), result: Ok(()) }
        };
        Ok(keys.iter().map(&mut delete).collect())
    }
}

#[async_trait]
impl BucketFacts for MemoryBucket {
    async fn facts(&self) -> Result<Facts> {
        Ok(self.content(&mut self.store.state(), "facts")?.facts.clone())
    }

    async fn unfinished_uploads(&self) -> Result<Vec<UnfinishedUpload>> {
        let mut state = self.store.state();
        self.content(&mut state, "unfinished uploads")?;
        let unfinished = state.uploads.iter().filter(|(_, upload)| upload.bucket == self.name && upload.done.is_none());
        let found = unfinished.map(|(number, upload)| UnfinishedUpload {
            key: upload.to.clone(),
            started: Some(upload.started),
            token: CopyToken(format!("{number}:{}", upload.bytes.len())),
        });
        Ok(found.collect())
    }
}
