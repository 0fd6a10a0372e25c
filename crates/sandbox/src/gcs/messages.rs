//! Objects as messages of `google.storage.v2`.

use std::time::SystemTime;

use bytes::Bytes;
use googleapis_tonic_google_storage_v2::google::storage::v2 as proto;
use prost_types::FieldMask;

use super::failure::Failure;
use super::object::{Holds, Object, ObjectHeaders, ObjectRetention};
use super::times::timestamp;

macro_rules! fields {
    ($($field:ident = $name:literal),+ $(,)?) => {
        /// A field of an object.
        #[derive(Clone, Copy)]
        enum Field { $($field),+ }

        const FIELDS: &[(&str, Field)] = &[$(($name, Field::$field)),+];
    };
}

fields!(
    Name = "name",
    Bucket = "bucket",
    Etag = "etag",
    Generation = "generation",
    Metageneration = "metageneration",
    StorageClass = "storage_class",
    Size = "size",
    ContentEncoding = "content_encoding",
    ContentDisposition = "content_disposition",
    CacheControl = "cache_control",
    ContentLanguage = "content_language",
    DeleteTime = "delete_time",
    FinalizeTime = "finalize_time",
    ContentType = "content_type",
    CreateTime = "create_time",
    ComponentCount = "component_count",
    Checksums = "checksums",
    Crc32c = "checksums.crc32c",
    Md5 = "checksums.md5_hash",
    UpdateTime = "update_time",
    KmsKey = "kms_key",
    UpdateStorageClassTime = "update_storage_class_time",
    TemporaryHold = "temporary_hold",
    RetentionExpireTime = "retention_expire_time",
    Metadata = "metadata",
    EventBasedHold = "event_based_hold",
    CustomerEncryption = "customer_encryption",
    CustomTime = "custom_time",
    Retention = "retention",
);

/// Fields that the server has nothing to tell of.
const NEVER_SET: &[&str] = &["acl", "contexts", "hard_delete_time", "owner", "restore_token", "soft_delete_time"];

/// Which fields of objects are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mask(u32);

impl Mask {
    pub(super) const ALL: Self = Self(u32::MAX);

    /// Reads a mask. A listing's may have `items.` before each name.
    pub(super) fn of(mask: Option<&FieldMask>) -> Result<Self, Failure> {
        let Some(mask) = mask.filter(|mask| !mask.paths.is_empty()) else { return Ok(Self::ALL) };
        let mut bits = 0;
        for path in &mask.paths {
            let name = path.strip_prefix("items.").unwrap_or(path);
            if name == "*" {
                return Ok(Self::ALL);
            }
            match FIELDS.iter().find(|(known, _)| *known == name) {
                Some((_, field)) => bits |= 1 << (*field as u32),
                None if NEVER_SET.contains(&name) => {}
                None => return Err(Failure::invalid(format!("Invalid field mask: there is no field {path}."))),
            }
        }
        Ok(Self(bits))
    }

    fn has(self, field: Field) -> bool {
        self.0 & (1 << (field as u32)) != 0
    }
}

/// An object as a message.
pub(super) fn object(
    bucket: &str,
    key: &str,
    object: &Object,
    retained_until: Option<SystemTime>,
    mask: Mask,
) -> proto::Object {
    let mut message = proto::Object::default();
    if mask.has(Field::Name) {
        message.name = key.to_owned();
    }
    if mask.has(Field::Bucket) {
        message.bucket = resource(bucket);
    }
    if mask.has(Field::Etag) {
        message.etag = object.etag();
    }
    if mask.has(Field::Generation) {
        message.generation = object.generation;
    }
    if mask.has(Field::Metageneration) {
        message.metageneration = object.metageneration;
    }
    if mask.has(Field::StorageClass) {
        message.storage_class = object.storage_class.to_string();
    }
    if mask.has(Field::Size) {
        message.size = i64::try_from(object.bytes.len()).unwrap_or(i64::MAX);
    }
    tell_checksums(&mut message, object, mask);
    tell_headers(&mut message, &object.headers, mask);
    tell_times(&mut message, object, mask);
    if mask.has(Field::ComponentCount) {
        message.component_count = object.component_count.unwrap_or_default();
    }
    if mask.has(Field::KmsKey) {
        message.kms_key = object.kms_key.as_deref().unwrap_or_default().to_owned();
    }
    if mask.has(Field::TemporaryHold) {
        message.temporary_hold = object.holds.temporary;
    }
    if mask.has(Field::EventBasedHold) {
        message.event_based_hold = object.holds.event_based.then_some(true);
    }
    if mask.has(Field::RetentionExpireTime) {
        message.retention_expire_time = retained_until.map(timestamp);
    }
    if mask.has(Field::Retention) {
        message.retention = object.holds.retention.map(retention);
    }
    if mask.has(Field::CustomerEncryption) {
        message.customer_encryption = object.customer_key.as_ref().map(|sha256| proto::CustomerEncryption {
            encryption_algorithm: "AES256".to_owned(),
            key_sha256_bytes: Bytes::copy_from_slice(sha256.as_slice()),
        });
    }
    message
}

fn tell_checksums(message: &mut proto::Object, object: &Object, mask: Mask) {
    let all = mask.has(Field::Checksums);
    let (crc32c, md5) = (all || mask.has(Field::Crc32c), all || mask.has(Field::Md5));
    // Checksums of what a customer's key encrypts are told only to who brings the key, which no call for metadata does here.
    if (crc32c || md5) && object.customer_key.is_none() {
        let hash = object.md5.filter(|_| md5).map(|md5| Bytes::copy_from_slice(&md5));
        let crc32c = crc32c.then_some(object.crc32c);
        message.checksums = Some(proto::ObjectChecksums { crc32c, md5_hash: hash.unwrap_or_default() });
    }
}

fn tell_headers(message: &mut proto::Object, headers: &ObjectHeaders, mask: Mask) {
    for (field, from, to) in [
        (Field::ContentType, &headers.content_type, &mut message.content_type),
        (Field::ContentEncoding, &headers.content_encoding, &mut message.content_encoding),
        (Field::CacheControl, &headers.cache_control, &mut message.cache_control),
        (Field::ContentDisposition, &headers.content_disposition, &mut message.content_disposition),
        (Field::ContentLanguage, &headers.content_language, &mut message.content_language),
    ] {
        if let Some(from) = from.as_ref().filter(|_| mask.has(field)) {
            to.clone_from(from);
        }
    }
    if mask.has(Field::CustomTime) {
        message.custom_time = headers.custom_time.map(timestamp);
    }
    if mask.has(Field::Metadata) {
        message.metadata.clone_from(&headers.metadata);
    }
}

fn tell_times(message: &mut proto::Object, object: &Object, mask: Mask) {
    let created = timestamp(object.created);
    for (field, to) in [
        (Field::CreateTime, &mut message.create_time),
        (Field::FinalizeTime, &mut message.finalize_time),
        (Field::UpdateTime, &mut message.update_time),
        (Field::UpdateStorageClassTime, &mut message.update_storage_class_time),
    ] {
        *to = mask.has(field).then_some(created);
    }
    if mask.has(Field::DeleteTime) {
        message.delete_time = object.deleted.map(timestamp);
    }
}

fn retention(retention: ObjectRetention) -> proto::object::Retention {
    use proto::object::retention::Mode;
    let mode = if retention.locked { Mode::Locked } else { Mode::Unlocked };
    proto::object::Retention { mode: mode.into(), retain_until_time: Some(timestamp(retention.until)) }
}

/// A bucket's name as gRPC has it.
pub(super) fn resource(bucket: &str) -> String {
    format!("projects/_/buckets/{bucket}")
}

/// What a message says of an object that is to be written.
pub(super) struct Described {
    pub(super) headers: ObjectHeaders,
    pub(super) holds: Holds,
}

/// Reads what a write may say of its object.
pub(super) fn described(message: &proto::Object) -> Result<Described, Failure> {
    if !message.name.is_empty() || !message.bucket.is_empty() || !message.kms_key.is_empty() {
        let fields = "The destination's name, bucket and kms_key are fields of the request, not of the destination.";
        return Err(Failure::invalid(fields));
    }
    if !message.acl.is_empty() || message.contexts.is_some() {
        return Err(Failure::unimplemented("ACLs and contexts of objects"));
    }
    let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let time =
        |at: prost_types::Timestamp| SystemTime::try_from(at).map_err(|_| Failure::invalid("A time is out of range."));
    let headers = ObjectHeaders {
        content_type: some(&message.content_type),
        content_encoding: some(&message.content_encoding),
        cache_control: some(&message.cache_control),
        content_disposition: some(&message.content_disposition),
        content_language: some(&message.content_language),
        custom_time: message.custom_time.map(time).transpose()?,
        metadata: message.metadata.clone(),
    };
    let retention = match message.retention {
        None => None,
        Some(retention) => Some(ObjectRetention {
            locked: retention.mode() == proto::object::retention::Mode::Locked,
            until: time(retention.retain_until_time.unwrap_or_default())?,
        }),
    };
    let event_based = message.event_based_hold.unwrap_or_default();
    Ok(Described { headers, holds: Holds { temporary: message.temporary_hold, event_based, retention } })
}

/// Refuses checksums that are not an object's.
pub(super) fn verify(named: Option<&proto::ObjectChecksums>, object: &Object) -> Result<(), Failure> {
    let Some(named) = named else { return Ok(()) };
    let md5 = Some(named.md5_hash.as_ref()).filter(|md5| !md5.is_empty());
    check_sums(named.crc32c, md5, object)
}

/// Refuses checksums that are not an object's.
pub(super) fn check_sums(crc32c: Option<u32>, md5: Option<&[u8]>, object: &Object) -> Result<(), Failure> {
    use base64::Engine as _;
    let base64 = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    if let Some(crc32c) = crc32c.filter(|crc32c| *crc32c != object.crc32c) {
        let (named, found) = (base64(&crc32c.to_be_bytes()), base64(&object.crc32c.to_be_bytes()));
        let message = format!("Provided CRC32C \"{named}\" doesn't match calculated CRC32C \"{found}\".");
        return Err(Failure::invalid(message));
    }
    if let (Some(named), Some(found)) = (md5, object.md5)
        && named != found
    {
        let (named, found) = (base64(named), base64(&found));
        let message = format!("Provided MD5 hash \"{named}\" doesn't match calculated MD5 hash \"{found}\".");
        return Err(Failure::invalid(message));
    }
    Ok(())
}

/// Gives a message a CRC32C that isn't the object's.
pub(super) fn spoil(message: &mut proto::Object) {
    if let Some(crc32c) = message.checksums.as_mut().and_then(|sums| sums.crc32c.as_mut()) {
        *crc32c ^= 1;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn mask(paths: &[&str]) -> Result<Mask, Failure> {
        Mask::of(Some(&FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() }))
    }

    #[test]
    fn a_mask_leaves_the_rest_out() {
        let stored = Object { generation: 7, storage_class: "STANDARD".into(), ..Object::plain("x") };
        let told = object("b", "k", &stored, None, mask(&["name", "items.size", "owner"]).unwrap());
        assert_eq!(told, proto::Object { name: "k".into(), size: 1, ..proto::Object::default() });
        let told = object("b", "k", &stored, None, mask(&["checksums.crc32c"]).unwrap());
        let sums = proto::ObjectChecksums { crc32c: Some(stored.crc32c), ..Default::default() };
        assert_eq!(told, proto::Object { checksums: Some(sums), ..proto::Object::default() });
        let told = object("b", "k", &stored, None, mask(&["*"]).unwrap());
        assert_eq!((told.generation, told.bucket.as_str()), (7, "projects/_/buckets/b"));
        assert!(told.checksums.is_some_and(|sums| sums.md5_hash.len() == 16));
        assert!(mask(&["colour"]).is_err());
        assert_eq!(Mask::of(None), Ok(Mask::ALL));
    }
}
