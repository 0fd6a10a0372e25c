//! Multipart uploads.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, Checksum, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CompletedPart, CopyPartResult, CreateMultipartUploadInput,
    CreateMultipartUploadOutput, EncodingType, ListMultipartUploadsInput, ListMultipartUploadsOutput, ListPartsInput,
    ListPartsOutput, MultipartUpload, Part as ListedPart, Range, UploadPartCopyInput, UploadPartCopyOutput,
    UploadPartInput, UploadPartOutput,
};
use s3s::{S3Error, S3ErrorCode, S3Result, TrailingHeaders};

use super::checksums;
use super::objects::{check_write, copy_source, etag, metadata, to_i64};
use super::operation::percent_encode;
use super::store::{Object, ObjectHeaders, Part, Store, Upload};

pub(super) fn create(store: &Store, input: CreateMultipartUploadInput) -> S3Result<CreateMultipartUploadOutput> {
    let id = uuid::Uuid::now_v7().simple().to_string();
    let headers = ObjectHeaders {
        content_type: input.content_type,
        content_encoding: input.content_encoding,
        cache_control: input.cache_control,
        content_disposition: input.content_disposition,
        content_language: input.content_language,
        metadata: metadata(input.metadata),
    };
    store.with(&input.bucket, |bucket| {
        let upload = Upload { started: SystemTime::now(), headers: Arc::new(headers), parts: BTreeMap::new() };
        bucket.uploads.insert((input.key.clone(), id.clone()), upload);
        Ok(())
    })?;
    Ok(CreateMultipartUploadOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(id),
        ..CreateMultipartUploadOutput::default()
    })
}

fn add_part(
    store: &Store,
    bucket: &str,
    key: &str,
    id: &str,
    number: i32,
    bytes: Bytes,
) -> S3Result<(String, SystemTime)> {
    if !(1..=10_000).contains(&number) {
        return Err(S3Error::with_message(S3ErrorCode::InvalidArgument, "Part number must be from 1 to 10000"));
    }
    let part = Part { md5: Md5::checksum(&bytes), bytes, modified: SystemTime::now() };
    let result = (hex::encode(part.md5), part.modified);
    store.with(bucket, |bucket| {
        bucket.upload(key, id)?.parts.insert(number, part);
        Ok(result)
    })
}

pub(super) async fn upload_part(
    store: &Store,
    input: UploadPartInput,
    trailers: Option<&TrailingHeaders>,
) -> S3Result<UploadPartOutput> {
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
    let sums = checksums::verify(&bytes, input.content_md5.as_deref(), &named)?.unwrap_or_default();
    let (tag, _) = add_part(store, &input.bucket, &input.key, &input.upload_id, input.part_number, bytes)?;
    Ok(UploadPartOutput {
        e_tag: Some(etag(&tag)),
        checksum_crc32: sums.checksum_crc32,
        checksum_crc32c: sums.checksum_crc32c,
        checksum_crc64nvme: sums.checksum_crc64nvme,
        checksum_sha1: sums.checksum_sha1,
        checksum_sha256: sums.checksum_sha256,
        ..UploadPartOutput::default()
    })
}

pub(super) fn upload_part_copy(store: &Store, input: &UploadPartCopyInput) -> S3Result<UploadPartCopyOutput> {
    let (if_match, if_none_match) = (input.copy_source_if_match.as_ref(), input.copy_source_if_none_match.as_ref());
    let source = copy_source(store, &input.copy_source, if_match, if_none_match)?;
    let bytes = match &input.copy_source_range {
        None => source.bytes,
        Some(text) => {
            let invalid = || S3Error::with_message(S3ErrorCode::InvalidArgument, "Range is not valid for the source");
            // Unlike the range of a read, the one of a copy must lie within the source.
            let Ok(Range::Int { first, last: Some(last) }) = Range::parse(text) else { return Err(invalid()) };
            if last >= source.bytes.len() as u64 {
                return Err(invalid());
            }
            let (first, last) = (usize::try_from(first), usize::try_from(last));
            let (Ok(first), Ok(last)) = (first, last) else { return Err(invalid()) };
            source.bytes.slice(first..=last)
        }
    };
    let (tag, modified) = add_part(store, &input.bucket, &input.key, &input.upload_id, input.part_number, bytes)?;
    let result =
        CopyPartResult { e_tag: Some(etag(&tag)), last_modified: Some(modified.into()), ..CopyPartResult::default() };
    Ok(UploadPartCopyOutput { copy_part_result: Some(result), ..UploadPartCopyOutput::default() })
}

pub(super) fn complete(
    store: &Store,
    input: CompleteMultipartUploadInput,
    min_part_size: u64,
) -> S3Result<CompleteMultipartUploadOutput> {
    let wanted = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
    let tag = store.with(&input.bucket, |bucket| {
        let upload = bucket.upload(&input.key, &input.upload_id)?;
        let (bytes, etag) = assemble(upload, &wanted, min_part_size)?;
        let headers = Arc::clone(&upload.headers);
        if input.mpu_object_size.is_some_and(|size| usize::try_from(size) != Ok(bytes.len())) {
            return Err(S3Error::with_message(S3ErrorCode::InvalidRequest, "The object does not have the named size"));
        }
        let there = bucket.objects.get(input.key.as_str());
        check_write(there, input.if_match.as_ref(), input.if_none_match.as_ref())?;
        bucket.uploads.remove(&(input.key.clone(), input.upload_id.clone()));
        let tag = etag.clone();
        let object = Object { bytes, etag: etag.into(), modified: SystemTime::now(), headers, checksums: None };
        bucket.objects.insert(input.key.as_str().into(), object);
        Ok(tag)
    })?;
    Ok(CompleteMultipartUploadOutput {
        location: Some(format!("/{}/{}", input.bucket, percent_encode(&input.key))),
        bucket: Some(input.bucket),
        key: Some(input.key),
        e_tag: Some(etag(&tag)),
        ..CompleteMultipartUploadOutput::default()
    })
}

/// The content and ETag that the named parts make.
fn assemble(upload: &Upload, wanted: &[CompletedPart], min_part_size: u64) -> S3Result<(Bytes, String)> {
    if wanted.is_empty() {
        return Err(S3Error::new(S3ErrorCode::MalformedXML));
    }
    let mut bytes = BytesMut::new();
    let mut digests = Vec::new();
    let mut last = 0;
    for (at, named) in wanted.iter().enumerate() {
        let number = named.part_number.unwrap_or_default();
        if number <= last {
            return Err(S3Error::new(S3ErrorCode::InvalidPartOrder));
        }
        last = number;
        let part = upload.parts.get(&number).ok_or_else(|| S3Error::new(S3ErrorCode::InvalidPart))?;
        if named.e_tag.as_ref().is_some_and(|tag| tag.value() != hex::encode(part.md5)) {
            return Err(S3Error::new(S3ErrorCode::InvalidPart));
        }
        if at + 1 < wanted.len() && (part.bytes.len() as u64) < min_part_size {
            return Err(S3Error::new(S3ErrorCode::EntityTooSmall));
        }
        bytes.extend_from_slice(&part.bytes);
        digests.extend_from_slice(&part.md5);
    }
    let etag = format!("{}-{}", hex::encode(Md5::checksum(&digests)), wanted.len());
    Ok((bytes.freeze(), etag))
}

pub(super) fn abort(store: &Store, input: &AbortMultipartUploadInput) -> S3Result<AbortMultipartUploadOutput> {
    store.with(&input.bucket, |bucket| {
        bucket.upload(&input.key, &input.upload_id)?;
        bucket.uploads.remove(&(input.key.clone(), input.upload_id.clone()));
        Ok(AbortMultipartUploadOutput::default())
    })
}

pub(super) fn list_uploads(store: &Store, input: ListMultipartUploadsInput) -> S3Result<ListMultipartUploadsOutput> {
    let url = input.encoding_type.as_ref().is_some_and(|encoding| encoding.as_str() == EncodingType::URL);
    let encode = |text: &str| if url { percent_encode(text) } else { text.to_owned() };
    let max = usize::try_from(input.max_uploads.unwrap_or(1000).clamp(1, 1000)).unwrap_or(1000);
    let prefix = input.prefix.clone().unwrap_or_default();
    let (key_marker, id_marker) = (input.key_marker.clone(), input.upload_id_marker.clone());
    let after = |key: &str, id: &str| match (&key_marker, &id_marker) {
        (Some(marker), Some(id_marker)) => (key, id) > (marker.as_str(), id_marker.as_str()),
        (Some(marker), None) => key > marker.as_str(),
        (None, _) => true,
    };
    let mut found: Vec<(String, String, SystemTime)> = store.read(&input.bucket, |bucket| {
        let fits = bucket.uploads.iter().filter(|((key, id), _)| key.starts_with(&prefix) && after(key, id));
        Ok(fits.take(max + 1).map(|((key, id), upload)| (key.clone(), id.clone(), upload.started)).collect())
    })?;
    let truncated = found.len() > max;
    found.truncate(max);
    let last = found.last().filter(|_| truncated);
    Ok(ListMultipartUploadsOutput {
        next_key_marker: last.map(|(key, ..)| encode(key)),
        next_upload_id_marker: last.map(|(_, id, _)| id.clone()),
        is_truncated: Some(truncated),
        max_uploads: i32::try_from(max).ok(),
        prefix: input.prefix.as_deref().map(encode),
        key_marker: input.key_marker.as_deref().map(encode),
        upload_id_marker: input.upload_id_marker,
        bucket: Some(input.bucket),
        encoding_type: input.encoding_type,
        uploads: Some(
            found
                .iter()
                .map(|(key, id, started)| MultipartUpload {
                    key: Some(encode(key)),
                    upload_id: Some(id.clone()),
                    initiated: Some((*started).into()),
                    ..MultipartUpload::default()
                })
                .collect(),
        ),
        ..ListMultipartUploadsOutput::default()
    })
}

pub(super) fn list_parts(store: &Store, input: ListPartsInput) -> S3Result<ListPartsOutput> {
    let max = usize::try_from(input.max_parts.unwrap_or(1000).clamp(1, 1000)).unwrap_or(1000);
    let after = input.part_number_marker.as_ref().and_then(|marker| marker.to_string().parse::<i32>().ok());
    let mut parts: Vec<ListedPart> = store.read(&input.bucket, |bucket| {
        let upload = bucket.unfinished(&input.key, &input.upload_id)?;
        let fits = upload.parts.range(after.map_or(1, |after| after + 1)..).take(max + 1);
        Ok(fits
            .map(|(number, part)| ListedPart {
                part_number: Some(*number),
                e_tag: Some(etag(&hex::encode(part.md5))),
                size: Some(to_i64(part.bytes.len())),
                last_modified: Some(part.modified.into()),
                ..ListedPart::default()
            })
            .collect())
    })?;
    let truncated = parts.len() > max;
    parts.truncate(max);
    Ok(ListPartsOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(input.upload_id),
        is_truncated: Some(truncated),
        next_part_number_marker: parts.last().filter(|_| truncated).and_then(|part| part.part_number),
        max_parts: i32::try_from(max).ok(),
        parts: Some(parts),
        ..ListPartsOutput::default()
    })
}
