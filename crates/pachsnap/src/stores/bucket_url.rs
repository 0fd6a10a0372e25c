//! URLs of buckets, as people write them and as manifests record them.

/// Who speaks for a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// `s3://`: Amazon S3, and stores that speak its protocol.
    S3,
    /// `gs://`: Google Cloud Storage.
    Google,
}

/// `s3://bucket/prefix` or `gs://bucket/prefix`, with `?endpoint=…` where a manifest names the store. Prefix and endpoint are
/// percent-encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BucketUrl {
    /// Who speaks for it.
    pub(crate) scheme: Scheme,
    /// Bucket name.
    pub(crate) bucket: String,
    /// What keys begin with: empty, or ending in a slash.
    pub(crate) prefix: String,
    /// Endpoint that the URL names.
    pub(crate) endpoint: Option<String>,
}

impl BucketUrl {
    /// Reads a URL; `None` for what is no URL of a bucket.
    pub(crate) fn parse(url: &str) -> Option<Self> {
        let of = |scheme, name| Some((scheme, provider::BucketUrl::parse(name, url)?));
        let (scheme, url) = of(Scheme::S3, "s3").or_else(|| of(Scheme::Google, "gs"))?;
        let provider::BucketUrl { bucket, mut prefix, endpoint, .. } = url;
        if bucket.contains('@') {
            return None;
        }
        if !prefix.is_empty() && !prefix.ends_with('/') {
            prefix.push('/');
        }
        Some(Self { scheme, bucket, prefix, endpoint })
    }

    /// The same, of an S3 bucket; `None` for others.
    pub(crate) fn parse_s3(url: &str) -> Option<Self> {
        Self::parse(url).filter(|url| url.scheme == Scheme::S3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> Option<(String, String, Option<String>)> {
        BucketUrl::parse(url).map(|url| (url.bucket, url.prefix, url.endpoint))
    }

    #[test]
    fn urls() {
        let expect = |bucket: &str, prefix: &str, endpoint: Option<&str>| {
            Some((bucket.to_owned(), prefix.to_owned(), endpoint.map(str::to_owned)))
        };
        assert_eq!(parsed("s3://b"), expect("b", "", None));
        assert_eq!(parsed("s3://b/"), expect("b", "", None));
        assert_eq!(parsed("s3://b/a/c"), expect("b", "a/c/", None));
        assert_eq!(parsed("s3://b/a%20c/"), expect("b", "a c/", None));
        assert_eq!(parsed("s3://b/p?endpoint=http%3A//127.0.0.1%3A9"), expect("b", "p/", Some("http://127.0.0.1:9")));
        assert_eq!(
            BucketUrl::parse("gs://b/a").map(|url| (url.scheme, url.prefix)),
            Some((Scheme::Google, "a/".to_owned()))
        );
        assert!(BucketUrl::parse_s3("gs://b/a").is_none() && BucketUrl::parse_s3("s3://b/a").is_some());
        for wrong in ["s3://", "s3:///p", "s3://b?x=1", "s3://b/%zz", "s3://b/%4", "az://b", "s3://key@b", "gs://"] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }
}
