//! `ListObjectsV2`.

use provider::{ErrorKind, Key, KeyRules, ListRequest, ListToken, ObjectMeta, Page, Result};

use super::S3Bucket;
use super::get::exists;
use super::meta::version;
use crate::error::{contradiction, refused};
use crate::hot::{LIST, ListAnswer, ListCall, ListStart};

pub(super) async fn list(bucket: &S3Bucket, request: &ListRequest) -> Result<Page> {
    let prefix = bucket.full(&request.prefix);
    let resource = || bucket.resource(&prefix);
    let quirks = bucket.quirks();
    if request.after.is_some() && request.token.is_none() && !quirks.start_after {
        let why = "the store lists only from the beginning of a prefix";
        return Err(refused(ErrorKind::Unsupported, LIST, resource(), why));
    }
    if !could_begin(&quirks.keys, &prefix) {
        // No key begins so, and the store would refuse the question or list other keys.
        return Box::pin(exists(bucket)).await.map(|()| Page::default());
    }
    let keys = if request.max_keys == 0 { quirks.page_keys } else { request.max_keys.min(quirks.page_keys) };
    let after = request.after.as_ref().map(|after| bucket.full(after.as_str()));
    let start = match (&request.token, &after) {
        (Some(token), _) => ListStart::Token(&token.0),
        (None, Some(after)) => ListStart::After(after),
        (None, None) => ListStart::Beginning,
    };
    let call = ListCall { prefix: &prefix, start, max_keys: keys, resource: &resource() };
    page(bucket, request, bucket.hot().list(&call).await?, &resource)
}

/// The page that an answer tells of, checked and in the caller's words.
fn page(bucket: &S3Bucket, request: &ListRequest, answer: ListAnswer, resource: &impl Fn() -> String) -> Result<Page> {
    let broken = |what| contradiction(LIST, resource(), what);
    if answer.key_count.is_some_and(|count| count != answer.objects.len()) {
        return Err(broken("another number of keys than the page says"));
    }
    let through = request.through.as_ref().map(Key::as_str);
    let outer = bucket.inner.prefix.as_str();
    let mut objects: Vec<ObjectMeta> = Vec::with_capacity(answer.objects.len());
    let mut ended = false;
    for object in answer.objects {
        let mut key = object.key.ok_or_else(|| broken("an object without a key"))?;
        if !key.strip_prefix(outer).is_some_and(|own| own.starts_with(&request.prefix)) {
            return Err(broken("a key outside the prefix"));
        }
        key.drain(..outer.len());
        if through.is_some_and(|through| key.as_str() > through) {
            ended = true;
            break;
        }
        ended = through == Some(key.as_str());
        // The object that stands for the prefix itself, if somebody made one, has no name here.
        if key.is_empty() {
            continue;
        }
        if objects.last().is_some_and(|last| last.key.as_str() >= key.as_str()) {
            return Err(broken("keys that are not sorted"));
        }
        objects.push(ObjectMeta {
            key: Key::new(key),
            size: object.size.ok_or_else(|| broken("an object without a size"))?,
            version: version(object.etag.ok_or_else(|| broken("an object without an ETag"))?),
            modified: object.modified,
            checksum: None,
            class: object.class,
            details: None,
        });
    }
    let next = match (answer.truncated, answer.next) {
        _ if ended => None,
        (true, None) => return Err(broken("a page with a next one but no token")),
        (true, Some(token)) => Some(ListToken(token)),
        (false, _) => None,
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
