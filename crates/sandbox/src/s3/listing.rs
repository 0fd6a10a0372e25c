//! `ListObjectsV2` and the first version: pages are range scans.

use std::ops::Bound;

use s3s::dto::{
    CommonPrefix, EncodingType, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output,
    Object as ListedObject, ObjectStorageClass,
};
use s3s::{S3Error, S3ErrorCode, S3Result};

use super::objects::{etag, to_i64};
use super::operation::percent_encode;
use super::store::{Store, StoredBucket};

/// Most keys in a page, as on AWS.
const MAX_KEYS: i32 = 1000;

/// Where a page begins.
#[derive(Clone, Debug)]
enum Start {
    Beginning,
    After(String),
    /// After everything that begins with this.
    AfterPrefix(String),
}

impl Start {
    fn token(&self) -> Option<String> {
        match self {
            Self::Beginning => None,
            Self::After(key) => Some(format!("k{}", hex::encode(key))),
            Self::AfterPrefix(prefix) => Some(format!("p{}", hex::encode(prefix))),
        }
    }

    fn parse(token: &str) -> S3Result<Self> {
        let refuse = || S3Error::with_message(S3ErrorCode::InvalidArgument, "The continuation token is not ours");
        let decode = |text: &str| hex::decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        match (token.get(..1), token.get(1..).and_then(decode)) {
            (Some("k"), Some(key)) => Ok(Self::After(key)),
            (Some("p"), Some(prefix)) => Ok(Self::AfterPrefix(prefix)),
            _ => Err(refuse()),
        }
    }

    fn key(&self) -> String {
        match self {
            Self::Beginning => String::new(),
            Self::After(key) => key.clone(),
            Self::AfterPrefix(prefix) => format!("{prefix}{}", char::MAX),
        }
    }
}

struct Listed {
    contents: Vec<ListedObject>,
    prefixes: Vec<CommonPrefix>,
    /// Where the next page begins; `None` at the end.
    next: Option<Start>,
}

fn list(bucket: &StoredBucket, prefix: &str, delimiter: Option<&str>, start: Start, max: usize, url: bool) -> Listed {
    let encode = |text: &str| if url { percent_encode(text) } else { text.to_owned() };
    let mut listed = Listed { contents: Vec::new(), prefixes: Vec::new(), next: None };
    if max == 0 {
        return listed;
    }
    let mut at = start;
    'pages: loop {
        let key = at.key();
        let bound = if key.is_empty() { Bound::Unbounded } else { Bound::Excluded(key.as_str()) };
        let mut last = None;
        for (key, object) in bucket.range(prefix, bound) {
            let group = delimiter.and_then(|delimiter| {
                let rest = &key[prefix.len()..];
                rest.find(delimiter).map(|found| &key[..prefix.len() + found + delimiter.len()])
            });
            if listed.contents.len() + listed.prefixes.len() == max {
                listed.next = Some(last.map_or(at, |key: &std::sync::Arc<str>| Start::After(key.to_string())));
                break 'pages;
            }
            if let Some(group) = group {
                listed.prefixes.push(CommonPrefix { prefix: Some(encode(group)) });
                at = Start::AfterPrefix(group.to_owned());
                continue 'pages;
            }
            listed.contents.push(ListedObject {
                key: Some(encode(key)),
                size: Some(to_i64(object.bytes.len())),
                e_tag: Some(etag(&object.etag)),
                last_modified: Some(object.modified.into()),
                storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
                ..ListedObject::default()
            });
            last = Some(key);
        }
        break;
    }
    listed
}

fn page_size(max_keys: Option<i32>) -> S3Result<usize> {
    usize::try_from(max_keys.unwrap_or(MAX_KEYS).min(MAX_KEYS))
        .map_err(|source| S3Error::with_source(S3ErrorCode::InvalidArgument, Box::new(source)))
}

fn is_url(encoding: Option<&EncodingType>) -> bool {
    encoding.is_some_and(|encoding| encoding.as_str() == EncodingType::URL)
}

pub(super) fn list_v2(store: &Store, input: ListObjectsV2Input) -> S3Result<ListObjectsV2Output> {
    let max = page_size(input.max_keys)?;
    let url = is_url(input.encoding_type.as_ref());
    let start = match (&input.continuation_token, &input.start_after) {
        (Some(token), _) => Start::parse(token)?,
        (None, Some(key)) => Start::After(key.clone()),
        (None, None) => Start::Beginning,
    };
    let prefix = input.prefix.clone().unwrap_or_default();
    let delimiter = input.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty());
    let listed = store.with(&input.bucket, |bucket| Ok(list(bucket, &prefix, delimiter, start, max, url)))?;
    let encode = |text: String| if url { percent_encode(&text) } else { text };
    Ok(ListObjectsV2Output {
        name: Some(input.bucket),
        prefix: Some(encode(prefix)),
        delimiter: input.delimiter.map(encode),
        start_after: input.start_after.map(encode),
        max_keys: Some(i32::try_from(max).unwrap_or(MAX_KEYS)),
        key_count: i32::try_from(listed.contents.len() + listed.prefixes.len()).ok(),
        continuation_token: input.continuation_token,
        is_truncated: Some(listed.next.is_some()),
        next_continuation_token: listed.next.and_then(|next| next.token()),
        contents: Some(listed.contents),
        common_prefixes: Some(listed.prefixes),
        encoding_type: input.encoding_type,
        ..ListObjectsV2Output::default()
    })
}

pub(super) fn list_v1(store: &Store, input: ListObjectsInput) -> S3Result<ListObjectsOutput> {
    let max = page_size(input.max_keys)?;
    let url = is_url(input.encoding_type.as_ref());
    let prefix = input.prefix.clone().unwrap_or_default();
    let delimiter = input.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty());
    let start = match &input.marker {
        // A marker may be a common prefix, which stands for everything under it.
        Some(marker) if delimiter.is_some_and(|delimiter| marker.ends_with(delimiter)) => {
            Start::AfterPrefix(marker.clone())
        }
        Some(marker) => Start::After(marker.clone()),
        None => Start::Beginning,
    };
    let listed = store.with(&input.bucket, |bucket| Ok(list(bucket, &prefix, delimiter, start, max, url)))?;
    let next_marker = match &listed.next {
        Some(Start::After(key) | Start::AfterPrefix(key)) => Some(key.clone()),
        _ => None,
    };
    let encode = |text: String| if url { percent_encode(&text) } else { text };
    Ok(ListObjectsOutput {
        name: Some(input.bucket),
        prefix: Some(encode(prefix)),
        marker: input.marker.map(encode),
        next_marker: next_marker.map(encode),
        delimiter: input.delimiter.map(encode),
        max_keys: Some(i32::try_from(max).unwrap_or(MAX_KEYS)),
        is_truncated: Some(listed.next.is_some()),
        contents: Some(listed.contents),
        common_prefixes: Some(listed.prefixes),
        encoding_type: input.encoding_type,
        ..ListObjectsOutput::default()
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::s3::bucket_handle::BucketHandle;

    fn pages(keys: &[&str], prefix: &str, delimiter: Option<&str>, max: i32) -> Vec<String> {
        let store = Store::default();
        let bucket = BucketHandle::new(store.clone(), "b");
        keys.iter().for_each(|key| drop(bucket.put(key, "x", None)));
        let (mut seen, mut token) = (Vec::new(), None);
        loop {
            let input = ListObjectsV2Input {
                bucket: "b".into(),
                prefix: Some(prefix.into()),
                delimiter: delimiter.map(Into::into),
                max_keys: Some(max),
                continuation_token: token,
                ..ListObjectsV2Input::default()
            };
            let page = list_v2(&store, input).unwrap();
            let (contents, prefixes) = (page.contents.unwrap(), page.common_prefixes.unwrap());
            assert!(contents.len() + prefixes.len() <= usize::try_from(max).unwrap());
            seen.extend(contents.into_iter().filter_map(|object| object.key));
            seen.extend(prefixes.into_iter().filter_map(|group| group.prefix));
            token = page.next_continuation_token;
            assert_eq!(page.is_truncated, Some(token.is_some()));
            if token.is_none() {
                return seen;
            }
        }
    }

    #[test]
    fn pages_hold_each_key_once_whatever_their_size() {
        let keys = ["/lead", "a", "a/", "a/b", "a/c/d", "b", "b/é", "c//d"];
        for max in 1..=9 {
            assert_eq!(pages(&keys, "", None, max), keys, "{max}");
            assert_eq!(pages(&keys, "a/", None, max), ["a/", "a/b", "a/c/d"], "{max}");
            let mut grouped = pages(&keys, "", Some("/"), max);
            grouped.sort();
            assert_eq!(grouped, ["/", "a", "a/", "b", "b/", "c/"], "{max}");
        }
    }
}
