//! `GetObject` and `HeadObject`.

use std::collections::BTreeMap;
use std::ops::Range;

use aws_sdk_s3::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ChecksumMode;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use provider::{Error, ErrorKind, GetRequest, Key, ObjectMeta, ObjectStream, Result};

use super::S3Bucket;
use super::meta::{of_get, of_head, quoted};
use crate::error::{contradiction, from_sdk, of_body, refused};

const GET: &str = "GetObject";
const HEAD: &str = "HeadObject";
const TAGS: &str = "GetObjectTagging";

pub(super) async fn get(bucket: &S3Bucket, request: &GetRequest) -> Result<ObjectStream> {
    let full = bucket.full_to_read(&request.key, GET)?;
    let resource = || bucket.resource(&full);
    // HTTP has no word for an empty range.
    if request.range.as_ref().is_some_and(Range::is_empty) {
        return get_nothing(bucket, request, &full).await;
    }
    let mut call = bucket.client().get_object().bucket(bucket.name()).key(&full);
    if let Some(range) = &request.range {
        call = call.range(header(range));
    } else if bucket.quirks().checksums {
        call = call.checksum_mode(ChecksumMode::Enabled);
    }
    if let Some(version) = &request.if_version {
        call = call.if_match(quoted(version));
    }
    let output = match call.send().await {
        Ok(output) => output,
        // Of an empty object, S3 refuses every range.
        Err(error) if status(&error) == Some(416) && request.range.as_ref().is_some_and(|range| range.start == 0) => {
            return get_nothing(bucket, request, &full).await;
        }
        Err(error) => return Err(from_sdk(GET, resource(), error)),
    };
    let broken = |what| contradiction(GET, resource(), what);
    let meta = of_get(&request.key, &output).ok_or_else(|| broken("an object without ETag or size"))?;
    let expected = match &request.range {
        None => meta.size,
        Some(range) => {
            let expected = range.end.min(meta.size).saturating_sub(range.start);
            if output.content_range().is_none() && expected != meta.size {
                return Err(broken("the whole object instead of a range"));
            }
            expected
        }
    };
    if output.content_length().is_some_and(|length| u64::try_from(length) != Ok(expected)) {
        return Err(broken("another length than the range's"));
    }
    let resource = resource();
    Ok(ObjectStream { meta, body: checked(output.body, expected, resource) })
}

/// A range as HTTP writes it. Some stores ignore one whose end they can't count to.
fn header(range: &Range<u64>) -> String {
    match range.end - 1 {
        last if last < 1 << 62 => format!("bytes={}-{last}", range.start),
        _ => format!("bytes={}-", range.start),
    }
}

/// The answer to a range that holds no byte: the object's facts and no body.
async fn get_nothing(bucket: &S3Bucket, request: &GetRequest, full: &str) -> Result<ObjectStream> {
    let Some(meta) = head(bucket, &request.key).await? else { return Err(bucket.absent(GET, full)) };
    if request.if_version.as_ref().is_some_and(|version| *version != meta.version) {
        return Err(Error::new(ErrorKind::Changed, GET, bucket.resource(full)));
    }
    if request.range.as_ref().is_some_and(|range| range.start > meta.size) {
        let why = "the range begins beyond the end";
        return Err(refused(ErrorKind::Invalid, GET, bucket.resource(full), why));
    }
    Ok(ObjectStream { meta, body: stream::empty().boxed() })
}

/// The body, ended by an error if it has another length than expected.
fn checked(body: ByteStream, expected: u64, resource: String) -> BoxStream<'static, Result<Bytes>> {
    stream::unfold(Some((body, expected)), move |state| {
        let resource = resource.clone();
        async move {
            let (mut body, left) = state?;
            match body.next().await {
                Some(Ok(bytes)) => match left.checked_sub(bytes.len() as u64) {
                    Some(left) => Some((Ok(bytes), Some((body, left)))),
                    None => Some((Err(contradiction(GET, resource, "more bytes than the object has")), None)),
                },
                Some(Err(error)) => Some((Err(of_body(GET, resource, error)), None)),
                None if left > 0 => {
                    let early = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
                    Some((Err(of_body(GET, resource, early)), None))
                }
                None => None,
            }
        }
    })
    .boxed()
}

pub(super) async fn head(bucket: &S3Bucket, key: &Key) -> Result<Option<ObjectMeta>> {
    let Ok(full) = bucket.full_to_read(key, HEAD) else { return exists(bucket).await.map(|()| None) };
    let mut call = bucket.client().head_object().bucket(bucket.name()).key(&full);
    if bucket.quirks().checksums {
        call = call.checksum_mode(ChecksumMode::Enabled);
    }
    match call.send().await {
        Ok(output) => match of_head(key, &output) {
            Some(meta) => Ok(Some(meta)),
            None => Err(contradiction(HEAD, bucket.resource(&full), "an object without ETag or size")),
        },
        // The answer has no body that could say whether the key or the bucket is missing.
        Err(error) if status(&error) == Some(404) => exists(bucket).await.map(|()| None),
        Err(error) => Err(from_sdk(HEAD, bucket.resource(&full), error)),
    }
}

/// Fails with `NotFound` when the bucket is missing. Not being allowed to look is no sign of that.
pub(super) async fn exists(bucket: &S3Bucket) -> Result<()> {
    match bucket.client().head_bucket().bucket(bucket.name()).send().await {
        Ok(_) => Ok(()),
        Err(error) if status(&error) == Some(403) && error.code().is_none() => Ok(()),
        Err(error) => Err(from_sdk("HeadBucket", bucket.resource(""), error)),
    }
}

fn status<E>(error: &SdkError<E, aws_sdk_s3::config::http::HttpResponse>) -> Option<u16> {
    error.raw_response().map(|raw| raw.status().as_u16())
}

/// The tags of an object; none where the store knows no tags.
pub(super) async fn tags(bucket: &S3Bucket, key: &Key) -> Result<BTreeMap<String, String>> {
    let full = bucket.full_to_read(key, TAGS)?;
    match bucket.client().get_object_tagging().bucket(bucket.name()).key(&full).send().await {
        Ok(answer) => Ok(answer.tag_set.into_iter().map(|tag| (tag.key, tag.value)).collect()),
        Err(error) => match from_sdk(TAGS, bucket.resource(&full), error) {
            error if error.kind() == ErrorKind::Unsupported => Ok(BTreeMap::new()),
            error => Err(error),
        },
    }
}
