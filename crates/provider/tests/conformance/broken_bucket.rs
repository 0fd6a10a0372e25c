//! Buckets with one defect each, of the kinds that real stores and clients have.

use std::sync::Arc;

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use provider::testkit::conformance::{BucketFixture, BucketPair};
use provider::testkit::memory::MemoryStore;
use provider::{
    Bucket, BucketCapabilities, Checksum, ContentHeaders, Copied, CopyRequest, CopyToken, DeleteOutcome, Error,
    ErrorKind, GetRequest, Key, ListRequest, ListToken, ObjectMeta, ObjectStream, Page, Put, PutMode, PutRequest,
    Result, Retry,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    UnsortedPages,
    SortsByUtf16,
    LosesKeysBetweenPages,
    ListsThroughExclusive,
    TreatsPrefixAsFolder,
    CreateOnlyLooksFirst,
    CreateOnlyOverwrites,
    KeepsPartOfFailedPut,
    KeepsPartOfCancelledPut,
    IgnoresSha256,
    IgnoresSize,
    DecodesKeys,
    IgnoresRange,
    AnswersEmptyBeyondEnd,
    IgnoresVersionOfGet,
    IgnoresVersionOfCopy,
    ShowsLargeCopyEarly,
    LosesMetadataInCopy,
    DeleteOfAbsentFails,
    DeletesByPrefix,
    SaysOther,
    SaysAgain,
    TellsWrongChecksum,
    AbandonsNothing,
    ShowsCopyInPieces,
    AnswersWrongSize,
    AnswersOneOutcome,
    LosesLastByte,
}

#[derive(Debug)]
pub(crate) struct BrokenBuckets {
    capabilities: BucketCapabilities,
    defect: Defect,
}

impl BrokenBuckets {
    pub(crate) fn new(capabilities: BucketCapabilities, defect: Defect) -> Self {
        Self { capabilities, defect }
    }

    fn wrap(&self, inner: impl Bucket + 'static) -> Arc<dyn Bucket> {
        Arc::new(BrokenBucket { inner: Arc::new(inner), defect: self.defect })
    }
}

#[async_trait]
impl BucketFixture for BrokenBuckets {
    async fn fresh(&self) -> BucketPair {
        let store = MemoryStore::new(self.capabilities.clone());
        BucketPair {
            source: self.wrap(store.bucket("source")),
            destination: self.wrap(store.bucket("destination")),
            facts: Some(Arc::new(store.bucket("destination"))),
        }
    }

    async fn wrong_credentials(&self) -> Option<Arc<dyn Bucket>> {
        Some(self.wrap(MemoryStore::new(self.capabilities.clone()).open_with_wrong_credentials("private")))
    }

    async fn missing_bucket(&self) -> Option<Arc<dyn Bucket>> {
        Some(self.wrap(MemoryStore::new(self.capabilities.clone()).open("missing")))
    }

    fn largest_object(&self) -> u64 {
        1 << 20
    }
}

#[derive(Debug)]
struct BrokenBucket {
    inner: Arc<dyn Bucket>,
    defect: Defect,
}

impl BrokenBucket {
    fn has(&self, defect: Defect) -> bool {
        self.defect == defect
    }

    fn spoil(&self, error: Error) -> Error {
        match self.defect {
            Defect::SaysOther => Error::new(ErrorKind::Other, "any", "thing").with_source(error),
            Defect::SaysAgain => error.with_retry(Retry::Again),
            _ => error,
        }
    }

    fn key(&self, key: &Key) -> Key {
        match self.defect {
            Defect::DecodesKeys => Key::new(key.as_str().replace("%20", " ").replace('+', " ")),
            _ => key.clone(),
        }
    }

    async fn everything(&self) -> Result<Vec<ObjectMeta>> {
        let mut request = ListRequest::default();
        let mut all = Vec::new();
        loop {
            let page = self.inner.list(&request).await?;
            all.extend(page.objects);
            request.token = page.next;
            if request.token.is_none() {
                return Ok(all);
            }
        }
    }

    async fn overwrite(&self, key: &Key, bytes: Vec<u8>) -> Result<Put> {
        self.inner.put(PutRequest::bytes(key.clone(), PutMode::Overwrite, bytes)).await
    }
}

#[async_trait]
impl Bucket for BrokenBucket {
    fn capabilities(&self) -> BucketCapabilities {
        self.inner.capabilities()
    }

    fn location(&self) -> String {
        self.inner.location()
    }

    async fn list(&self, request: &ListRequest) -> Result<Page> {
        let mut request = request.clone();
        if self.has(Defect::TreatsPrefixAsFolder) && !request.prefix.is_empty() && !request.prefix.ends_with('/') {
            request.prefix.push('/');
        }
        if self.has(Defect::SortsByUtf16) && request.prefix.is_empty() && request.after.is_none() {
            let mut all = self.everything().await?;
            all.sort_by_key(|object| object.key.as_str().encode_utf16().collect::<Vec<_>>());
            let start = request.token.map_or(0, |token| token.0.parse().unwrap());
            let limit = if request.max_keys == 0 { 5 } else { request.max_keys.min(5) };
            let next = (start + limit < all.len()).then(|| ListToken((start + limit).to_string()));
            return Ok(Page { objects: all.into_iter().skip(start).take(limit).collect(), next });
        }
        let mut page = self.inner.list(&request).await.map_err(|error| self.spoil(error))?;
        match self.defect {
            Defect::UnsortedPages => page.objects.reverse(),
            Defect::LosesKeysBetweenPages if page.next.is_some() && page.objects.len() > 1 => drop(page.objects.pop()),
            Defect::ListsThroughExclusive => {
                page.objects.retain(|object| Some(&object.key) != request.through.as_ref())
            }
            _ => {}
        }
        Ok(page)
    }

    async fn copy_from(&self, request: &CopyRequest) -> Result<Copied> {
        let mut request = request.clone();
        if self.has(Defect::IgnoresVersionOfCopy) {
            // The token goes too: the memory store notices a change by it.
            if request.if_version.take().is_some() && request.token.take().is_some() {
                let bytes = request.source.get(&GetRequest::whole(request.from.clone())).await?;
                let bytes = bytes.body.try_collect::<Vec<_>>().await?.concat();
                self.overwrite(&request.to, bytes).await?;
                return Ok(Copied::Done(self.inner.head(&request.to).await?.unwrap()));
            }
        }
        if self.has(Defect::ShowsCopyInPieces) {
            self.overwrite(&request.to, vec![0; 10]).await?;
            tokio::task::yield_now().await;
        }
        let copied = self.inner.copy_from(&request).await.map_err(|error| self.spoil(error))?;
        match &copied {
            Copied::More { bytes, .. } if self.has(Defect::ShowsLargeCopyEarly) => {
                self.overwrite(&request.to, vec![0; usize::try_from(*bytes).unwrap()]).await?;
            }
            Copied::Done(meta) if self.has(Defect::LosesMetadataInCopy) => {
                let bytes = self.inner.get(&GetRequest::whole(meta.key.clone())).await?;
                let bytes = bytes.body.try_collect::<Vec<_>>().await?.concat();
                self.overwrite(&meta.key, bytes).await?;
            }
            _ => {}
        }
        Ok(copied)
    }

    async fn abandon_copy(&self, to: &Key, token: &CopyToken) -> Result<()> {
        if self.has(Defect::AbandonsNothing) {
            return Ok(());
        }
        self.inner.abandon_copy(to, token).await
    }

    async fn get(&self, request: &GetRequest) -> Result<ObjectStream> {
        let mut request = GetRequest { key: self.key(&request.key), ..request.clone() };
        match self.defect {
            Defect::IgnoresRange => request.range = None,
            Defect::IgnoresVersionOfGet => request.if_version = None,
            _ => {}
        }
        match self.inner.get(&request).await {
            Err(error) if error.kind() == ErrorKind::Invalid && self.has(Defect::AnswersEmptyBeyondEnd) => {
                let meta = self.inner.head(&request.key).await?.unwrap();
                Ok(ObjectStream { meta, body: stream::empty().boxed() })
            }
            Ok(stream) if self.has(Defect::LosesLastByte) => {
                let body = stream.body.map_ok(|bytes| bytes.slice(..bytes.len().saturating_sub(1))).boxed();
                Ok(ObjectStream { body, ..stream })
            }
            outcome => outcome.map_err(|error| self.spoil(error)),
        }
    }

    async fn put(&self, mut request: PutRequest) -> Result<Put> {
        request.key = self.key(&request.key);
        match self.defect {
            Defect::IgnoresSha256 => request.sha256 = None,
            Defect::IgnoresSize => request.size = None,
            Defect::CreateOnlyOverwrites => request.mode = PutMode::Overwrite,
            Defect::CreateOnlyLooksFirst if request.mode == PutMode::CreateOnly => {
                if self.inner.head(&request.key).await?.is_some() {
                    return Err(Error::new(ErrorKind::AlreadyExists, "put", "key"));
                }
                request.mode = PutMode::Overwrite;
            }
            Defect::KeepsPartOfFailedPut | Defect::KeepsPartOfCancelledPut => {
                let mut kept = Vec::new();
                let mut body = std::mem::replace(&mut request.body, stream::empty().boxed());
                let cancelled = self.has(Defect::KeepsPartOfCancelledPut);
                while let Some(chunk) = body.next().await {
                    match chunk {
                        Ok(chunk) => kept.extend_from_slice(&chunk),
                        Err(error) => {
                            self.overwrite(&request.key, kept).await?;
                            return Err(error);
                        }
                    }
                    if cancelled {
                        self.overwrite(&request.key, kept.clone()).await?;
                    }
                }
                request.body = stream::iter([Ok(kept.into())]).boxed();
            }
            _ => {}
        }
        let mut put = self.inner.put(request).await.map_err(|error| self.spoil(error))?;
        put.size += u64::from(self.has(Defect::AnswersWrongSize));
        Ok(put)
    }

    async fn head(&self, key: &Key) -> Result<Option<ObjectMeta>> {
        let mut found = self.inner.head(&self.key(key)).await.map_err(|error| self.spoil(error))?;
        if let Some(meta) = &mut found {
            match self.defect {
                Defect::TellsWrongChecksum => meta.checksum = Some(Checksum::Crc32c(7)),
                Defect::LosesMetadataInCopy if meta.key.as_str() == "copy" => {
                    if let Some(details) = &mut meta.details {
                        details.headers = ContentHeaders::default();
                    }
                }
                _ => {}
            }
        }
        Ok(found)
    }

    async fn delete(&self, keys: &[Key]) -> Result<Vec<DeleteOutcome>> {
        if self.has(Defect::DeletesByPrefix) {
            for object in self.everything().await? {
                if keys.iter().any(|key| object.key.as_str().starts_with(key.as_str())) {
                    self.inner.delete(&[object.key]).await?;
                }
            }
        }
        let mut outcomes = Vec::new();
        for key in keys {
            let absent = self.has(Defect::DeleteOfAbsentFails) && self.inner.head(key).await?.is_none();
            let mut deleted = self.inner.delete(&[self.key(key)]).await.map_err(|error| self.spoil(error))?;
            let mut outcome = deleted.pop().unwrap();
            outcome.key = key.clone();
            if absent {
                outcome.result = Err(Error::new(ErrorKind::NotFound, "delete", key.as_str()));
            }
            outcomes.push(outcome);
        }
        outcomes.truncate(if self.has(Defect::AnswersOneOutcome) { 1 } else { outcomes.len() });
        Ok(outcomes)
    }
}
