//! Where a bucket is, as a URL: the only thing by which two buckets know that one store holds them.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::Bucket;

const KEPT: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// A bucket, its prefix, and the store's endpoint if it isn't the cloud's own: `scheme://bucket/prefix?endpoint=http%3A//127.0.0.1%3A9000`.
/// Prefix and endpoint are percent-encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketUrl {
    /// Whose buckets they are.
    pub scheme: &'static str,
    /// The bucket's name.
    pub bucket: String,
    /// What keys begin with, raw; empty for the whole bucket.
    pub prefix: String,
    /// URL of the store, without a password.
    pub endpoint: Option<String>,
}

impl BucketUrl {
    /// Reads a URL of this scheme; `None` for any other text.
    #[must_use]
    pub fn parse(scheme: &'static str, url: &str) -> Option<Self> {
        let rest = url.strip_prefix(scheme)?.strip_prefix("://")?;
        let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        let endpoint = match query {
            Some(query) => Some(decode(query.strip_prefix("endpoint=")?)?),
            None => None,
        };
        if bucket.is_empty() {
            return None;
        }
        Some(Self { scheme, bucket: bucket.to_owned(), prefix: decode(prefix)?, endpoint })
    }

    /// An endpoint without a password in it and without a slash at its end.
    #[must_use]
    pub fn plain_endpoint(endpoint: &str) -> String {
        let endpoint = endpoint.trim_end_matches('/');
        let Some((scheme, rest)) = endpoint.split_once("://") else { return endpoint.to_owned() };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        format!("{scheme}://{host}{path}")
    }
}

impl fmt::Display for BucketUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}/{}", self.scheme, self.bucket, utf8_percent_encode(&self.prefix, &KEPT))?;
        match &self.endpoint {
            Some(endpoint) => write!(f, "?endpoint={}", utf8_percent_encode(endpoint, &KEPT)),
            None => Ok(()),
        }
    }
}

/// The URL of the bucket that was asked about last, taken apart: a store that copies is asked about the same source again and again.
#[derive(Debug, Default)]
pub struct LastBucketUrl(Mutex<Option<Arc<(String, BucketUrl)>>>);

impl LastBucketUrl {
    /// Where a bucket is, with its URL, if that has this scheme.
    pub fn of(&self, scheme: &'static str, bucket: &dyn Bucket) -> Option<Arc<(String, BucketUrl)>> {
        let url = bucket.location();
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = last.as_ref().filter(|known| known.0 == url) {
            return Some(Arc::clone(known));
        }
        let location = BucketUrl::parse(scheme, &url)?;
        Some(Arc::clone(last.insert(Arc::new((url, location)))))
    }
}

/// Undoes percent-encoding; `None` if that isn't valid.
fn decode(text: &str) -> Option<String> {
    let is_code = |after: &str| after.as_bytes().get(..2).is_some_and(|code| code.iter().all(u8::is_ascii_hexdigit));
    let is_valid = text.split('%').skip(1).all(is_code);
    is_valid.then(|| percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_read_back() {
        let prefixes = ["", "pach/", "//pach/", "/a b?c%/é", "+", "50%"];
        for (scheme, prefix) in ["s3", "gs"].into_iter().flat_map(|scheme| prefixes.map(|prefix| (scheme, prefix))) {
            for endpoint in [None, Some("http://127.0.0.1:9000".to_owned())] {
                let location = BucketUrl { scheme, bucket: "b".into(), prefix: prefix.into(), endpoint };
                assert_eq!(BucketUrl::parse(scheme, &location.to_string()), Some(location));
            }
        }
        assert_eq!(BucketUrl::parse("s3", "gs://b/p"), None);
        assert_eq!(BucketUrl::parse("gs", "s3://b/p"), None);
        for wrong in ["s3:///p", "s3://", "s3://b?x=1", "s3://b/%zz", "s3://b/%4", "s3://b/%", "s3://b/%FF"] {
            assert_eq!(BucketUrl::parse("s3", wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_endpoint_is_shown_without_its_password() {
        for (endpoint, plain) in [
            ("http://me:hush@host:1/", "http://host:1"),
            ("http://me:hush@host:1/path/", "http://host:1/path"),
            ("https://host/path", "https://host/path"),
            ("host:1/", "host:1"),
        ] {
            assert_eq!(BucketUrl::plain_endpoint(endpoint), plain);
        }
    }
}
