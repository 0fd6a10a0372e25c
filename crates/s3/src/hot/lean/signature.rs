//! Signatures of requests without a body (AWS Signature Version 4).

use std::fmt::Write as _;

use aws_sigv4::sign::v4::calculate_signature;
use http::HeaderValue;
use sha2::{Digest as _, Sha256};

use super::moment::Moment;

/// SHA-256 of nothing.
pub(super) const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// What is signed.
pub(super) struct Signed<'a> {
    pub(super) method: &'a str,
    /// As it is sent.
    pub(super) path: &'a str,
    /// As it is sent: parameters encoded and sorted.
    pub(super) query: &'a str,
    /// Names in lower case, sorted; values as they are sent.
    pub(super) headers: &'a [(&'a str, &'a [u8])],
}

impl Signed<'_> {
    /// The value of `Authorization`.
    pub(super) fn authorization(&self, moment: &Moment) -> Result<HeaderValue, http::Error> {
        let mut names = String::with_capacity(128);
        for (at, (name, _)) in self.headers.iter().enumerate() {
            if at > 0 {
                names.push(';');
            }
            names.push_str(name);
        }
        let mut digest = [0; 64];
        // The buffer is as long as the text of a digest.
        let _ = hex::encode_to_slice(Sha256::digest(self.canonical(&names)), &mut digest);
        let mut to_sign = Vec::with_capacity(192);
        for part in [b"AWS4-HMAC-SHA256\n".as_slice(), moment.stamp.as_bytes(), b"\n", moment.scope.as_bytes(), b"\n"] {
            to_sign.extend_from_slice(part);
        }
        to_sign.extend_from_slice(&digest);
        let signature = calculate_signature(&*moment.key, &to_sign);
        let id = moment.credentials.access_key_id();
        let mut value = String::with_capacity(320);
        let _ = write!(
            value,
            "AWS4-HMAC-SHA256 Credential={id}/{}, SignedHeaders={names}, Signature={signature}",
            moment.scope
        );
        let mut value = HeaderValue::try_from(value)?;
        value.set_sensitive(true);
        Ok(value)
    }

    fn canonical(&self, names: &str) -> Vec<u8> {
        let mut out = Vec::with_capacity(1024);
        for part in [self.method, "\n", self.path, "\n", self.query, "\n"] {
            out.extend_from_slice(part.as_bytes());
        }
        for (name, value) in self.headers {
            out.extend_from_slice(name.as_bytes());
            out.push(b':');
            add_trimmed(&mut out, value);
            out.push(b'\n');
        }
        for part in ["\n", names, "\n", EMPTY_SHA256] {
            out.extend_from_slice(part.as_bytes());
        }
        out
    }
}

/// Adds a value without spaces at its ends, and with one space for several.
fn add_trimmed(out: &mut Vec<u8>, value: &[u8]) {
    if !value.contains(&b' ') {
        return out.extend_from_slice(value);
    }
    for (at, word) in value.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(word);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use aws_credential_types::Credentials;

    use super::*;

    /// The examples of the service's documentation.
    #[test]
    fn signatures_are_the_documented_ones() {
        let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", secret, None, None, "test");
        // Friday, 24 May 2013, at midnight.
        let moment = Moment::new(1_369_353_600, "us-east-1", Arc::new(credentials), None).unwrap();
        assert_eq!(moment.stamp, "20130524T000000Z");
        let host = ("host", b"examplebucket.s3.amazonaws.com".as_slice());
        let content = ("x-amz-content-sha256", EMPTY_SHA256.as_bytes());
        let date = ("x-amz-date", b"20130524T000000Z".as_slice());
        let range = ("range", b"bytes=0-9".as_slice());
        let cases = [
            (
                "/test.txt",
                "",
                vec![host, range, content, date],
                "host;range;x-amz-content-sha256;x-amz-date",
                "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
            ),
            (
                "/",
                "max-keys=2&prefix=J",
                vec![host, content, date],
                "host;x-amz-content-sha256;x-amz-date",
                "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
            ),
        ];
        for (path, query, headers, names, signature) in cases {
            let signed = Signed { method: "GET", path, query, headers: &headers };
            let expected = format!(
                "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, \
                 SignedHeaders={names}, Signature={signature}"
            );
            let value = signed.authorization(&moment).unwrap();
            assert_eq!(value, expected.as_str());
            assert!(value.is_sensitive());
        }
    }

    #[test]
    fn blanks_count_once() {
        for (value, signed) in [("a", "a"), ("", ""), (" a  b c ", "a b c"), ("  ", "")] {
            let mut out = Vec::new();
            add_trimmed(&mut out, value.as_bytes());
            assert_eq!(out, signed.as_bytes());
        }
    }
}
