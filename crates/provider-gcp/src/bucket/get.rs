//! `GetObject` for facts, and the JSON API for bytes.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _};
use google_cloud_storage::model::Object;
use google_cloud_storage::model_ext::ReadRange;
use google_cloud_storage::read_object::ReadObjectResponse;
use provider::{Error, ErrorKind, GetRequest, Key, ObjectMeta, ObjectStream, Result};

use super::GcsBucket;
use super::call::{answer, late};
use super::list::unless_no_bucket;
use super::meta;
use crate::error::{contradiction, from_sdk, refused};

const GET: &str = "objects.get";
const HEAD: &str = "GetObject";

pub(super) async fn head(bucket: &GcsBucket, key: &Key) -> Result<Option<ObjectMeta>> {
    let Ok(full) = bucket.full_to_read(key, HEAD) else { return unless_no_bucket(bucket, Ok(None)).await };
    match object(bucket, bucket.parent(), &full, HEAD).await {
        Ok(object) => Ok(Some(facts(bucket, key, &full, object, HEAD)?)),
        // The answer's code does not tell whether the key or the bucket is missing.
        Err(error) if error.kind() == ErrorKind::NotFound => unless_no_bucket(bucket, Ok(None)).await,
        Err(error) => Err(error),
    }
}

/// An object of any bucket, as it is now.
pub(super) async fn object(bucket: &GcsBucket, parent: &str, full: &str, operation: &'static str) -> Result<Object> {
    let resource = || resource_of(parent, full);
    let limit = bucket.inner.terms.timeouts.call;
    let client = bucket.inner.connections.control().await?;
    let call = client.get_object().set_bucket(parent).set_object(full);
    answer(operation, &resource, limit, ErrorKind::Invalid, bucket.on_terms(call, limit).send()).await
}

/// An object in messages.
pub(super) fn resource_of(parent: &str, full: &str) -> String {
    format!("gs://{}/{full}", parent.trim_start_matches("projects/_/buckets/"))
}

fn facts(bucket: &GcsBucket, key: &Key, full: &str, object: Object, operation: &'static str) -> Result<ObjectMeta> {
    let broken = || contradiction(operation, bucket.resource(full), "an object without generation or size");
    meta::of(key.clone(), object).ok_or_else(broken)
}

/// Facts come over gRPC, since those beside the bytes lack a header; then the bytes of that generation.
pub(super) async fn get(bucket: &GcsBucket, request: &GetRequest) -> Result<ObjectStream> {
    let full = bucket.full_to_read(&request.key, GET)?;
    let resource = || bucket.resource(&full);
    let found = object(bucket, bucket.parent(), &full, GET).await?;
    let generation = found.generation;
    let meta = facts(bucket, &request.key, &full, found, GET)?;
    if request.if_version.as_ref().is_some_and(|version| *version != meta.version) {
        return Err(Error::new(ErrorKind::Changed, GET, resource()));
    }
    let range =
        wanted(request.range.as_ref(), meta.size).map_err(|why| refused(ErrorKind::Invalid, GET, resource(), why))?;
    let length = range.end - range.start;
    if length == 0 {
        return Ok(ObjectStream { meta, body: stream::empty().boxed() });
    }
    let limit = bucket.inner.terms.timeouts.transfer;
    let mut call = bucket.inner.connections.bytes().await?.read_object(bucket.parent(), &full);
    if let Some(project) = &bucket.inner.terms.user_project {
        call = call.with_quota_project(project);
    }
    if length < meta.size {
        call = call.set_read_range(ReadRange::segment(range.start, length));
    }
    let sent = call.set_generation(generation).send();
    let response = answer(GET, &resource, limit, ErrorKind::Changed, sent).await.map_err(|error| {
        // That generation was there a moment ago: it was replaced, or deleted.
        match (error.kind(), &request.if_version) {
            (ErrorKind::NotFound, Some(_)) => Error::new(ErrorKind::Changed, GET, resource()).with_source(error),
            (ErrorKind::NotFound, None) => Error::new(ErrorKind::Unavailable, GET, resource()).with_source(error),
            _ => error,
        }
    })?;
    if response.object().generation != generation {
        return Err(contradiction(GET, resource(), "another generation than was asked for"));
    }
    Ok(ObjectStream { meta, body: checked(response, length, resource(), limit) })
}

/// The bytes of an object that a range means.
fn wanted(range: Option<&Range<u64>>, size: u64) -> Result<Range<u64>, &'static str> {
    let Some(range) = range else { return Ok(0..size) };
    if range.is_empty() {
        return if range.start > size { Err("the range begins beyond the end") } else { Ok(0..0) };
    }
    if range.start >= size && !(range.start == 0 && size == 0) {
        return Err("the range begins beyond the end");
    }
    Ok(range.start..range.end.min(size))
}

/// The body, ended by an error if it has another length than expected. The SDK compares the checksum of a whole object.
fn checked(
    body: ReadObjectResponse,
    expected: u64,
    resource: String,
    limit: Duration,
) -> BoxStream<'static, Result<Bytes>> {
    stream::unfold(Some((body, expected)), move |state| {
        let resource = resource.clone();
        async move {
            let (mut body, left) = state?;
            let Ok(next) = tokio::time::timeout(limit, body.next()).await else {
                return Some((Err(late(GET, resource, limit)), None));
            };
            match next {
                Some(Ok(bytes)) => match left.checked_sub(bytes.len() as u64) {
                    Some(left) => Some((Ok(bytes), Some((body, left)))),
                    None => Some((Err(contradiction(GET, resource, "more bytes than the object has")), None)),
                },
                Some(Err(error)) => Some((Err(from_sdk(GET, resource, ErrorKind::Changed, error)), None)),
                None if left > 0 => {
                    let early = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
                    Some((Err(Error::new(ErrorKind::Unavailable, GET, resource).with_source(early)), None))
                }
                None => None,
            }
        }
    })
    .boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_at_the_end_and_refused_beyond_it() {
        let range = |start, end, size| wanted(Some(&(start..end)), size).ok();
        assert_eq!(wanted(None, 5), Ok(0..5));
        assert_eq!(range(1, u64::MAX, 5), Some(1..5));
        assert_eq!(range(2, 2, 5), Some(0..0));
        assert_eq!(range(0, 9, 0), Some(0..0));
        for (start, end, size) in [(5, 6, 5), (6, 6, 5), (1, 2, 0)] {
            assert_eq!(range(start, end, size), None, "{start}..{end} of {size}");
        }
    }
}
