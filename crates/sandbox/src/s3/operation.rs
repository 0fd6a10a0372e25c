//! Which S3 call a request is, told from its method, path and query.

use std::fmt;

use http::{HeaderMap, Method, Uri};

macro_rules! operations {
    ($($name:ident),+ $(,)?) => {
        /// A call of the S3 API, by the name that its documentation uses.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Operation {
            $(
                #[doc = concat!("`", stringify!($name), "`.")]
                $name,
            )+
        }

        impl Operation {
            /// Every call, in the order of their values.
            pub(super) const ALL: &[Self] = &[$(Self::$name),+];

            /// The name of the call, as the documentation of S3 writes it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }
        }
    };
}

operations!(
    AbortMultipartUpload,
    CompleteMultipartUpload,
    CopyObject,
    CreateBucket,
    CreateMultipartUpload,
    DeleteBucket,
    DeleteObject,
    DeleteObjects,
    GetBucketAcl,
    GetBucketEncryption,
    GetBucketLifecycleConfiguration,
    GetBucketLocation,
    GetBucketPolicy,
    GetBucketPolicyStatus,
    GetBucketRequestPayment,
    GetBucketVersioning,
    GetObject,
    GetObjectLockConfiguration,
    GetObjectTagging,
    GetPublicAccessBlock,
    HeadBucket,
    HeadObject,
    ListBuckets,
    ListMultipartUploads,
    ListObjects,
    ListObjectsV2,
    ListParts,
    PutObject,
    UploadPart,
    UploadPartCopy,
    Other,
);

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a request asks for, as far as faults, latency and counters care.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) operation: Operation,
    /// Empty for the call that is about none.
    pub(super) bucket: String,
    /// The raw key; empty for calls about a bucket.
    pub(super) key: String,
}

impl Call {
    /// Tells the call of a path-style request.
    pub(super) fn of(method: &Method, uri: &Uri, headers: &HeaderMap) -> Self {
        let path = uri.path().strip_prefix('/').unwrap_or_default();
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let query = Query(uri.query().unwrap_or_default());
        let operation = if bucket.is_empty() {
            Operation::ListBuckets
        } else if key.is_empty() {
            of_bucket(method, query)
        } else {
            of_object(method, query, headers.contains_key("x-amz-copy-source"))
        };
        Self { operation, bucket: bucket.to_owned(), key: percent_decode(key) }
    }
}

#[derive(Clone, Copy)]
struct Query<'a>(&'a str);

impl Query<'_> {
    fn has(self, name: &str) -> bool {
        self.0.split('&').any(|pair| pair.split('=').next() == Some(name))
    }
}

fn of_bucket(method: &Method, query: Query<'_>) -> Operation {
    match *method {
        Method::HEAD => Operation::HeadBucket,
        Method::PUT if query.0.is_empty() => Operation::CreateBucket,
        Method::DELETE if query.0.is_empty() => Operation::DeleteBucket,
        Method::POST if query.has("delete") => Operation::DeleteObjects,
        Method::GET => [
            ("acl", Operation::GetBucketAcl),
            ("encryption", Operation::GetBucketEncryption),
            ("lifecycle", Operation::GetBucketLifecycleConfiguration),
            ("location", Operation::GetBucketLocation),
            ("object-lock", Operation::GetObjectLockConfiguration),
            ("policy", Operation::GetBucketPolicy),
            ("policyStatus", Operation::GetBucketPolicyStatus),
            ("requestPayment", Operation::GetBucketRequestPayment),
            ("publicAccessBlock", Operation::GetPublicAccessBlock),
            ("uploads", Operation::ListMultipartUploads),
            ("versioning", Operation::GetBucketVersioning),
            ("list-type", Operation::ListObjectsV2),
        ]
        .into_iter()
        .find_map(|(name, operation)| query.has(name).then_some(operation))
        .unwrap_or(Operation::ListObjects),
        _ => Operation::Other,
    }
}

fn of_object(method: &Method, query: Query<'_>, copy: bool) -> Operation {
    match *method {
        Method::HEAD => Operation::HeadObject,
        Method::GET if query.has("uploadId") => Operation::ListParts,
        Method::GET if query.has("tagging") => Operation::GetObjectTagging,
        Method::GET => Operation::GetObject,
        Method::PUT => match (query.has("uploadId"), copy) {
            (true, true) => Operation::UploadPartCopy,
            (true, false) => Operation::UploadPart,
            (false, true) => Operation::CopyObject,
            (false, false) => Operation::PutObject,
        },
        Method::POST if query.has("uploads") => Operation::CreateMultipartUpload,
        Method::POST if query.has("uploadId") => Operation::CompleteMultipartUpload,
        Method::DELETE if query.has("uploadId") => Operation::AbortMultipartUpload,
        Method::DELETE => Operation::DeleteObject,
        _ => Operation::Other,
    }
}

/// The bytes that a percent-encoded text stands for. A `%` without two digits stands for itself.
pub(super) fn percent_decode(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match digits.and_then(|digits| hex::decode(digits).ok()) {
            Some(decoded) => {
                out.extend_from_slice(&decoded);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// A text percent-encoded as S3 does it in listings with `encoding-type=url`: `/` stays as it is.
pub(super) fn percent_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    percent_encode_into(&mut out, text);
    out
}

/// Writes a text as [`percent_encode`] does.
pub(super) fn percent_encode_into(out: &mut String, text: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte.is_ascii_alphanumeric() || b"-_.~/*".contains(&byte) {
            continue;
        }
        // Inside a longer character there is nothing to take over, and no place where a string may be cut.
        if plain < at {
            out.push_str(&text[plain..at]);
        }
        plain = at + 1;
        if byte == b' ' {
            out.push('+');
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    out.push_str(&text[plain..]);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn call(method: Method, uri: &str, copy: bool) -> Call {
        let mut headers = HeaderMap::new();
        if copy {
            headers.insert("x-amz-copy-source", "b/k".parse().unwrap());
        }
        Call::of(&method, &uri.parse().unwrap(), &headers)
    }

    #[test]
    fn requests_are_told_apart() {
        let cases = [
            (Method::GET, "/", false, Operation::ListBuckets),
            (Method::PUT, "/b", false, Operation::CreateBucket),
            (Method::PUT, "/b/", false, Operation::CreateBucket),
            (Method::GET, "/b?list-type=2&prefix=x", false, Operation::ListObjectsV2),
            (Method::GET, "/b/?uploads&prefix=acl", false, Operation::ListMultipartUploads),
            (Method::POST, "/b/?delete", false, Operation::DeleteObjects),
            (Method::PUT, "/b/k?x-id=PutObject", false, Operation::PutObject),
            (Method::PUT, "/b/k?x-id=CopyObject", true, Operation::CopyObject),
            (Method::PUT, "/b/k?partNumber=1&uploadId=u", false, Operation::UploadPart),
            (Method::PUT, "/b/k?partNumber=1&uploadId=u", true, Operation::UploadPartCopy),
            (Method::POST, "/b/k?uploads", false, Operation::CreateMultipartUpload),
            (Method::POST, "/b/k?uploadId=u", false, Operation::CompleteMultipartUpload),
            (Method::DELETE, "/b/k?uploadId=u", false, Operation::AbortMultipartUpload),
            (Method::DELETE, "/b/k", false, Operation::DeleteObject),
        ];
        for (method, uri, copy, operation) in cases {
            assert_eq!(call(method, uri, copy).operation, operation, "{uri}");
        }
    }

    #[test]
    fn keys_come_out_raw() {
        assert_eq!(call(Method::GET, "/b//lead%2Bplus%20%25/%C3%A9", false).key, "/lead+plus %/é");
        assert_eq!(percent_decode("100%"), "100%");
        assert_eq!(percent_encode("/a b+%é"), "/a+b%2B%25%C3%A9");
    }
}
