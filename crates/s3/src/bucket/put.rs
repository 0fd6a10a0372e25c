//! Writes: one `PutObject` for what fits into a part, a multipart upload for the rest.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;

use aws_sdk_s3::config::http::HttpRequest;
use aws_sdk_s3::types::CompletedPart;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use futures::future::{BoxFuture, Either, select};
use futures::stream::{BoxStream, FuturesOrdered};
use futures::{FutureExt as _, StreamExt as _};
use provider::{ContentHeaders, Error, ErrorKind, ExpectedBody, Key, ObjectDetails, Put, PutMode, PutRequest, Result};
use sha2::{Digest as _, Sha256};

use super::meta::version;
use super::upload;
use super::{S3Bucket, get};
use crate::error::{contradiction, from_sdk, refused};

const PUT: &str = "PutObject";

/// Parts on their way at once, beside the one being filled.
const LANES: usize = 2;

/// Most parts of one upload.
const PARTS: u64 = 10_000;

pub(super) fn crc32c(bytes: &[u8]) -> String {
    STANDARD.encode(crc32c::crc32c(bytes).to_be_bytes())
}

/// A write without its body, which can't be shared between threads.
struct Target {
    key: Key,
    full: String,
    mode: PutMode,
    size: Option<u64>,
    sha256: Option<[u8; 32]>,
    headers: ContentHeaders,
    metadata: BTreeMap<String, String>,
}

pub(super) async fn put(bucket: &S3Bucket, request: PutRequest) -> Result<Put> {
    let full = bucket.full_to_write(&request.key, PUT)?;
    if request.mode == PutMode::CreateOnly && !bucket.quirks().create_only_put {
        let why = "the store can't be relied on to refuse overwriting";
        return Err(refused(ErrorKind::Unsupported, PUT, bucket.resource(&full), why));
    }
    let PutRequest { key, mode, body, size, sha256, headers, metadata } = request;
    let target = Target { key, full, mode, size, sha256, headers, metadata };
    let mut body = Body::new(bucket, &target.full, body, ExpectedBody::new(size, sha256));
    let first = body.fill(part_bytes(bucket, size, 1)).await?;
    if body.ended {
        body.check()?;
        return put_small(bucket, &target, first).await;
    }
    put_large(bucket, &target, first, body).await
}

/// Size of a part. When the size of the whole is unknown, parts double after each thousand, so that their number
/// suffices for the largest object there can be.
fn part_bytes(bucket: &S3Bucket, size: Option<u64>, number: u64) -> usize {
    let least = bucket.quirks().part_bytes;
    let bytes = match size {
        Some(size) => least.max(size.div_ceil(PARTS)),
        None => least << ((number - 1) / 1000).min(9),
    };
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

async fn put_small(bucket: &S3Bucket, request: &Target, bytes: Bytes) -> Result<Put> {
    let full = request.full.as_str();
    let size = bytes.len() as u64;
    let headers = &request.headers;
    let mut call = bucket
        .client()
        .put_object()
        .bucket(bucket.name())
        .key(full)
        .set_content_type(headers.content_type.clone())
        .set_content_encoding(headers.content_encoding.clone())
        .set_cache_control(headers.cache_control.clone())
        .set_content_disposition(headers.content_disposition.clone())
        .set_content_language(headers.content_language.clone())
        .set_storage_class(bucket.terms().class_of_put());
    for (name, value) in &request.metadata {
        call = call.metadata(name, value);
    }
    if bucket.quirks().checksums {
        // The store keeps it: a later reader can compare the content without reading it.
        let digest = request.sha256.unwrap_or_else(|| Sha256::digest(&bytes).into());
        call = call.checksum_sha256(STANDARD.encode(digest));
    }
    if request.mode == PutMode::CreateOnly {
        call = call.if_none_match("*");
    }
    let terms = Arc::clone(&bucket.inner.clients.terms);
    let add = move |sent: &mut HttpRequest| terms.add_to_new(sent);
    let output = call.body(bytes.into()).customize().mutate_request(add).send().await;
    let output = output.map_err(|error| from_sdk(PUT, bucket.resource(full), error))?;
    let missing = || contradiction(PUT, bucket.resource(full), "an object without an ETag");
    Ok(Put { version: output.e_tag().map(version).ok_or_else(missing)?, size })
}

async fn put_large(bucket: &S3Bucket, request: &Target, first: Bytes, mut body: Body<'_>) -> Result<Put> {
    let full = request.full.as_str();
    if request.mode == PutMode::CreateOnly && get::head(bucket, &request.key).await?.is_some() {
        // The condition at the end decides; this spares sending what it would refuse.
        return Err(Error::new(ErrorKind::AlreadyExists, PUT, bucket.resource(full)));
    }
    let checksums = bucket.quirks().checksums;
    let new = upload::New {
        details: ObjectDetails { headers: request.headers.clone(), metadata: request.metadata.clone() },
        tags: None,
        class: bucket.terms().class_of_put(),
        checksums,
    };
    let guard = upload::begin(bucket, full, new).await?;
    let id = guard.id();
    let sent = send_parts(bucket, full, &id, request.size, first, &mut body).await;
    let finished = match sent.and_then(|parts| body.check().map(|()| parts)) {
        Ok(parts) => upload::complete(bucket, full, &id, parts, request.mode).await,
        Err(error) => Err(error),
    };
    match finished {
        Ok(version) => {
            guard.disarm();
            Ok(Put { version, size: body.expected.seen() })
        }
        Err(error) => {
            guard.abort().await;
            Err(error)
        }
    }
}

async fn send_parts(
    bucket: &S3Bucket,
    full: &str,
    id: &str,
    size: Option<u64>,
    first: Bytes,
    body: &mut Body<'_>,
) -> Result<Vec<CompletedPart>> {
    let mut parts = Vec::new();
    let mut under_way: FuturesOrdered<BoxFuture<'_, Result<CompletedPart>>> = FuturesOrdered::new();
    let mut next = Some(first);
    let mut number: u64 = 0;
    while let Some(bytes) = next.take() {
        number += 1;
        if number > PARTS {
            let why = "more parts than an upload may have";
            return Err(refused(ErrorKind::Invalid, "UploadPart", bucket.resource(full), why));
        }
        let part_number = i32::try_from(number).unwrap_or(i32::MAX);
        under_way.push_back(upload::part(bucket, full, id, part_number, bytes).boxed());
        while under_way.len() >= LANES {
            parts.extend(under_way.next().await.transpose()?);
        }
        if !body.ended {
            // Parts go on while the next one is read.
            let read = fill_while(body, part_bytes(bucket, size, number + 1), &mut under_way, &mut parts).await?;
            next = (!read.is_empty()).then_some(read);
        }
    }
    while let Some(part) = under_way.next().await {
        parts.push(part?);
    }
    Ok(parts)
}

/// Reads the next part and drives those under way meanwhile.
async fn fill_while(
    body: &mut Body<'_>,
    bytes: usize,
    under_way: &mut FuturesOrdered<BoxFuture<'_, Result<CompletedPart>>>,
    parts: &mut Vec<CompletedPart>,
) -> Result<Bytes> {
    let mut fill: Pin<Box<_>> = Box::pin(body.fill(bytes));
    loop {
        if under_way.is_empty() {
            return fill.await;
        }
        match select(fill, under_way.next()).await {
            Either::Left((read, _)) => return read,
            Either::Right((part, rest)) => {
                parts.extend(part.transpose()?);
                fill = rest;
            }
        }
    }
}

/// The body of a write, cut into parts, counted and hashed.
struct Body<'a> {
    bucket: &'a S3Bucket,
    full: &'a str,
    chunks: BoxStream<'static, Result<Bytes>>,
    /// Read, but of the next part.
    rest: VecDeque<Bytes>,
    expected: ExpectedBody,
    ended: bool,
}

impl<'a> Body<'a> {
    fn new(
        bucket: &'a S3Bucket,
        full: &'a str,
        chunks: BoxStream<'static, Result<Bytes>>,
        expected: ExpectedBody,
    ) -> Self {
        Self { bucket, full, chunks, rest: VecDeque::new(), expected, ended: false }
    }

    /// Reads until there are more than `bytes` bytes, or the end, and answers at most `bytes`. After the last bytes `ended` is set, so that
    /// a body of exactly one part is known to be one.
    async fn fill(&mut self, bytes: usize) -> Result<Bytes> {
        let mut have: usize = self.rest.iter().map(Bytes::len).sum();
        while have <= bytes {
            let Some(chunk) = self.chunks.next().await else { break };
            let chunk = chunk?;
            self.expected.take(&chunk).map_err(|what| self.corrupt(what))?;
            have += chunk.len();
            self.rest.push_back(chunk);
        }
        self.ended = have <= bytes;
        let mut wanted = bytes.min(have);
        // One chunk that is the whole part needs no copy.
        if let Some(only) = self.rest.front_mut().filter(|chunk| chunk.len() >= wanted) {
            let part = only.split_to(wanted);
            if only.is_empty() {
                self.rest.pop_front();
            }
            return Ok(part);
        }
        let mut part = BytesMut::with_capacity(wanted);
        while let Some(mut chunk) = self.rest.pop_front() {
            if chunk.len() > wanted {
                part.extend_from_slice(&chunk.split_to(wanted));
                self.rest.push_front(chunk);
                break;
            }
            wanted -= chunk.len();
            part.extend_from_slice(&chunk);
        }
        Ok(part.freeze())
    }

    /// Whether the whole body was what the request says.
    fn check(&self) -> Result<()> {
        self.expected.check().map_err(|what| self.corrupt(what))
    }

    fn corrupt(&self, what: &'static str) -> Error {
        contradiction(PUT, self.bucket.resource(self.full), what)
    }
}
