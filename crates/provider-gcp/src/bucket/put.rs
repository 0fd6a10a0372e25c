//! Writes over the JSON API: one request for what is small, a resumable upload in chunks for the rest.
//!
//! Memory: a write holds at most [`CHUNK`] bytes and three pieces of the caller's stream. The SDK keeps one chunk of a resumable upload
//! until the store has it; a small body is collected before it is sent.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use google_cloud_gax::error::Error as SdkError;
use google_cloud_storage::model::Object;
use google_cloud_storage::streaming_source::{SizeHint, StreamingSource};
use provider::{Error, ErrorKind, ExpectedBody, Put, PutMode, PutRequest, Result};
use tokio::time::Instant;

use super::GcsBucket;
use super::body::Body;
use super::call::late;
use super::meta::version;
use crate::error::{contradiction, from_sdk};

const PUT: &str = "objects.insert";

/// Bytes of a chunk, and of the largest body that goes in one request. A multiple of 256 KiB, as the protocol wants.
const CHUNK: usize = 8 << 20;

pub(super) async fn put(bucket: &GcsBucket, request: PutRequest) -> Result<Put> {
    let full = bucket.full_to_write(&request.key, PUT)?;
    let PutRequest { mode, body, size, sha256, headers, metadata, .. } = request;
    let resource = || bucket.resource(&full);
    let mut body = Body::new(body, PUT, resource(), ExpectedBody::new(size, sha256));
    let (first, ended) = body.fill(CHUNK).await?;
    let size = if ended { Some(body.size()) } else { size };
    let source = Source::new(first, body, size);
    let (failure, progress) = (Arc::clone(&source.failure), Arc::clone(&source.progress));

    let mut call = bucket.inner.connections.bytes().await?.write_object(bucket.parent(), &full, source);
    macro_rules! given {
        ($($value:ident by $set:ident),+) => { $(if let Some(value) = headers.$value { call = call.$set(value); })+ };
    }
    given!(
        content_type by set_content_type,
        content_encoding by set_content_encoding,
        cache_control by set_cache_control,
        content_disposition by set_content_disposition,
        content_language by set_content_language
    );
    let terms = &bucket.inner.terms;
    if !metadata.is_empty() {
        call = call.set_metadata(metadata);
    }
    if let Some(class) = terms.class {
        call = call.set_storage_class(class.name);
    }
    if let Some(key) = &terms.kms_key {
        call = call.set_kms_key(key);
    }
    if let Some(project) = &terms.user_project {
        call = call.with_quota_project(project);
    }
    if mode == PutMode::CreateOnly {
        call = call.set_if_generation_match(0);
    }
    let call = call
        .with_resumable_upload_threshold(if ended { usize::MAX } else { 0 })
        .with_resumable_upload_buffer_size(CHUNK);
    let sent = moving(terms.timeouts.transfer, &progress, call.send_buffered()).await;
    if let Some(error) = failure.lock().unwrap_or_else(PoisonError::into_inner).take() {
        return Err(error);
    }
    let unmet = if mode == PutMode::CreateOnly { ErrorKind::AlreadyExists } else { ErrorKind::Changed };
    let object = match sent {
        Some(answer) => answer.map_err(|error| from_sdk(PUT, resource(), unmet, error))?,
        None => return Err(late(PUT, resource(), terms.timeouts.transfer)),
    };
    written(&object, size)
        .ok_or_else(|| contradiction(PUT, resource(), "an object of another size, or without generation"))
}

fn written(object: &Object, size: Option<u64>) -> Option<Put> {
    let told = u64::try_from(object.size).ok()?;
    let fits = object.generation > 0 && size.is_none_or(|size| size == told);
    fits.then(|| Put { version: version(object.generation), size: told })
}

/// The answer of a write, unless the store takes nothing for too long. Waiting for the caller's bytes doesn't count.
async fn moving(
    limit: Duration,
    progress: &Progress,
    write: impl Future<Output = Result<Object, SdkError>>,
) -> Option<Result<Object, SdkError>> {
    let mut write = std::pin::pin!(write);
    loop {
        let deadline = progress.since() + limit;
        match tokio::time::timeout_at(deadline, &mut write).await {
            Ok(answer) => return Some(answer),
            Err(_) if progress.since() + limit <= Instant::now() => return None,
            Err(_) => {}
        }
    }
}

/// When the store last took something: the last time that bytes were asked for.
struct Progress(Mutex<Asked>);

#[derive(Clone, Copy)]
enum Asked {
    At(Instant),
    /// And they are not there yet.
    Waiting,
}

impl Progress {
    fn since(&self) -> Instant {
        match *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Asked::At(at) => at,
            Asked::Waiting => Instant::now(),
        }
    }

    fn set(&self, asked: Asked) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = asked;
    }
}

/// What the SDK reads.
struct Source {
    first: VecDeque<Bytes>,
    /// Behind a lock that nobody waits for: the SDK wants what threads may share.
    body: Mutex<Body>,
    size: Option<u64>,
    failure: Arc<Mutex<Option<Error>>>,
    progress: Arc<Progress>,
}

/// The body failed; its own error is kept apart.
#[derive(Debug, thiserror::Error)]
#[error("the body ended with an error")]
struct BodyFailed;

impl Source {
    fn new(first: VecDeque<Bytes>, body: Body, size: Option<u64>) -> Self {
        let progress = Arc::new(Progress(Mutex::new(Asked::At(Instant::now()))));
        Self { first, body: Mutex::new(body), size, failure: Arc::default(), progress }
    }
}

impl StreamingSource for Source {
    type Error = BodyFailed;

    async fn next(&mut self) -> Option<Result<Bytes, BodyFailed>> {
        let first = self.first.pop_front();
        if first.is_some() {
            self.progress.set(Asked::At(Instant::now()));
            return first.map(Ok);
        }
        self.progress.set(Asked::Waiting);
        let body = self.body.get_mut().unwrap_or_else(PoisonError::into_inner);
        let next = body.next().await;
        self.progress.set(Asked::At(Instant::now()));
        match next {
            Ok(next) => next.map(Ok),
            Err(error) => {
                *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                Some(Err(BodyFailed))
            }
        }
    }

    async fn size_hint(&self) -> Result<SizeHint, BodyFailed> {
        Ok(self.size.map_or_else(SizeHint::default, SizeHint::with_exact))
    }
}
