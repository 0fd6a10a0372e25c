//! What a run writes on the snapshots and disks that it makes, and reads back from them.
//!
//! Labels hold lower-case letters, digits, `-` and `_`, at most 63 of them ("Requirements for labels"); names of clusters may be anything.
//! So labels are for finding, and the whole is a line of JSON at the end of the description, which nobody can change.

use std::collections::{BTreeMap, HashMap};

use provider::{Error, ErrorKind, Owner, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::problem::PdProblem;

/// Label of the identity of a cut or a disk.
pub(super) const IDENTITY: &str = "pachsnap-identity";

/// Characters of a description.
const LONGEST: usize = 2048;

/// Characters of a name or of a label's value.
const LONGEST_NAME: usize = 63;

/// What is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) identity: String,
    pub(super) cluster: String,
    pub(super) run: String,
    /// The volume that was cut, as the caller named it; none on a restored disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) volume: Option<String>,
    /// What the disk was when it was cut.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) source: BTreeMap<String, String>,
}

impl Record {
    pub(super) fn new(identity: &str, owner: &Owner) -> Self {
        let Owner { cluster, run } = owner.clone();
        Self { identity: identity.to_owned(), cluster, run, volume: None, source: BTreeMap::new() }
    }

    pub(super) fn owner(&self) -> Owner {
        Owner { cluster: self.cluster.clone(), run: self.run.clone() }
    }

    /// Whether it says this identity and this owner.
    pub(super) fn is_of(&self, identity: &str, owner: &Owner) -> bool {
        self.identity == identity && self.owner() == *owner
    }

    /// The labels by which it is found.
    pub(super) fn labels(&self) -> HashMap<String, String> {
        [(IDENTITY, &self.identity), (Owner::CLUSTER_TAG, &self.cluster), (Owner::RUN_TAG, &self.run)]
            .into_iter()
            .map(|(label, value)| (label.to_owned(), label_of(value)))
            .collect()
    }

    /// The description: words for people, cut to what fits, and the record.
    ///
    /// # Errors
    /// `Invalid` when the record alone does not fit.
    pub(super) fn description(&self, operation: &'static str, words: &str) -> Result<String> {
        let fits = serde_json::to_string(self).ok().filter(|line| line.chars().count() < LONGEST);
        let line = fits.ok_or_else(|| {
            let problem = PdProblem::TooLong { longest: LONGEST };
            Error::new(ErrorKind::Invalid, operation, format!("identity {}", self.identity)).with_source(problem)
        })?;
        let left = LONGEST - line.chars().count() - 1;
        let words: String = words.chars().take(left).collect();
        Ok(format!("{words}\n{line}"))
    }

    /// The record of a description, where labels say as much; `None` for what this program did not make.
    pub(super) fn read(description: Option<&String>, labels: &HashMap<String, String>) -> Option<Self> {
        let line = description?.lines().last()?;
        let record: Self = serde_json::from_str(line).ok()?;
        let told = labels.get(IDENTITY).map(String::as_str) == Some(label_of(&record.identity).as_str());
        told.then_some(record)
    }
}

/// The expression that finds what has this value in a label.
pub(super) fn filter(label: &str, value: &str) -> String {
    format!("(labels.{label} = \"{}\")", label_of(value))
}

/// A value as a label holds it: itself where it fits, else a digest of it.
fn label_of(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    if value.len() <= LONGEST_NAME && value.bytes().all(plain) {
        return value.to_owned();
    }
    format!("sha256_{}", &digest(value)[..40])
}

/// The name of the snapshot or disk of an identity, by RFC 1035: the identity where it is one, else a digest of it.
pub(super) fn name_of(identity: &str) -> String {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let fits = identity.len() <= LONGEST_NAME
        && identity.starts_with(|first: char| first.is_ascii_lowercase())
        && !identity.ends_with('-')
        && identity.bytes().all(inner);
    if fits { identity.to_owned() } else { format!("pachsnap-{}", &digest(identity)[..40]) }
}

/// A request id: the same of the same parts. Compute Engine answers a request with an id that it knows with what the first did.
pub(super) fn request_id(parts: &[&str]) -> String {
    let digest = digest(&parts.join("\n"));
    let at = |from: usize, to: usize| digest.get(from..to).unwrap_or_default();
    // Version 8 (made by the application) and the variant of RFC 9562.
    format!("{}-{}-8{}-a{}-{}", at(0, 8), at(8, 12), at(13, 16), at(17, 20), at(20, 32))
}

fn digest(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn record(cluster: &str) -> Record {
        let owner = Owner { cluster: cluster.to_owned(), run: "run-1".to_owned() };
        Record { volume: Some("gce://z/d".to_owned()), ..Record::new("pachsnap-run-1-etcd", &owner) }
    }

    #[test]
    fn owner_and_identity_come_back_whatever_the_cluster_is_called() {
        for cluster in ["prod", "Prod of the company", "prod*", "ünïcode", "", &"long".repeat(60)] {
            let record = record(cluster);
            let (labels, description) = (record.labels(), record.description("cut", "etcd\nof it").unwrap());
            assert!(labels.values().all(|value| value.len() <= 63), "{labels:?}");
            assert!(description.starts_with("etcd\nof it"), "{description}");
            assert_eq!(Record::read(Some(&description), &labels), Some(record.clone()));
            assert_eq!(Record::read(Some(&description), &HashMap::new()), None, "the labels are gone");
        }
        assert_eq!(Record::read(Some(&"somebody's".to_owned()), &record("prod").labels()), None);
        assert_ne!(label_of("Prod"), label_of("prod"));
    }

    #[test]
    fn a_description_is_cut_and_a_record_is_not() {
        let description = record("prod").description("cut", &"ü".repeat(5000)).unwrap();
        assert_eq!(description.chars().count(), 2048);
        assert_eq!(Record::read(Some(&description), &record("prod").labels()), Some(record("prod")));
        assert_eq!(record(&"ü".repeat(2048)).description("cut", "").unwrap_err().kind(), ErrorKind::Invalid);
    }

    #[test]
    fn names_are_of_rfc_1035() {
        assert_eq!(name_of("pachsnap-run-1-etcd"), "pachsnap-run-1-etcd");
        for odd in ["1a", "-a", "a-", &"a".repeat(64), "A"] {
            let name = name_of(odd);
            assert!(name.starts_with("pachsnap-") && name.len() <= 63, "{name}");
        }
        assert_ne!(name_of("a-"), name_of("b-"));
    }

    #[test]
    fn request_ids_are_uuids_of_their_parts() {
        let id = request_id(&["cut", "pachsnap-run-1-etcd"]);
        assert_eq!(id.len(), 36);
        assert_eq!(id.as_bytes()[14], b'8');
        assert_eq!(id, request_id(&["cut", "pachsnap-run-1-etcd"]));
        assert_ne!(id, request_id(&["cut", "pachsnap-run-2-etcd"]));
    }
}
