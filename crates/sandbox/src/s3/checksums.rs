//! Checksums that come with a body, in headers or after it, and are compared with what arrived.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use futures::TryStreamExt as _;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256};
use s3s::dto::{Checksum, StreamingBlob};
use s3s::{S3Error, S3ErrorCode, S3Result, TrailingHeaders};

/// The whole body of a request.
pub(super) async fn collect(body: Option<StreamingBlob>) -> S3Result<Bytes> {
    let Some(mut body) = body else { return Ok(Bytes::new()) };
    let Some(first) = next(&mut body).await? else { return Ok(Bytes::new()) };
    let Some(second) = next(&mut body).await? else { return Ok(first) };
    let mut bytes = BytesMut::with_capacity((first.len() + second.len()) * 2);
    bytes.extend_from_slice(&first);
    bytes.extend_from_slice(&second);
    while let Some(chunk) = next(&mut body).await? {
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

async fn next(body: &mut StreamingBlob) -> S3Result<Option<Bytes>> {
    body.try_next().await.map_err(|source| S3Error::with_source(S3ErrorCode::IncompleteBody, source))
}

/// Adds the checksums that came after the body. Call it when the body was read.
pub(super) fn add_trailing(named: &mut Checksum, trailers: Option<&TrailingHeaders>) {
    let Some(trailers) = trailers.and_then(TrailingHeaders::take) else { return };
    let get = |name: &str| trailers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let slots = [
        ("x-amz-checksum-crc32", &mut named.checksum_crc32),
        ("x-amz-checksum-crc32c", &mut named.checksum_crc32c),
        ("x-amz-checksum-crc64nvme", &mut named.checksum_crc64nvme),
        ("x-amz-checksum-sha1", &mut named.checksum_sha1),
        ("x-amz-checksum-sha256", &mut named.checksum_sha256),
    ];
    for (name, slot) in slots {
        if let Some(value) = get(name) {
            *slot = Some(value);
        }
    }
}

/// Refuses bytes that don't have the checksums named with them; answers the checksums to keep, if any.
pub(super) fn verify(bytes: &[u8], md5: Option<&str>, named: &Checksum) -> S3Result<Option<Checksum>> {
    if let Some(md5) = md5 {
        let wanted: [u8; 16] = STANDARD
            .decode(md5)
            .ok()
            .and_then(|digest| digest.try_into().ok())
            .ok_or_else(|| S3Error::new(S3ErrorCode::InvalidDigest))?;
        if Md5::checksum(bytes) != wanted {
            return Err(S3Error::with_message(S3ErrorCode::BadDigest, "The Content-MD5 you specified did not match"));
        }
    }
    let mut hasher = ChecksumHasher {
        crc32: named.checksum_crc32.as_ref().map(|_| Crc32::new()),
        crc32c: named.checksum_crc32c.as_ref().map(|_| Crc32c::new()),
        crc64nvme: named.checksum_crc64nvme.as_ref().map(|_| Crc64Nvme::new()),
        sha1: named.checksum_sha1.as_ref().map(|_| Sha1::new()),
        sha256: named.checksum_sha256.as_ref().map(|_| Sha256::new()),
    };
    hasher.update(bytes);
    let found = hasher.finalize();
    let pairs = |sums: &Checksum| {
        [
            sums.checksum_crc32.clone(),
            sums.checksum_crc32c.clone(),
            sums.checksum_crc64nvme.clone(),
            sums.checksum_sha1.clone(),
            sums.checksum_sha256.clone(),
        ]
    };
    if pairs(&found) != pairs(named) {
        let message = "The checksum you specified did not match what we received";
        return Err(S3Error::with_message(S3ErrorCode::BadDigest, message));
    }
    Ok(pairs(&found).iter().any(Option::is_some).then_some(found))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_checksum_is_refused() {
        let right = STANDARD.encode(Md5::checksum(b"abc"));
        assert!(verify(b"abc", Some(&right), &Checksum::default()).unwrap().is_none());
        let refused = verify(b"abd", Some(&right), &Checksum::default()).unwrap_err();
        assert_eq!(refused.code(), &S3ErrorCode::BadDigest);

        let named =
            Checksum { checksum_crc32c: Some(STANDARD.encode(Crc32c::checksum(b"abc"))), ..Checksum::default() };
        assert_eq!(verify(b"abc", None, &named).unwrap().unwrap().checksum_crc32c, named.checksum_crc32c);
        assert_eq!(verify(b"abd", None, &named).unwrap_err().code(), &S3ErrorCode::BadDigest);
    }
}
