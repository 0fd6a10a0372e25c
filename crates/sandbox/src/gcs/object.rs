//! An object: its content, and what is told of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use md5::{Digest as _, Md5};

use super::failure::Failure;

/// Most bytes of a name.
const MAX_NAME: usize = 1024;
/// Most bytes of custom metadata, names and values together.
const MAX_METADATA: usize = 8 << 10;

/// Headers and metadata that travel with an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectHeaders {
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Content-Encoding`.
    pub content_encoding: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
    /// `Content-Language`.
    pub content_language: Option<String>,
    /// `Custom-Time`.
    pub custom_time: Option<SystemTime>,
    /// Custom metadata, without `x-goog-meta-`.
    pub metadata: BTreeMap<String, String>,
}

/// An object's own retention, besides that of its bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectRetention {
    /// Whether it can no longer be shortened.
    pub locked: bool,
    /// Until when the object can be neither deleted nor overwritten.
    pub until: SystemTime,
}

/// What holds an object besides its content and headers. Few objects have any of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holds {
    /// The temporary hold.
    pub temporary: bool,
    /// The event-based hold.
    pub event_based: bool,
    /// Retention of its own.
    pub retention: Option<ObjectRetention>,
}

/// One version of an object.
#[derive(Clone, Debug)]
pub struct Object {
    /// Its content.
    pub bytes: Bytes,
    /// Its generation: the microseconds of its creation, raised as needed to be new.
    pub generation: i64,
    /// How often its metadata was written; 1 at first.
    pub metageneration: i64,
    /// CRC32C of the content.
    pub crc32c: u32,
    /// MD5 of the content; a composite object has none.
    pub md5: Option<[u8; 16]>,
    /// Components of a composite object.
    pub component_count: Option<i32>,
    /// When it was written.
    pub created: SystemTime,
    /// When a later one took its place, if it is not the live one.
    pub deleted: Option<SystemTime>,
    /// Its class, such as `STANDARD`.
    pub storage_class: Arc<str>,
    /// Headers and metadata; objects without any share one value.
    pub headers: Arc<ObjectHeaders>,
    /// Holds and retention.
    pub holds: Holds,
    /// The Cloud KMS key that it is encrypted with.
    pub kms_key: Option<Arc<str>>,
    /// The SHA-256 of the customer-supplied key that it is encrypted with. Its metadata tells no checksums then.
    pub customer_key: Option<Arc<[u8; 32]>>,
}

impl Object {
    /// An object of this content without headers, written now. Its generation and class are set where it is put.
    #[must_use]
    pub fn plain(bytes: impl Into<Bytes>) -> Self {
        Self::new(bytes.into(), Arc::default())
    }

    /// This object as a composite of so many components: it has no MD5.
    #[must_use]
    pub fn composite(self, components: i32) -> Self {
        Self { md5: None, component_count: Some(components), ..self }
    }

    pub(super) fn new(bytes: Bytes, headers: Arc<ObjectHeaders>) -> Self {
        Self {
            crc32c: crc32c::crc32c(&bytes),
            md5: Some(Md5::digest(&bytes).into()),
            bytes,
            generation: 0,
            metageneration: 1,
            component_count: None,
            created: SystemTime::now(),
            deleted: None,
            storage_class: "".into(),
            headers,
            holds: Holds::default(),
            kms_key: None,
            customer_key: None,
        }
    }

    /// Its ETag, which generation and metageneration make.
    #[must_use]
    pub fn etag(&self) -> String {
        use base64::Engine as _;
        let mut bytes = Vec::with_capacity(16);
        prost::encoding::int64::encode(1, &self.generation, &mut bytes);
        prost::encoding::int64::encode(2, &self.metageneration, &mut bytes);
        base64::engine::general_purpose::STANDARD.encode(bytes)
    }

    /// Refuses a call that doesn't bring the key that the object is encrypted with.
    pub(super) fn opened_by(&self, key: &[u8]) -> Result<(), Failure> {
        match &self.customer_key {
            Some(wanted) if wanted.as_slice() != key => Err(Failure::customer_key()),
            _ => Ok(()),
        }
    }
}

/// Refuses a name that no object can have (Google's object name requirements).
pub(super) fn check_name(name: &str) -> Result<(), Failure> {
    let wrong = name.is_empty()
        || name.len() > MAX_NAME
        || name.contains(['\r', '\n'])
        || matches!(name, "." | "..")
        || name.starts_with(".well-known/acme-challenge/");
    if wrong { Err(Failure::invalid("The specified object name is not valid.")) } else { Ok(()) }
}

/// Refuses more custom metadata than an object can have.
pub(super) fn check_metadata(headers: &ObjectHeaders) -> Result<(), Failure> {
    let size: usize = headers.metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
    if size > MAX_METADATA {
        return Err(Failure::invalid("The metadata part of the object is larger than 8 KiB."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_raw_and_limited() {
        for name in ["a", "/", "//double//slash", "a/../b", "./x", "é\u{0}\t", "%2F", &"n".repeat(1024)] {
            assert_eq!(check_name(name), Ok(()), "{name:?}");
        }
        for name in ["", ".", "..", "a\nb", "a\rb", ".well-known/acme-challenge/x", &"é".repeat(513)] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn an_etag_changes_with_generation_and_metageneration() {
        let object = Object { generation: 1_700_000_000_000_000, ..Object::plain("x") };
        let next = Object { metageneration: 2, ..object.clone() };
        assert_eq!(object.etag(), "CICA+cDBxIIDEAE=");
        assert_ne!(object.etag(), next.etag());
    }
}
