//! Listings: pages are range scans. What `ListObjectsV2` answers is written by `list_v2`, what the first version does, here.

use std::ops::Bound;
use std::sync::Arc;
use std::time::SystemTime;

use s3s::dto::{
    CommonPrefix, EncodingType, ListObjectsInput, ListObjectsOutput, Object as ListedObject, ObjectStorageClass,
};
use s3s::{S3Error, S3ErrorCode, S3Result};

use super::objects::{etag, to_i64};
use super::operation::percent_encode;
use super::store::{Store, StoredBucket};

/// Most keys in a page, as on AWS.
pub(super) const MAX_KEYS: i32 = 1000;

/// Where a page begins.
#[derive(Clone, Debug)]
pub(super) enum Start {
    Beginning,
    After(String),
    /// After everything that begins with this.
    AfterPrefix(String),
}

impl Start {
    pub(super) fn token(&self) -> Option<String> {
        match self {
            Self::Beginning => None,
            Self::After(key) => Some(format!("k{}", hex::encode(key))),
            Self::AfterPrefix(prefix) => Some(format!("p{}", hex::encode(prefix))),
        }
    }

    pub(super) fn parse(token: &str) -> S3Result<Self> {
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

/// An object as a page shows it.
pub(super) struct Listed {
    pub(super) key: Arc<str>,
    pub(super) size: usize,
    pub(super) etag: Arc<str>,
    pub(super) modified: SystemTime,
}

/// One page.
#[derive(Default)]
pub(super) struct Page {
    pub(super) contents: Vec<Listed>,
    pub(super) prefixes: Vec<String>,
    /// Where the next page begins; `None` at the end.
    pub(super) next: Option<Start>,
}

/// At most `max` keys and groups that begin with `prefix`, from `start` on.
pub(super) fn page(bucket: &StoredBucket, prefix: &str, delimiter: Option<&str>, start: Start, max: usize) -> Page {
    let mut page = Page::default();
    if max == 0 {
        return page;
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
            if page.contents.len() + page.prefixes.len() == max {
                page.next = Some(last.map_or(at, |key: &Arc<str>| Start::After(key.to_string())));
                break 'pages;
            }
            if let Some(group) = group {
                page.prefixes.push(group.to_owned());
                at = Start::AfterPrefix(group.to_owned());
                continue 'pages;
            }
            page.contents.push(Listed {
                key: Arc::clone(key),
                size: object.bytes.len(),
                etag: Arc::clone(&object.etag),
                modified: object.modified,
            });
            last = Some(key);
        }
        break;
    }
    page
}

/// How many keys a page may have.
pub(super) fn page_size(max_keys: Option<i32>) -> S3Result<usize> {
    usize::try_from(max_keys.unwrap_or(MAX_KEYS).min(MAX_KEYS))
        .map_err(|source| S3Error::with_source(S3ErrorCode::InvalidArgument, Box::new(source)))
}

pub(super) fn list_v1(store: &Store, input: ListObjectsInput) -> S3Result<ListObjectsOutput> {
    let max = page_size(input.max_keys)?;
    let url = input.encoding_type.as_ref().is_some_and(|encoding| encoding.as_str() == EncodingType::URL);
    let encode = |text: &str| if url { percent_encode(text) } else { text.to_owned() };
    let prefix = input.prefix.as_deref().unwrap_or_default();
    let delimiter = input.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty());
    let start = match &input.marker {
        // A marker may be a common prefix, which stands for everything under it.
        Some(marker) if delimiter.is_some_and(|delimiter| marker.ends_with(delimiter)) => {
            Start::AfterPrefix(marker.clone())
        }
        Some(marker) => Start::After(marker.clone()),
        None => Start::Beginning,
    };
    let page = store.read(&input.bucket, |bucket| Ok(page(bucket, prefix, delimiter, start, max)))?;
    let next_marker = match &page.next {
        Some(Start::After(key) | Start::AfterPrefix(key)) => Some(encode(key)),
        _ => None,
    };
    let contents = page.contents.into_iter().map(|listed| ListedObject {
        key: Some(encode(&listed.key)),
        size: Some(to_i64(listed.size)),
        e_tag: Some(etag(&listed.etag)),
        last_modified: Some(listed.modified.into()),
        storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
        ..ListedObject::default()
    });
    let prefixes = page.prefixes.iter().map(|group| CommonPrefix { prefix: Some(encode(group)) });
    Ok(ListObjectsOutput {
        prefix: Some(encode(prefix)),
        marker: input.marker.as_deref().map(encode),
        next_marker,
        delimiter: input.delimiter.as_deref().map(encode),
        max_keys: Some(i32::try_from(max).unwrap_or(MAX_KEYS)),
        is_truncated: Some(page.next.is_some()),
        contents: Some(contents.collect()),
        common_prefixes: Some(prefixes.collect()),
        encoding_type: input.encoding_type,
        name: Some(input.bucket),
        ..ListObjectsOutput::default()
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::s3::bucket_handle::BucketHandle;

    fn pages(keys: &[&str], prefix: &str, delimiter: Option<&str>, max: usize) -> Vec<String> {
        let store = Store::default();
        let bucket = BucketHandle::new(store.clone(), "b");
        keys.iter().for_each(|key| drop(bucket.put(key, "x", None)));
        let (mut seen, mut start) = (Vec::new(), Start::Beginning);
        loop {
            let page = store.read("b", |bucket| Ok(page(bucket, prefix, delimiter, start, max))).unwrap();
            assert!(page.contents.len() + page.prefixes.len() <= max);
            seen.extend(page.contents.into_iter().map(|listed| listed.key.to_string()));
            seen.extend(page.prefixes);
            match page.next {
                Some(next) => start = Start::parse(&next.token().unwrap()).unwrap(),
                None => return seen,
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
