//! Calls about one object: put, get, head, copy, delete.

use std::collections::HashMap;
use std::sync::Arc;

use s3s::dto::{
    Checksum, ChecksumMode, CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource, DeleteObjectInput,
    DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, ETag, ETagCondition, GetObjectInput,
    GetObjectOutput, HeadObjectInput, HeadObjectOutput, MetadataDirective, PutObjectInput, PutObjectOutput,
};
use s3s::{S3Error, S3ErrorCode, S3Result, TrailingHeaders};

use super::checksums;
use super::store::{Object, ObjectHeaders, Store};

pub(super) fn etag(etag: &str) -> ETag {
    ETag::Strong(etag.to_owned())
}

pub(super) fn metadata(metadata: Option<HashMap<String, String>>) -> std::collections::BTreeMap<String, String> {
    metadata.unwrap_or_default().into_iter().collect()
}

fn refused() -> S3Error {
    S3Error::new(S3ErrorCode::PreconditionFailed)
}

/// Whether an existing object answers an `If-Match` condition.
fn matches(condition: &ETagCondition, object: &Object) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(wanted) => wanted.value() == &*object.etag,
    }
}

/// Refuses a write whose conditions on the object that is there don't hold.
pub(super) fn check_write(
    there: Option<&Object>,
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> S3Result<()> {
    match (if_match, there) {
        (Some(_), None) => return Err(S3Error::new(S3ErrorCode::NoSuchKey)),
        (Some(condition), Some(object)) if !matches(condition, object) => return Err(refused()),
        _ => {}
    }
    if there.zip(if_none_match).is_some_and(|(object, condition)| matches(condition, object)) {
        return Err(refused());
    }
    Ok(())
}

/// Refuses a read or copy whose conditions on its source don't hold.
pub(super) fn check_read(
    object: &Object,
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> S3Result<()> {
    if if_match.is_some_and(|condition| !matches(condition, object))
        || if_none_match.is_some_and(|condition| matches(condition, object))
    {
        return Err(refused());
    }
    Ok(())
}

pub(super) async fn put(
    store: &Store,
    input: PutObjectInput,
    trailers: Option<&TrailingHeaders>,
) -> S3Result<PutObjectOutput> {
    let length = input.content_length;
    let bytes = checksums::collect(input.body).await?;
    if length.is_some_and(|length| usize::try_from(length) != Ok(bytes.len())) {
        return Err(S3Error::new(S3ErrorCode::IncompleteBody));
    }
    let mut named = Checksum {
        checksum_crc32: input.checksum_crc32,
        checksum_crc32c: input.checksum_crc32c,
        checksum_crc64nvme: input.checksum_crc64nvme,
        checksum_sha1: input.checksum_sha1,
        checksum_sha256: input.checksum_sha256,
        checksum_type: None,
    };
    checksums::add_trailing(&mut named, trailers);
    let kept = checksums::verify(&bytes, input.content_md5.as_deref(), &named)?;
    let headers = ObjectHeaders {
        content_type: input.content_type,
        content_encoding: input.content_encoding.and_then(without_aws_chunked),
        cache_control: input.cache_control,
        content_disposition: input.content_disposition,
        content_language: input.content_language,
        metadata: metadata(input.metadata),
    };
    let mut object = Object::new(bytes, Arc::new(headers));
    object.checksums = kept.clone().map(Arc::new);
    let e_tag = Some(etag(&object.etag));
    store.with(&input.bucket, |bucket| {
        let there = bucket.objects.get(input.key.as_str());
        check_write(there, input.if_match.as_ref(), input.if_none_match.as_ref())?;
        bucket.objects.insert(input.key.as_str().into(), object);
        Ok(())
    })?;
    let sums = kept.unwrap_or_default();
    Ok(PutObjectOutput {
        e_tag,
        checksum_crc32: sums.checksum_crc32,
        checksum_crc32c: sums.checksum_crc32c,
        checksum_crc64nvme: sums.checksum_crc64nvme,
        checksum_sha1: sums.checksum_sha1,
        checksum_sha256: sums.checksum_sha256,
        ..PutObjectOutput::default()
    })
}

/// S3 doesn't keep the `aws-chunked` that SDKs add for the transfer.
pub(super) fn without_aws_chunked(encoding: String) -> Option<String> {
    let kept: Vec<&str> = encoding.split(',').map(str::trim).filter(|part| *part != "aws-chunked").collect();
    (!kept.iter().all(|part| part.is_empty())).then(|| kept.join(","))
}

pub(super) fn get(store: &Store, input: &GetObjectInput) -> S3Result<GetObjectOutput> {
    let object = store.read(&input.bucket, |bucket| bucket.object(&input.key).cloned())?;
    check_read(&object, input.if_match.as_ref(), input.if_none_match.as_ref())?;
    let length = object.bytes.len();
    let range = match &input.range {
        Some(range) => Some(range.check(length as u64)?),
        None => None,
    };
    let (bytes, content_range) = match range {
        Some(range) => {
            let (start, end) = (to_usize(range.start), to_usize(range.end));
            (object.bytes.slice(start..end), Some(format!("bytes {start}-{}/{length}", end - 1)))
        }
        None => (object.bytes.clone(), None),
    };
    let sums = match (&content_range, input.checksum_mode.as_ref().map(ChecksumMode::as_str)) {
        (None, Some(ChecksumMode::ENABLED)) => object.checksums.as_deref().cloned().unwrap_or_default(),
        _ => Checksum::default(),
    };
    let headers = &object.headers;
    Ok(GetObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        content_length: Some(to_i64(bytes.len())),
        body: Some(s3s::Body::from(bytes).into()),
        content_range,
        content_type: headers.content_type.clone().or_else(|| Some("binary/octet-stream".to_owned())),
        content_encoding: headers.content_encoding.clone(),
        cache_control: headers.cache_control.clone(),
        content_disposition: headers.content_disposition.clone(),
        content_language: headers.content_language.clone(),
        metadata: (!headers.metadata.is_empty()).then(|| headers.metadata.clone().into_iter().collect()),
        e_tag: Some(etag(&object.etag)),
        last_modified: Some(object.modified.into()),
        checksum_crc32: sums.checksum_crc32,
        checksum_crc32c: sums.checksum_crc32c,
        checksum_crc64nvme: sums.checksum_crc64nvme,
        checksum_sha1: sums.checksum_sha1,
        checksum_sha256: sums.checksum_sha256,
        ..GetObjectOutput::default()
    })
}

pub(super) fn head(store: &Store, input: &HeadObjectInput) -> S3Result<HeadObjectOutput> {
    let object = store.read(&input.bucket, |bucket| bucket.object(&input.key).cloned())?;
    check_read(&object, input.if_match.as_ref(), input.if_none_match.as_ref())?;
    let sums = match input.checksum_mode.as_ref().map(ChecksumMode::as_str) {
        Some(ChecksumMode::ENABLED) => object.checksums.as_deref().cloned().unwrap_or_default(),
        _ => Checksum::default(),
    };
    let headers = &object.headers;
    Ok(HeadObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        content_length: Some(to_i64(object.bytes.len())),
        content_type: headers.content_type.clone().or_else(|| Some("binary/octet-stream".to_owned())),
        content_encoding: headers.content_encoding.clone(),
        cache_control: headers.cache_control.clone(),
        content_disposition: headers.content_disposition.clone(),
        content_language: headers.content_language.clone(),
        metadata: (!headers.metadata.is_empty()).then(|| headers.metadata.clone().into_iter().collect()),
        e_tag: Some(etag(&object.etag)),
        last_modified: Some(object.modified.into()),
        checksum_crc32: sums.checksum_crc32,
        checksum_crc32c: sums.checksum_crc32c,
        checksum_crc64nvme: sums.checksum_crc64nvme,
        checksum_sha1: sums.checksum_sha1,
        checksum_sha256: sums.checksum_sha256,
        ..HeadObjectOutput::default()
    })
}

/// The source of a copy.
pub(super) fn copy_source(
    store: &Store,
    source: &CopySource,
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> S3Result<Object> {
    let CopySource::Bucket { bucket, key, version_id: None } = source else {
        return Err(S3Error::with_message(S3ErrorCode::NotImplemented, "access points and versions are not served"));
    };
    let object = store.read(bucket, |bucket| bucket.object(key).cloned())?;
    check_read(&object, if_match, if_none_match)?;
    Ok(object)
}

pub(super) fn copy(store: &Store, input: CopyObjectInput, limit: u64) -> S3Result<CopyObjectOutput> {
    let (if_match, if_none_match) = (input.copy_source_if_match.as_ref(), input.copy_source_if_none_match.as_ref());
    let object = copy_source(store, &input.copy_source, if_match, if_none_match)?;
    if object.bytes.len() as u64 > limit {
        let message = format!("The specified copy source is larger than the maximum allowable size: {limit}");
        return Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message));
    }
    let replace = input.metadata_directive.as_ref().map(MetadataDirective::as_str) == Some(MetadataDirective::REPLACE);
    let headers = if replace {
        Arc::new(ObjectHeaders {
            content_type: input.content_type,
            content_encoding: input.content_encoding,
            cache_control: input.cache_control,
            content_disposition: input.content_disposition,
            content_language: input.content_language,
            metadata: metadata(input.metadata),
        })
    } else {
        Arc::clone(&object.headers)
    };
    let object = object.copy(headers);
    let result = CopyObjectResult {
        e_tag: Some(etag(&object.etag)),
        last_modified: Some(object.modified.into()),
        ..CopyObjectResult::default()
    };
    store.with(&input.bucket, |bucket| {
        bucket.objects.insert(input.key.as_str().into(), object);
        Ok(())
    })?;
    Ok(CopyObjectOutput { copy_object_result: Some(result), ..CopyObjectOutput::default() })
}

pub(super) fn delete(store: &Store, input: &DeleteObjectInput) -> S3Result<DeleteObjectOutput> {
    store.with(&input.bucket, |bucket| {
        bucket.objects.remove(input.key.as_str());
        Ok(DeleteObjectOutput::default())
    })
}

pub(super) fn delete_many(store: &Store, input: DeleteObjectsInput) -> S3Result<DeleteObjectsOutput> {
    if input.delete.objects.len() > 1000 {
        return Err(S3Error::new(S3ErrorCode::MalformedXML));
    }
    let quiet = input.delete.quiet.unwrap_or(false);
    store.with(&input.bucket, |bucket| {
        let mut deleted = Vec::new();
        for object in input.delete.objects {
            bucket.objects.remove(object.key.as_str());
            if !quiet {
                deleted.push(DeletedObject { key: Some(object.key), ..DeletedObject::default() });
            }
        }
        Ok(DeleteObjectsOutput { deleted: Some(deleted), ..DeleteObjectsOutput::default() })
    })
}

fn to_usize(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

pub(super) fn to_i64(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
