//! The SDK's answers as the contract's facts of objects.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::DateTime;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use provider::{Checksum, ContentHeaders, Key, ObjectDetails, ObjectMeta, ObjectVersion};

use crate::class;

/// An ETag without its quotes.
pub(super) fn version(etag: impl Into<String>) -> ObjectVersion {
    let mut etag: String = etag.into();
    if etag.len() > 1 && etag.starts_with('"') && etag.ends_with('"') {
        etag.pop();
        etag.remove(0);
    }
    ObjectVersion(etag)
}

/// A version as the conditions of a request name it.
pub(super) fn quoted(version: &ObjectVersion) -> String {
    if version.0.starts_with("W/") { version.0.clone() } else { format!("\"{}\"", version.0) }
}

pub(crate) fn timestamp(time: Option<&DateTime>) -> Option<Timestamp> {
    let time = time?;
    Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok()
}

/// The checksum of a whole object. One of a multipart upload's parts (`…-3`) says nothing about the content.
pub(crate) fn checksum(sha256: Option<&str>, crc64: Option<&str>, crc32c: Option<&str>) -> Option<Checksum> {
    fn digest<const N: usize>(text: Option<&str>) -> Option<[u8; N]> {
        STANDARD.decode(text?).ok()?.try_into().ok()
    }
    digest(sha256)
        .map(Checksum::Sha256)
        .or_else(|| digest(crc64).map(|sum| Checksum::Crc64Nvme(u64::from_be_bytes(sum))))
        .or_else(|| digest(crc32c).map(|sum| Checksum::Crc32c(u32::from_be_bytes(sum))))
}

fn lower(metadata: Option<&HashMap<String, String>>) -> BTreeMap<String, String> {
    metadata.into_iter().flatten().map(|(key, value)| (key.to_ascii_lowercase(), value.clone())).collect()
}

macro_rules! headers {
    ($output:expr) => {
        ContentHeaders {
            content_type: $output.content_type().map(str::to_owned),
            content_encoding: $output.content_encoding().filter(|text| !text.is_empty()).map(str::to_owned),
            cache_control: $output.cache_control().map(str::to_owned),
            content_disposition: $output.content_disposition().map(str::to_owned),
            content_language: $output.content_language().map(str::to_owned),
        }
    };
}

/// Facts of an object from `HeadObject`; `None` when the answer lacks its ETag or size.
pub(super) fn of_head(key: &Key, output: &HeadObjectOutput) -> Option<ObjectMeta> {
    Some(ObjectMeta {
        key: key.clone(),
        size: u64::try_from(output.content_length()?).ok()?,
        version: version(output.e_tag()?),
        modified: timestamp(output.last_modified()),
        checksum: checksum(output.checksum_sha256(), output.checksum_crc64_nvme(), output.checksum_crc32_c()),
        class: output.storage_class().and_then(|class| class::told(class.as_str())),
        details: ObjectDetails { headers: headers!(output), metadata: lower(output.metadata()) }.boxed(),
    })
}

/// Facts of a whole object from `GetObject`; `None` when the answer lacks its ETag or size.
pub(super) fn of_get(key: &Key, output: &GetObjectOutput) -> Option<ObjectMeta> {
    let size = match output.content_range() {
        // `bytes 0-4/100`: the length of the answer is the range's.
        Some(range) => range.rsplit_once('/')?.1.parse().ok()?,
        None => u64::try_from(output.content_length()?).ok()?,
    };
    Some(ObjectMeta {
        key: key.clone(),
        size,
        version: version(output.e_tag()?),
        modified: timestamp(output.last_modified()),
        checksum: checksum(output.checksum_sha256(), output.checksum_crc64_nvme(), output.checksum_crc32_c()),
        class: output.storage_class().and_then(|class| class::told(class.as_str())),
        details: ObjectDetails { headers: headers!(output), metadata: lower(output.metadata()) }.boxed(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn etags_lose_and_regain_their_quotes() {
        assert_eq!(version("\"abc-2\"").0, "abc-2");
        assert_eq!(version("abc").0, "abc");
        assert_eq!(quoted(&version("\"abc\"")), "\"abc\"");
        assert_eq!(quoted(&version("W/\"abc\"")), "W/\"abc\"");
    }

    #[test]
    fn checksums_of_parts_are_not_taken_for_the_contents() {
        let crc = STANDARD.encode(7_u32.to_be_bytes());
        assert_eq!(checksum(None, None, Some(&crc)), Some(Checksum::Crc32c(7)));
        assert_eq!(checksum(None, None, Some(&format!("{crc}-3"))), None);
        assert_eq!(checksum(None, None, None), None);
    }
}
