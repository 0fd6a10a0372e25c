//! The key that says how far a restore into an etcd is, written with every transaction of it.

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// Name of the key.
pub const MARKER: &[u8] = b"pachsnap-restore";

/// How far a restore is. One transaction writes keys and marker, so it is never wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Marker {
    /// The recovery point.
    pub run: String,
    /// SHA-256 of its etcd snapshot's database, hex.
    pub digest: String,
    /// Everything that was created up to this revision of the source is there.
    pub through: i64,
    /// Of what was created right after that, everything up to this key (hex) is there.
    pub within: Option<String>,
    /// Everything is there and was compared.
    pub complete: bool,
}

impl Marker {
    /// Nothing is there yet.
    pub(super) fn beginning(run: &str, digest: &str) -> Self {
        Self { run: run.to_owned(), digest: digest.to_owned(), through: 0, within: None, complete: false }
    }

    /// The same restore, when everything created up to `revision` is there.
    pub(super) fn through(&self, revision: i64) -> Self {
        Self { through: revision, within: None, ..self.clone() }
    }

    /// The same restore, when of what was created next everything up to `key` is there.
    pub(super) fn within(&self, key: &[u8]) -> Self {
        Self { within: Some(hex::encode(key)), ..self.clone() }
    }

    /// The same restore, when everything is there and was compared.
    pub(super) fn complete(&self) -> Self {
        Self { complete: true, ..self.clone() }
    }

    /// Whether it is about this recovery point.
    #[must_use]
    pub fn is_of(&self, run: &str, digest: &str) -> bool {
        self.run == run && self.digest == digest
    }

    /// Whether a key that was created at this revision is there.
    pub(super) fn has(&self, created: i64, key: &[u8]) -> bool {
        // What is within is of the group right after `through`, and only keys of that group are asked for before it is full.
        created <= self.through || self.within.as_deref().is_some_and(|within| hex::encode(key).as_str() <= within)
    }

    pub(super) fn read(value: &[u8]) -> Result<Self> {
        serde_json::from_slice(value).map_err(|cause| {
            Error::new(ErrorKind::Busy, "the target's etcd holds the marker of a restore that can't be read")
                .because(cause)
                .advise(
                    "it was written by another version of pachsnap: go on with that one, or give the target a new etcd",
                )
        })
    }

    pub(super) fn to_value(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|cause| Error::new(ErrorKind::Failed, "writing a marker").because(cause))
    }
}
