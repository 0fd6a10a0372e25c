//! What a run writes on the objects that it makes: whose they are, and what a later process needs to know of them.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use provider::Owner;
use sha2::{Digest, Sha256};

/// Identity of a cut or a volume.
const IDENTITY: &str = "pachsnap-identity";
/// What a person reads.
pub(super) const DESCRIPTION: &str = "pachsnap-description";
/// Size of the volume that was cut, in bytes.
pub(super) const VOLUME_BYTES: &str = "pachsnap-volume-bytes";
/// Storage class of the volume that was cut.
pub(super) const STORAGE_CLASS: &str = "pachsnap-storage-class";
/// Access modes of the volume that was cut, separated by commas.
pub(super) const ACCESS_MODES: &str = "pachsnap-access-modes";

/// Marks what stands here for a snapshot that was taken elsewhere.
const IMPORTED: &str = "pachsnap-imported";

/// The annotation of what stands for a snapshot that was taken elsewhere.
pub(super) fn imported() -> (&'static str, String) {
    (IMPORTED, "yes".to_owned())
}

/// Whether an object stands for a snapshot that was taken elsewhere.
pub(super) fn is_imported(metadata: &ObjectMeta) -> bool {
    annotation(metadata, IMPORTED).is_some()
}

/// Labels, to be found by, and annotations, which hold any text.
pub(super) fn metadata(
    identity: &str,
    owner: &Owner,
    more: impl IntoIterator<Item = (&'static str, String)>,
) -> ObjectMeta {
    let mut annotations: BTreeMap<String, String> =
        more.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    annotations.insert(IDENTITY.to_owned(), identity.to_owned());
    annotations.insert(Owner::CLUSTER_TAG.to_owned(), owner.cluster.clone());
    annotations.insert(Owner::RUN_TAG.to_owned(), owner.run.clone());
    let labels = [(Owner::CLUSTER_TAG, &owner.cluster), (Owner::RUN_TAG, &owner.run)];
    ObjectMeta {
        name: Some(identity.to_owned()),
        labels: Some(labels.into_iter().map(|(name, value)| (name.to_owned(), label(value))).collect()),
        annotations: Some(annotations),
        ..ObjectMeta::default()
    }
}

/// Selects what may be an owner's: a label is sometimes a digest, so the owner has to be compared.
pub(super) fn selector(owner: &Owner) -> String {
    let cluster = format!("{}={}", Owner::CLUSTER_TAG, label(&owner.cluster));
    if owner.run.is_empty() { cluster } else { format!("{cluster},{}={}", Owner::RUN_TAG, label(&owner.run)) }
}

/// Whose an object is.
pub(super) fn owner_of(metadata: &ObjectMeta) -> Option<Owner> {
    Some(Owner {
        cluster: annotation(metadata, Owner::CLUSTER_TAG)?.to_owned(),
        run: annotation(metadata, Owner::RUN_TAG)?.to_owned(),
    })
}

/// The identity that an object was made for.
pub(super) fn identity_of(metadata: &ObjectMeta) -> Option<&str> {
    annotation(metadata, IDENTITY)
}

/// An annotation's value.
pub(super) fn annotation<'a>(metadata: &'a ObjectMeta, name: &str) -> Option<&'a str> {
    metadata.annotations.as_ref()?.get(name).map(String::as_str)
}

/// A text as the value of a label: itself where it may be one (63 of `A-Za-z0-9._-`, alphanumeric at both ends), else a
/// digest of it.
fn label(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    if bytes.len() <= 63 && ends(bytes.first()) && ends(bytes.last()) && bytes.iter().copied().all(plain) {
        return text.to_owned();
    }
    format!("sha256-{}", hex::encode(&Sha256::digest(bytes)[..16]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_what_the_api_server_takes() {
        assert_eq!(label("prod-1.eu_west"), "prod-1.eu_west");
        for text in ["", "-a", "a_", "a b", "ü", &"x".repeat(64)] {
            let label = label(text);
            assert!(label.starts_with("sha256-") && label.len() <= 63, "{text}: {label}");
        }
    }

    #[test]
    fn owner_and_identity_come_back() {
        let owner = Owner {
            cluster: "Prod of the company, with a long name that no label holds".to_owned(),
            run: "r1".to_owned(),
        };
        let metadata = metadata("pachsnap-r1-etcd", &owner, [(VOLUME_BYTES, "7".to_owned())]);
        assert_eq!(owner_of(&metadata), Some(owner));
        assert_eq!(identity_of(&metadata), Some("pachsnap-r1-etcd"));
        assert_eq!(annotation(&metadata, VOLUME_BYTES), Some("7"));
    }
}
