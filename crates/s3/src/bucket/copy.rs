//! Copies inside a store: `CopyObject`, and above its limit a multipart upload of copied ranges.

use std::collections::BTreeMap;

use aws_sdk_s3::types::CompletedPart;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use md5::{Digest as _, Md5};
use provider::{Copied, CopyRequest, CopyToken, Error, ErrorKind, Key, ObjectMeta, ObjectVersion, PutMode, Result};
use serde::{Deserialize, Serialize};

use super::meta::{quoted, version};
use super::upload;
use super::{S3Bucket, SCHEME, get};
use crate::class;
use crate::encoding::encode;
use crate::error::{contradiction, from_sdk, refused};
use crate::hot::{COPY, CopyCall};

const PART: &str = "UploadPartCopy";

/// Ranges that one call copies, side by side.
const PARTS_PER_CALL: usize = 8;

/// Most parts of one upload.
const PARTS: u64 = 10_000;

/// Where a large copy goes on.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Progress {
    upload_id: String,
    /// Version of the source: all parts come from this one.
    #[serde(default)]
    version: Option<ObjectVersion>,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    part_size: u64,
    /// ETags of the parts so far.
    #[serde(default)]
    parts: Vec<String>,
}

impl Progress {
    fn token(&self, bucket: &S3Bucket, full: &str) -> Result<CopyToken> {
        let failed = |error| Error::new(ErrorKind::Other, PART, bucket.resource(full)).with_source(error);
        serde_json::to_string(self).map(CopyToken).map_err(failed)
    }

    fn parse(bucket: &S3Bucket, full: &str, token: &CopyToken) -> Result<Self> {
        let failed = |error| Error::new(ErrorKind::Invalid, PART, bucket.resource(full)).with_source(error);
        serde_json::from_str(&token.0).map_err(failed)
    }

    fn all_parts(&self) -> u64 {
        self.size.div_ceil(self.part_size.max(1))
    }

    fn bytes(&self) -> u64 {
        (self.parts.len() as u64 * self.part_size).min(self.size)
    }
}

/// What [`Bucket::abandon_copy`](provider::Bucket::abandon_copy) takes for an upload that somebody else began.
pub(super) fn token_of(bucket: &S3Bucket, full: &str, upload_id: &str) -> Result<CopyToken> {
    let upload_id = upload_id.to_owned();
    Progress { upload_id, version: None, size: 0, part_size: 0, parts: Vec::new() }.token(bucket, full)
}

pub(super) async fn copy(bucket: &S3Bucket, request: &CopyRequest<'_>) -> Result<Copied> {
    let full = bucket.full_to_write(&request.to, COPY)?;
    if full.trim().is_empty() {
        // The SDK takes it for none, so nothing that is here could read the copy.
        let why = "a key of blanks only";
        return Err(refused(ErrorKind::Invalid, COPY, bucket.resource(&full), why));
    }
    let source = Source::of(bucket, request, &full)?;
    if request.token.is_none() && request.size <= bucket.quirks().single_copy_bytes {
        return copy_whole(bucket, request, &source, &full).await.map(Copied::Done);
    }
    // Apart, so that the hundreds of small copies under way stay small in memory.
    match &request.token {
        None => Box::pin(begin(bucket, request, &source, &full)).await,
        Some(token) => {
            let progress = Progress::parse(bucket, &full, token)?;
            Box::pin(proceed(bucket, request, &source, &full, progress)).await
        }
    }
}

/// The source of a copy as the store names it.
struct Source {
    /// The value of `x-amz-copy-source`.
    header: String,
    /// The source in messages.
    resource: String,
}

impl Source {
    fn of(bucket: &S3Bucket, request: &CopyRequest<'_>, full: &str) -> Result<Self> {
        let location = bucket.inner.source.of(SCHEME, request.source);
        let Some(location) = location.filter(|location| location.1.endpoint == bucket.inner.endpoint) else {
            let why = "the source is not in this store";
            return Err(refused(ErrorKind::Unsupported, COPY, bucket.resource(full), why));
        };
        let location = &location.1;
        let key = format!("{}{}", location.prefix, request.from);
        let resource = format!("s3://{}/{key}", location.bucket);
        if request.from.as_str().is_empty() || !bucket.holds(&key) {
            return Err(Error::new(ErrorKind::NotFound, COPY, resource));
        }
        // This header is sent as it is given.
        Ok(Self { header: format!("{}/{}", location.bucket, encode(&key)), resource })
    }
}

/// The condition to send with a copy. Where the store ignores it, the version is compared here and now.
async fn condition(bucket: &S3Bucket, request: &CopyRequest<'_>, source: &Source) -> Result<Option<String>> {
    match &request.if_version {
        Some(version) if bucket.quirks().conditional_copy => Ok(Some(quoted(version))),
        Some(_) => source_meta(request, source).await.map(|_| None),
        None => Ok(None),
    }
}

/// Facts of the source, if it is still the version wanted.
async fn source_meta(request: &CopyRequest<'_>, source: &Source) -> Result<ObjectMeta> {
    let meta = request.source.head(&request.from).await?;
    let meta = meta.ok_or_else(|| Error::new(ErrorKind::NotFound, COPY, &source.resource))?;
    if request.if_version.as_ref().is_some_and(|version| *version != meta.version) {
        return Err(Error::new(ErrorKind::Changed, COPY, &source.resource));
    }
    Ok(meta)
}

async fn copy_whole(bucket: &S3Bucket, request: &CopyRequest<'_>, source: &Source, full: &str) -> Result<ObjectMeta> {
    let condition = condition(bucket, request, source).await?;
    let call = CopyCall {
        to: full,
        source: &source.header,
        class: class::of_copy(bucket.terms().class, request.class),
        if_match: condition.as_deref(),
        resource: &source.resource,
    };
    let answer = bucket.hot().copy(&call).await?;
    let missing = || contradiction(COPY, source.resource.clone(), "a copy without an ETag");
    let copied = ObjectMeta {
        key: request.to.clone(),
        size: request.size,
        version: version(answer.etag.ok_or_else(missing)?),
        modified: answer.modified,
        checksum: answer.checksum,
        class: None,
        details: None,
    };
    if condition.is_none() {
        // Nothing tied the listed size to what was copied.
        let found = Box::pin(get::head(bucket, &request.to)).await?;
        return found.ok_or_else(|| bucket.absent(COPY, full));
    }
    Ok(copied)
}

/// Begins a copy in parts and copies the first ones.
async fn begin(bucket: &S3Bucket, request: &CopyRequest<'_>, source: &Source, full: &str) -> Result<Copied> {
    let meta = source_meta(request, source).await?;
    let new = upload::New {
        tags: encoded(&request.source.tags(&request.from).await?),
        class: class::of_copy(bucket.terms().class, meta.class).map(Into::into),
        details: meta.details.map(|details| *details).unwrap_or_default(),
        checksums: false,
    };
    let guard = upload::begin(bucket, full, new).await?;
    let least = bucket.quirks().copy_part_bytes;
    let progress = Progress {
        upload_id: guard.id(),
        version: Some(meta.version),
        size: meta.size,
        // Rounded up to whole MiB.
        part_size: least.max(meta.size.div_ceil(PARTS).next_multiple_of(1 << 20)),
        parts: Vec::new(),
    };
    // Until the caller has a token, the upload is ours to clean up.
    match copy_parts(bucket, source, full, progress).await {
        Ok(copied) => {
            guard.disarm();
            Ok(copied)
        }
        Err(error) => {
            guard.abort().await;
            Err(error)
        }
    }
}

/// Tags as `x-amz-tagging` has them; a copy in parts doesn't take over its source's by itself.
fn encoded(tags: &BTreeMap<String, String>) -> Option<String> {
    let tags: Vec<String> = tags.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    (!tags.is_empty()).then(|| tags.join("&"))
}

/// Copies the next parts, or completes the copy when all are there.
async fn proceed(
    bucket: &S3Bucket,
    request: &CopyRequest<'_>,
    source: &Source,
    full: &str,
    progress: Progress,
) -> Result<Copied> {
    if request.if_version.as_ref().is_some_and(|version| progress.version.as_ref() != Some(version)) {
        return Err(Error::new(ErrorKind::Changed, PART, &source.resource));
    }
    if progress.part_size == 0 {
        let why = "the token belongs to an upload that is not a copy of ours";
        return Err(refused(ErrorKind::Invalid, PART, bucket.resource(full), why));
    }
    if (progress.parts.len() as u64) < progress.all_parts() {
        return copy_parts(bucket, source, full, progress).await;
    }
    if request.if_version.is_some() {
        // All parts are of one version; whether it is still the source's is asked a last time.
        source_meta(request, source).await?;
    }
    let parts = (1..)
        .zip(&progress.parts)
        .map(|(number, etag)| CompletedPart::builder().part_number(number).e_tag(quoted(&version(etag))).build());
    let completed = upload::complete(bucket, full, &progress.upload_id, parts.collect(), PutMode::Overwrite).await;
    let done = get::head(bucket, &request.to).await?;
    match (completed, done) {
        (Ok(completed), Some(meta)) if completed == meta.version => Ok(Copied::Done(meta)),
        (Ok(_), _) => Err(contradiction(COPY, bucket.resource(full), "a copy that reads back as another object")),
        // The reply to an earlier completion may have been lost: then the object is there and made of these parts.
        (Err(error), Some(meta)) if error.kind() == ErrorKind::Invalid && is_made_of(&meta, &progress) => {
            Ok(Copied::Done(meta))
        }
        (Err(error), _) => Err(error),
    }
}

/// Whether an object is the one that these parts make, as its ETag tells: the MD5 of the parts' MD5s and their number.
fn is_made_of(meta: &ObjectMeta, progress: &Progress) -> bool {
    let mut digest = Md5::new();
    for etag in &progress.parts {
        let Ok(part) = hex::decode(version(etag).0) else { return false };
        digest.update(part);
    }
    let expected = format!("{}-{}", hex::encode(digest.finalize()), progress.parts.len());
    meta.size == progress.size && meta.version.0 == expected
}

async fn copy_parts(bucket: &S3Bucket, source: &Source, full: &str, mut progress: Progress) -> Result<Copied> {
    let first = progress.parts.len() as u64;
    let last = (first + PARTS_PER_CALL as u64).min(progress.all_parts());
    let copied: Vec<String> = stream::iter(first..last)
        .map(|at| copy_part(bucket, source, full, &progress, at))
        .buffered(PARTS_PER_CALL)
        .try_collect()
        .await?;
    progress.parts.extend(copied);
    Ok(Copied::More { bytes: progress.bytes(), token: progress.token(bucket, full)? })
}

async fn copy_part(bucket: &S3Bucket, source: &Source, full: &str, progress: &Progress, at: u64) -> Result<String> {
    let start = at * progress.part_size;
    let end = (start + progress.part_size).min(progress.size);
    let call = bucket
        .patient()
        .upload_part_copy()
        .bucket(bucket.name())
        .key(full)
        .upload_id(&progress.upload_id)
        .part_number(i32::try_from(at + 1).unwrap_or(i32::MAX))
        .copy_source(&source.header)
        .copy_source_range(format!("bytes={start}-{}", end - 1))
        .set_copy_source_if_match(progress.version.as_ref().map(quoted));
    let output = call.send().await.map_err(|error| from_sdk(PART, source.resource.clone(), error))?;
    let etag = output.copy_part_result.and_then(|result| result.e_tag);
    etag.ok_or_else(|| contradiction(PART, bucket.resource(full), "a part without an ETag"))
}

pub(super) async fn abandon(bucket: &S3Bucket, to: &Key, token: &CopyToken) -> Result<()> {
    let full = bucket.full_to_write(to, "AbortMultipartUpload")?;
    let progress = Progress::parse(bucket, &full, token)?;
    upload::abort(bucket, &full, &progress.upload_id).await
}
