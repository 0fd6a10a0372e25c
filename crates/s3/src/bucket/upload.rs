//! A multipart upload in progress, aborted when it is dropped unfinished.

use std::sync::Arc;

use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart, StorageClass};
use bytes::Bytes;
use provider::cleanup::Owed;
use provider::{ErrorKind, ObjectDetails, ObjectVersion, PutMode, Result};

use super::S3Bucket;
use super::meta::version;
use crate::error::{contradiction, from_sdk, refused};

const CREATE: &str = "CreateMultipartUpload";
const PART: &str = "UploadPart";
const COMPLETE: &str = "CompleteMultipartUpload";
const ABORT: &str = "AbortMultipartUpload";

/// What an upload becomes.
pub(super) struct New {
    pub(super) details: ObjectDetails,
    /// Tags, encoded as in a query.
    pub(super) tags: Option<String>,
    pub(super) class: Option<StorageClass>,
    /// Whether each part comes with a checksum.
    pub(super) checksums: bool,
}

/// Begins an upload, in a task of its own: when the caller is cancelled while the store answers, the task learns the
/// upload's id all the same, and the guard that nobody takes aborts it.
pub(super) async fn begin(bucket: &S3Bucket, full: &str, new: New) -> Result<Guard> {
    let owed = Owed::announce();
    let (bucket, full) = (bucket.clone(), full.to_owned());
    let task = tokio::spawn(async move {
        let id = create(&bucket, &full, new).await?;
        Ok(Guard { bucket, full, upload: Some((id, owed)) })
    });
    match task.await {
        Ok(begun) => begun,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Begins an upload; answers its id.
async fn create(bucket: &S3Bucket, full: &str, new: New) -> Result<String> {
    if full.chars().any(|c| c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}')) {
        // The answer repeats the key in XML, which can't hold it: the upload would begin and its id be lost.
        let why = "a key with control characters can't be uploaded in parts";
        return Err(refused(ErrorKind::Unsupported, CREATE, bucket.resource(full), why));
    }
    let New { details: ObjectDetails { headers, metadata }, tags, class, checksums } = new;
    let mut call = bucket
        .client()
        .create_multipart_upload()
        .bucket(bucket.name())
        .key(full)
        .set_content_type(headers.content_type)
        .set_content_encoding(headers.content_encoding)
        .set_cache_control(headers.cache_control)
        .set_content_disposition(headers.content_disposition)
        .set_content_language(headers.content_language)
        .set_tagging(tags)
        .set_storage_class(class);
    for (name, value) in metadata {
        call = call.metadata(name, value);
    }
    if checksums {
        call = call.checksum_algorithm(ChecksumAlgorithm::Crc32C);
    }
    let terms = Arc::clone(&bucket.inner.clients.terms);
    let sent = call.customize().mutate_request(move |request| terms.add_to_new(request)).send().await;
    let output = sent.map_err(|error| from_sdk(CREATE, bucket.resource(full), error))?;
    let missing = || contradiction(CREATE, bucket.resource(full), "an upload without an id");
    output.upload_id.filter(|id| !id.is_empty()).ok_or_else(missing)
}

/// Sends one part.
pub(super) async fn part(bucket: &S3Bucket, full: &str, id: &str, number: i32, bytes: Bytes) -> Result<CompletedPart> {
    let mut call = bucket.client().upload_part().bucket(bucket.name()).key(full).upload_id(id).part_number(number);
    let mut part = CompletedPart::builder().part_number(number);
    if bucket.quirks().checksums {
        let sum = super::put::crc32c(&bytes);
        call = call.checksum_crc32_c(&sum);
        part = part.checksum_crc32_c(sum);
    }
    let output = call.body(bytes.into()).send().await;
    let output = output.map_err(|error| from_sdk(PART, bucket.resource(full), error))?;
    let etag = output.e_tag.ok_or_else(|| contradiction(PART, bucket.resource(full), "a part without an ETag"))?;
    Ok(part.e_tag(etag).build())
}

/// Makes an object of the parts.
pub(super) async fn complete(
    bucket: &S3Bucket,
    full: &str,
    id: &str,
    parts: Vec<CompletedPart>,
    mode: PutMode,
) -> Result<ObjectVersion> {
    let upload = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
    let mut call = bucket.patient().complete_multipart_upload().bucket(bucket.name()).key(full).upload_id(id);
    if mode == PutMode::CreateOnly {
        call = call.if_none_match("*");
    }
    let output = call.multipart_upload(upload).send().await;
    let output = output.map_err(|error| from_sdk(COMPLETE, bucket.resource(full), error))?;
    let missing = || contradiction(COMPLETE, bucket.resource(full), "an object without an ETag");
    output.e_tag().map(version).ok_or_else(missing)
}

/// Gives an upload up; one that is gone is a success.
pub(super) async fn abort(bucket: &S3Bucket, full: &str, id: &str) -> Result<()> {
    match bucket.client().abort_multipart_upload().bucket(bucket.name()).key(full).upload_id(id).send().await {
        Ok(_) => Ok(()),
        Err(error) if error.code() == Some("NoSuchUpload") => Ok(()),
        Err(error) => Err(from_sdk(ABORT, bucket.resource(full), error)),
    }
}

/// Aborts an upload when dropped, unless it was finished: a cancelled call leaves nothing that costs money.
pub(super) struct Guard {
    bucket: S3Bucket,
    full: String,
    upload: Option<(String, Owed)>,
}

impl Guard {
    /// The upload's id, until the guard is disarmed.
    pub(super) fn id(&self) -> String {
        self.upload.as_ref().map(|(id, _)| id.clone()).unwrap_or_default()
    }

    /// The upload is finished, or somebody else's by now.
    pub(super) fn disarm(mut self) {
        self.upload = None;
    }

    /// Aborts now. What keeps it from that is only logged: the caller has an error of its own to tell. A caller that is
    /// cancelled meanwhile changes nothing.
    pub(super) async fn abort(mut self) {
        if let Some((id, _)) = &self.upload {
            abort_and_log(&self.bucket, &self.full, id).await;
            self.upload = None;
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let Some((id, owed)) = self.upload.take() else { return };
        let (bucket, full) = (self.bucket.clone(), self.full.clone());
        let told = id.clone();
        if !owed.spawn(async move { abort_and_log(&bucket, &full, &id).await }) {
            tracing::warn!(key = %self.full, upload = %told, "a multipart upload is left behind");
        }
    }
}

async fn abort_and_log(bucket: &S3Bucket, full: &str, id: &str) {
    if let Err(error) = abort(bucket, full, id).await {
        tracing::warn!(key = %full, upload = %id, %error, "a multipart upload is left behind");
    }
}
