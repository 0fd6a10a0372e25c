//! Where a bucket is, as a URL: the only thing by which two buckets know that one store holds them.

use std::fmt;

use crate::encoding::{decode, encode};

/// A bucket, its prefix, and the store's endpoint if it isn't Amazon's:
/// `s3://bucket/prefix?endpoint=http%3A//127.0.0.1%3A9000`. Prefix and endpoint are percent-encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) bucket: String,
    pub(crate) prefix: String,
    pub(crate) endpoint: Option<String>,
}

impl Location {
    pub(crate) fn parse(url: &str) -> Option<Self> {
        let rest = url.strip_prefix("s3://")?;
        let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        let endpoint = match query {
            Some(query) => Some(decode(query.strip_prefix("endpoint=")?)?),
            None => None,
        };
        if bucket.is_empty() {
            return None;
        }
        Some(Self { bucket: bucket.to_owned(), prefix: decode(prefix)?, endpoint })
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, encode(&self.prefix))?;
        match &self.endpoint {
            Some(endpoint) => write!(f, "?endpoint={}", encode(endpoint)),
            None => Ok(()),
        }
    }
}

/// An endpoint without a password in it and without a slash at its end.
pub(crate) fn plain_endpoint(endpoint: &str) -> String {
    let endpoint = endpoint.trim_end_matches('/');
    match endpoint.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_once('/').map_or((rest, None), |(host, path)| (host, Some(path)));
            let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
            path.map_or_else(|| format!("{scheme}://{host}"), |path| format!("{scheme}://{host}/{path}"))
        }
        None => endpoint.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_read_back() {
        for (prefix, endpoint) in [("", None), ("pach/", Some("http://127.0.0.1:9000")), ("/a b?c%/é", None)] {
            let location =
                Location { bucket: "b".into(), prefix: prefix.into(), endpoint: endpoint.map(str::to_owned) };
            assert_eq!(Location::parse(&location.to_string()), Some(location));
        }
        assert_eq!(Location::parse("gs://b/p"), None);
        assert_eq!(Location::parse("s3:///p"), None);
    }

    #[test]
    fn an_endpoint_is_shown_without_its_password() {
        assert_eq!(plain_endpoint("http://me:hush@host:1/"), "http://host:1");
        assert_eq!(plain_endpoint("https://host/path"), "https://host/path");
    }
}
