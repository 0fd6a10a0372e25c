//! Objects as resources of the JSON API.

use std::collections::BTreeMap;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::failure::Failure;
use super::object::{Holds, Object, ObjectHeaders, ObjectRetention};
use super::times::{self, rfc3339};

/// An object as a document.
pub(super) fn told(bucket: &str, key: &str, object: &Object, retained_until: Option<SystemTime>) -> String {
    let created = rfc3339(object.created);
    let mut document = json!({
        "kind": "storage#object",
        "id": format!("{bucket}/{key}/{}", object.generation),
        "name": key,
        "bucket": bucket,
        "generation": object.generation.to_string(),
        "metageneration": object.metageneration.to_string(),
        "storageClass": &*object.storage_class,
        "size": object.bytes.len().to_string(),
        "crc32c": STANDARD.encode(object.crc32c.to_be_bytes()),
        "etag": object.etag(),
        "timeCreated": created,
        "timeFinalized": created,
        "updated": created,
        "timeStorageClassUpdated": created,
    });
    if let Value::Object(fields) = &mut document {
        tell_more(fields, object, retained_until);
    }
    document.to_string()
}

/// What only some objects have.
fn tell_more(fields: &mut Map<String, Value>, object: &Object, retained_until: Option<SystemTime>) {
    let headers = &object.headers;
    let mut add = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            fields.insert(name.to_owned(), value);
        }
    };
    let text = |value: &Option<String>| value.clone().map(Value::from);
    add("md5Hash", object.md5.map(|md5| STANDARD.encode(md5).into()));
    add("componentCount", object.component_count.map(Value::from));
    add("contentType", text(&headers.content_type));
    add("contentEncoding", text(&headers.content_encoding));
    add("cacheControl", text(&headers.cache_control));
    add("contentDisposition", text(&headers.content_disposition));
    add("contentLanguage", text(&headers.content_language));
    add("customTime", headers.custom_time.map(|at| rfc3339(at).into()));
    add("metadata", (!headers.metadata.is_empty()).then(|| json!(headers.metadata)));
    add("kmsKeyName", object.kms_key.as_deref().map(Value::from));
    add("temporaryHold", object.holds.temporary.then(|| true.into()));
    add("eventBasedHold", object.holds.event_based.then(|| true.into()));
    add("retentionExpirationTime", retained_until.map(|until| rfc3339(until).into()));
    add("timeDeleted", object.deleted.map(|at| rfc3339(at).into()));
    add(
        "retention",
        object.holds.retention.map(|retention| {
            let mode = if retention.locked { "Locked" } else { "Unlocked" };
            json!({"mode": mode, "retainUntilTime": rfc3339(retention.until)})
        }),
    );
}

/// What an upload may say of its object.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Document {
    name: Option<String>,
    content_type: Option<String>,
    content_encoding: Option<String>,
    cache_control: Option<String>,
    content_disposition: Option<String>,
    content_language: Option<String>,
    custom_time: Option<String>,
    metadata: BTreeMap<String, String>,
    storage_class: Option<String>,
    crc32c: Option<String>,
    md5_hash: Option<String>,
    temporary_hold: bool,
    event_based_hold: bool,
    retention: Option<Retention>,
    acl: Option<Value>,
    contexts: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Retention {
    mode: String,
    retain_until_time: String,
}

/// What an upload says of its object.
#[derive(Debug, Default)]
pub(super) struct Described {
    pub(super) name: Option<String>,
    pub(super) headers: ObjectHeaders,
    pub(super) holds: Holds,
    pub(super) storage_class: Option<String>,
    pub(super) sums: Sums,
}

/// Checksums that were named with bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) crc32c: Option<u32>,
    pub(super) md5: Option<Vec<u8>>,
}

impl Sums {
    fn read(crc32c: Option<&str>, md5: Option<&str>) -> Result<Self, Failure> {
        let wrong = |text: &str| Failure::invalid(format!("Invalid checksum: '{text}'"));
        let crc32c = crc32c.map(|text| {
            let bytes = STANDARD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
            bytes.map(u32::from_be_bytes).ok_or_else(|| wrong(text))
        });
        let md5 = md5.map(|text| STANDARD.decode(text).ok().filter(|md5| md5.len() == 16).ok_or_else(|| wrong(text)));
        Ok(Self { crc32c: crc32c.transpose()?, md5: md5.transpose()? })
    }

    /// Reads `x-goog-hash`, such as `crc32c=AAAAAA==,md5=…`.
    pub(super) fn header(text: &str) -> Result<Self, Failure> {
        let find = |name: &str| {
            text.split(',').filter_map(|pair| pair.trim().split_once('=')).find(|(found, _)| *found == name)
        };
        Self::read(find("crc32c").map(|(_, value)| value), find("md5").map(|(_, value)| value))
    }

    /// Reads the document behind the content, which holds nothing else.
    pub(super) fn document(bytes: &[u8]) -> Result<Self, Failure> {
        Ok(described(bytes)?.sums)
    }

    /// Refuses bytes that don't have these checksums.
    pub(super) fn check(&self, object: &Object) -> Result<(), Failure> {
        super::messages::check_sums(self.crc32c, self.md5.as_deref(), object)
    }
}

/// Reads what an upload says of its object.
pub(super) fn described(bytes: &[u8]) -> Result<Described, Failure> {
    let read = if bytes.is_empty() { Ok(Document::default()) } else { serde_json::from_slice(bytes) };
    let document: Document = read.map_err(|error| Failure::invalid(format!("Parse Error: {error}")))?;
    if document.acl.is_some() || document.contexts.is_some() {
        return Err(Failure::unimplemented("ACLs and contexts of objects"));
    }
    let time = |text: &str| times::parse(text).ok_or_else(|| Failure::invalid(format!("Invalid time: '{text}'")));
    let retention = |retention: &Retention| {
        Ok(ObjectRetention { locked: retention.mode == "Locked", until: time(&retention.retain_until_time)? })
    };
    Ok(Described {
        name: document.name,
        headers: ObjectHeaders {
            content_type: document.content_type,
            content_encoding: document.content_encoding,
            cache_control: document.cache_control,
            content_disposition: document.content_disposition,
            content_language: document.content_language,
            custom_time: document.custom_time.as_deref().map(time).transpose()?,
            metadata: document.metadata,
        },
        holds: Holds {
            temporary: document.temporary_hold,
            event_based: document.event_based_hold,
            retention: document.retention.as_ref().map(retention).transpose()?,
        },
        storage_class: document.storage_class,
        sums: Sums::read(document.crc32c.as_deref(), document.md5_hash.as_deref())?,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_read_and_compared() {
        let object = Object::plain("hello");
        let named = Sums::header("crc32c=mnG7TA==,md5=XUFAKrxLKna5cZ2REBfFkg==").unwrap();
        assert_eq!(named, Sums { crc32c: Some(object.crc32c), md5: object.md5.map(Vec::from) });
        assert_eq!(named.check(&object), Ok(()));
        let refused = named.check(&Object::plain("hallo")).unwrap_err();
        assert!(refused.message.starts_with("Provided CRC32C \"mnG7TA==\" doesn't match"), "{}", refused.message);
        for wrong in ["crc32c=x", "md5=AAAA"] {
            assert!(Sums::header(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_document_is_read() {
        let document = br#"{"name": "k", "metadata": {"a": "b"}, "contentType": "text/plain",
            "retention": {"mode": "Locked", "retainUntilTime": "2033-01-01T00:00:00Z"}, "storageClass": "NEARLINE"}"#;
        let read = described(document).unwrap();
        assert_eq!((read.name.as_deref(), read.storage_class.as_deref()), (Some("k"), Some("NEARLINE")));
        assert_eq!(read.headers.metadata.get("a").map(String::as_str), Some("b"));
        assert!(read.holds.retention.is_some_and(|retention| retention.locked));
        assert!(described(b"{").is_err());
        assert!(described(br#"{"customTime": "soon"}"#).is_err());
        assert!(described(b"").unwrap().name.is_none());
    }
}
