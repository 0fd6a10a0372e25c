//! Where a bucket is, as a URL: the only thing by which two buckets know that one store holds them.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

const KEPT: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// A bucket, its prefix, and the store's endpoint if it isn't Google's:
/// `gs://bucket/prefix?endpoint=http%3A//127.0.0.1%3A9000`. Prefix and endpoint are percent-encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) bucket: String,
    pub(super) prefix: String,
    pub(super) endpoint: Option<String>,
}

impl Location {
    pub(super) fn parse(url: &str) -> Option<Self> {
        let rest = url.strip_prefix("gs://")?;
        let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        let decode = |text| percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned);
        let endpoint = match query {
            Some(query) => Some(decode(query.strip_prefix("endpoint=")?)?),
            None => None,
        };
        if bucket.is_empty() {
            return None;
        }
        Some(Self { bucket: bucket.to_owned(), prefix: decode(prefix)?, endpoint })
    }

    /// The bucket as gRPC names it.
    pub(super) fn resource(&self) -> String {
        format!("projects/_/buckets/{}", self.bucket)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gs://{}/{}", self.bucket, utf8_percent_encode(&self.prefix, &KEPT))?;
        match &self.endpoint {
            Some(endpoint) => write!(f, "?endpoint={}", utf8_percent_encode(endpoint, &KEPT)),
            None => Ok(()),
        }
    }
}

/// An endpoint without a password in it and without a slash at its end.
pub(super) fn plain_endpoint(endpoint: &str) -> String {
    let endpoint = endpoint.trim_end_matches('/');
    let Some((scheme, rest)) = endpoint.split_once("://") else { return endpoint.to_owned() };
    let (authority, path) =
        rest.split_once('/').map_or((rest, String::new()), |(host, path)| (host, format!("/{path}")));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_read_back() {
        for (prefix, endpoint) in [("", None), ("//pach/", Some("http://127.0.0.1:9000")), ("/a b?c%/é", None)] {
            let location =
                Location { bucket: "b".into(), prefix: prefix.into(), endpoint: endpoint.map(str::to_owned) };
            assert_eq!(Location::parse(&location.to_string()), Some(location));
        }
        assert_eq!(Location::parse("s3://b/p"), None);
        assert_eq!(Location::parse("gs:///p"), None);
        assert_eq!(plain_endpoint("http://me:hush@host:1/path/"), "http://host:1/path");
    }
}
