//! All that a copy is to have besides its bytes.

use std::collections::BTreeMap;

use google_cloud_storage::model::{Object, ObjectContexts, ObjectCustomContextPayload};
use google_cloud_wkt::Timestamp;
use serde::{Deserialize, Serialize};

/// Class, headers and metadata of a copy. Holds and retention stay with the source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Described {
    class: String,
    content_type: String,
    content_encoding: String,
    cache_control: String,
    content_disposition: String,
    content_language: String,
    /// Seconds and nanoseconds.
    custom_time: Option<(i64, i32)>,
    metadata: BTreeMap<String, String>,
    contexts: BTreeMap<String, String>,
}

impl Described {
    /// As the source, in another class.
    pub(super) fn of(source: &Object, class: &str) -> Self {
        let contexts = source.contexts.iter().flat_map(|contexts| &contexts.custom);
        Self {
            class: class.to_owned(),
            content_type: source.content_type.clone(),
            content_encoding: source.content_encoding.clone(),
            cache_control: source.cache_control.clone(),
            content_disposition: source.content_disposition.clone(),
            content_language: source.content_language.clone(),
            custom_time: source.custom_time.map(|time| (time.seconds(), time.nanos())),
            metadata: source.metadata.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
            contexts: contexts.map(|(name, context)| (name.clone(), context.value.clone())).collect(),
        }
    }

    /// As the request says it.
    pub(super) fn object(&self) -> Object {
        let mut object = Object::new()
            .set_storage_class(&self.class)
            .set_content_type(&self.content_type)
            .set_content_encoding(&self.content_encoding)
            .set_cache_control(&self.cache_control)
            .set_content_disposition(&self.content_disposition)
            .set_content_language(&self.content_language)
            .set_metadata(&self.metadata);
        let custom_time = self.custom_time.and_then(|(seconds, nanos)| Timestamp::new(seconds, nanos).ok());
        object = object.set_or_clear_custom_time(custom_time);
        if self.contexts.is_empty() {
            return object;
        }
        let payload = |value: &String| ObjectCustomContextPayload::new().set_value(value);
        let custom = self.contexts.iter().map(|(name, value)| (name, payload(value)));
        object.set_contexts(ObjectContexts::new().set_custom(custom))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_described_as_its_source_in_another_class() {
        let context = ObjectCustomContextPayload::new().set_value("gold");
        let source = Object::new()
            .set_storage_class("STANDARD")
            .set_content_type("text/x")
            .set_cache_control("no-store")
            .set_metadata([("Colour", "red")])
            .set_custom_time(Timestamp::clamp(7, 5))
            .set_contexts(ObjectContexts::new().set_custom([("tier", context)]))
            .set_temporary_hold(true);
        let copy = Described::of(&source, "NEARLINE").object();
        assert_eq!(copy, source.set_storage_class("NEARLINE").set_temporary_hold(false));
    }
}
