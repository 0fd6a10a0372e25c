//! `ListObjectsV2`.

use aws_sdk_s3::types::EncodingType;
use provider::{ContentHeaders, ErrorKind, Key, KeyRules, ListRequest, ListToken, ObjectMeta, Page, Result};

use super::S3Bucket;
use super::get::exists;
use super::meta::{timestamp, version};
use crate::encoding::decode;
use crate::error::{contradiction, from_sdk, refused};

const OPERATION: &str = "ListObjectsV2";

pub(super) async fn list(bucket: &S3Bucket, request: &ListRequest) -> Result<Page> {
    let prefix = bucket.full(&request.prefix);
    let resource = || bucket.resource(&prefix);
    let quirks = bucket.quirks();
    if request.after.is_some() && request.token.is_none() && !quirks.start_after {
        let why = "the store lists only from the beginning of a prefix";
        return Err(refused(ErrorKind::Unsupported, OPERATION, resource(), why));
    }
    if !could_begin(&quirks.keys, &prefix) {
        // No key begins so, and the store would refuse the question or list other keys.
        return exists(bucket).await.map(|()| Page::default());
    }
    let keys = if request.max_keys == 0 { quirks.page_keys } else { request.max_keys.min(quirks.page_keys) };
    let mut call = bucket
        .client()
        .list_objects_v2()
        .bucket(bucket.name())
        // Without it, a control character in a key makes the answer unreadable.
        .encoding_type(EncodingType::Url)
        .max_keys(i32::try_from(keys).unwrap_or(i32::MAX));
    if !prefix.is_empty() {
        call = call.prefix(&prefix);
    }
    match (&request.token, &request.after) {
        (Some(token), _) => call = call.continuation_token(&token.0),
        (None, Some(after)) => call = call.start_after(bucket.full(after.as_str())),
        (None, None) => {}
    }
    let output = call.send().await.map_err(|error| from_sdk(OPERATION, resource(), error))?;

    let url = output.encoding_type() == Some(&EncodingType::Url);
    let through = request.through.as_ref().map(Key::as_str);
    let mut objects: Vec<ObjectMeta> = Vec::with_capacity(output.contents().len());
    let mut ended = false;
    for object in output.contents() {
        let broken = |what| contradiction(OPERATION, resource(), what);
        let key = object.key().ok_or_else(|| broken("an object without a key"))?;
        let key = if url { decode(key).ok_or_else(|| broken("a key that is not encoded"))? } else { key.to_owned() };
        let own = key.strip_prefix(bucket.inner.prefix.as_str());
        let own = own.filter(|own| own.starts_with(&request.prefix));
        let own = own.ok_or_else(|| broken("a key outside the prefix"))?;
        if through.is_some_and(|through| own > through) {
            ended = true;
            break;
        }
        ended = through == Some(own);
        // The object that stands for the prefix itself, if somebody made one, has no name here.
        if own.is_empty() {
            continue;
        }
        if objects.last().is_some_and(|last| last.key.as_str() >= own) {
            return Err(broken("keys that are not sorted"));
        }
        let size = object.size().and_then(|size| u64::try_from(size).ok());
        objects.push(ObjectMeta {
            key: Key::new(own),
            size: size.ok_or_else(|| broken("an object without a size"))?,
            version: version(object.e_tag().ok_or_else(|| broken("an object without an ETag"))?),
            modified: timestamp(object.last_modified()),
            checksum: None,
            headers: ContentHeaders::default(),
            metadata: std::collections::BTreeMap::new(),
        });
    }
    let next = match (output.is_truncated(), output.next_continuation_token()) {
        _ if ended => None,
        (Some(true), None) => return Err(contradiction(OPERATION, resource(), "a page with a next one but no token")),
        (Some(true), Some(token)) => Some(ListToken(token.to_owned())),
        _ => None,
    };
    Ok(Page { objects, next })
}

/// Whether a key that the store holds can begin with this: its segments but the last, open one are whole ones.
fn could_begin(rules: &KeyRules, prefix: &str) -> bool {
    prefix.rsplit_once('/').is_none_or(|(whole, _)| {
        whole.split('/').all(|segment| {
            (rules.empty_segments || !segment.is_empty())
                && (rules.dot_segments || (segment != "." && segment != ".."))
                && segment.len() <= rules.max_segment_bytes
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Quirks;

    #[test]
    fn a_prefix_with_segments_that_are_not_held_begins_no_key() {
        let minio = Quirks::minio().keys;
        for prefix in ["", "a", "a/", "a/b", "a/.", "a/.."] {
            assert!(could_begin(&minio, prefix), "{prefix}");
        }
        for prefix in ["/", "//", "/a", "a//", "a//b", "a/../", "./a"] {
            assert!(!could_begin(&minio, prefix), "{prefix}");
            assert!(could_begin(&KeyRules::RAW, prefix), "{prefix}");
        }
    }
}
