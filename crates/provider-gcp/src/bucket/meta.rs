//! The SDK's objects as the contract's facts of objects.

use std::collections::BTreeMap;

use google_cloud_storage::model::Object;
use google_cloud_wkt::Timestamp as SdkTimestamp;
use jiff::Timestamp;
use provider::{Checksum, ContentHeaders, Error, ErrorKind, Key, ObjectDetails, ObjectMeta, ObjectVersion};

use super::class;

/// Facts of an object; `None` when the answer has no generation or a size that can't be.
pub(super) fn of(key: Key, object: Object) -> Option<ObjectMeta> {
    let details = details(&object).boxed();
    listed(key, &object).map(|meta| ObjectMeta { details, ..meta })
}

/// The same without headers and metadata.
pub(super) fn listed(key: Key, object: &Object) -> Option<ObjectMeta> {
    if object.generation <= 0 {
        return None;
    }
    let modified = object.update_time.as_ref().or(object.create_time.as_ref());
    Some(ObjectMeta {
        key,
        size: u64::try_from(object.size).ok()?,
        version: version(object.generation),
        modified: modified.and_then(timestamp),
        checksum: object.checksums.as_ref().and_then(|sums| sums.crc32c).map(Checksum::Crc32c),
        class: class::told(&object.storage_class),
        details: None,
    })
}

pub(super) fn version(generation: i64) -> ObjectVersion {
    ObjectVersion(generation.to_string())
}

/// The generation that a version is; `None` for one that is of no object here.
pub(super) fn generation(version: &ObjectVersion) -> Option<i64> {
    version.0.parse().ok().filter(|generation| *generation > 0)
}

/// The condition that a version stands for.
///
/// # Errors
/// `Changed`: what is there can't be a version that is none of Cloud Storage's.
pub(super) fn condition(
    version: Option<&ObjectVersion>,
    operation: &'static str,
    resource: &impl Fn() -> String,
) -> Result<Option<i64>, Error> {
    let Some(version) = version else { return Ok(None) };
    match generation(version) {
        Some(generation) => Ok(Some(generation)),
        None => Err(Error::new(ErrorKind::Changed, operation, resource())),
    }
}

fn timestamp(time: &SdkTimestamp) -> Option<Timestamp> {
    Timestamp::new(time.seconds(), time.nanos()).ok()
}

fn details(object: &Object) -> ObjectDetails {
    let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let headers = ContentHeaders {
        content_type: some(&object.content_type),
        content_encoding: some(&object.content_encoding),
        cache_control: some(&object.cache_control),
        content_disposition: some(&object.content_disposition),
        content_language: some(&object.content_language),
    };
    let metadata: BTreeMap<String, String> =
        object.metadata.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
    ObjectDetails { headers, metadata }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_without_a_generation_is_none() {
        assert!(of(Key::new("k"), Object::new()).is_none());
        assert!(of(Key::new("k"), Object::new().set_generation(7).set_size(-1)).is_none());
        let meta = of(Key::new("k"), Object::new().set_generation(7).set_storage_class("NEARLINE")).unwrap();
        assert_eq!((meta.version.0.as_str(), meta.class.map(|class| class.name)), ("7", Some("NEARLINE")));
        assert!(meta.details.is_none());
    }

    #[test]
    fn versions_of_other_stores_are_no_generations() {
        for wrong in ["", "0", "-1", "etag", "9999999999999999999"] {
            assert_eq!(generation(&ObjectVersion(wrong.to_owned())), None, "{wrong}");
        }
        assert_eq!(generation(&version(7)), Some(7));
    }
}
