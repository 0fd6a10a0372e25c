//! What can be wrong with a vault.

use std::io;
use std::path::PathBuf;

use provider::{Error, Retry};

use super::ClusterIdentity;

/// Why a vault can't be used, or why a call of it failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// The cluster's name can't be a segment of a key.
    #[error("{name:?} can't be a cluster's name in a vault: use letters, digits, '.', '_' and '-'")]
    ClusterName {
        /// The name.
        name: String,
    },
    /// The credentials or the store don't allow to write, read back or delete in it.
    #[error("the vault {location} is not writable")]
    NotWritable {
        /// The vault.
        location: String,
        /// What the store said.
        source: Error,
    },
    /// Everybody can read it, and everything in a vault is secret.
    #[error("the vault {location} is public: it would hold tokens that everybody can read")]
    Public {
        /// The vault.
        location: String,
    },
    /// The store replaces an object although it was asked only to create it.
    #[error("the vault {location} can't create an object only if it is absent, so a recovery point could be replaced")]
    WithoutCreateOnly {
        /// The vault.
        location: String,
        /// What the store said, if it said anything.
        source: Option<Error>,
    },
    /// The name is taken by another cluster.
    #[error("{cluster:?} in the vault {location} belongs to {theirs}; this cluster is {ours}")]
    AnotherCluster {
        /// The vault.
        location: String,
        /// The name that both use.
        cluster: String,
        /// The cluster that the name belongs to.
        theirs: Box<ClusterIdentity>,
        /// The cluster at hand.
        ours: Box<ClusterIdentity>,
    },
    /// The bucket is missing, the credentials are wrong, or the store doesn't answer.
    #[error("the vault {location} can't be reached")]
    Unreachable {
        /// The vault.
        location: String,
        /// What the store said.
        source: Error,
    },
    /// A file of this name is there with other bytes.
    #[error("{key} is in the vault already, with other content")]
    Occupied {
        /// Key of the file.
        key: String,
        /// What the store said to the second write.
        source: Error,
    },
    /// A file that should be there is not.
    #[error("{key} is not in the vault")]
    Missing {
        /// Key of the file.
        key: String,
        /// What the store said.
        source: Error,
    },
    /// A call to the store failed.
    #[error("the vault failed at {key}")]
    Store {
        /// Key of the file, or prefix of a listing.
        key: String,
        /// What the store said.
        source: Error,
    },
    /// A file on this machine can't be read or written.
    #[error("{path} can't be used", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file of the vault is not the JSON that it should be, or a value can't be written as JSON.
    #[error("{key} is not valid")]
    Json {
        /// Key of the file.
        key: String,
        /// Where and why.
        source: serde_json::Error,
    },
    /// A file of the vault has a format that this version doesn't know.
    #[error("{key} has format {found}, and this version knows only {known}")]
    Format {
        /// Key of the file.
        key: String,
        /// The format it has.
        found: u32,
        /// The format that can be read.
        known: u32,
    },
    /// A file that is read at once is larger than anything that was written there.
    #[error("{key} has {size} bytes, and at most {most} can be right")]
    TooLarge {
        /// Key of the file.
        key: String,
        /// Its size in bytes.
        size: u64,
        /// The largest size in bytes that is read.
        most: u64,
    },
}

impl VaultError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn retry(&self) -> Retry {
        self.provider_error().map_or(Retry::Never, Error::retry)
    }

    /// What the store said, if the store is the cause.
    #[must_use]
    pub fn provider_error(&self) -> Option<&Error> {
        match self {
            Self::NotWritable { source, .. }
            | Self::Unreachable { source, .. }
            | Self::Occupied { source, .. }
            | Self::Missing { source, .. }
            | Self::Store { source, .. } => Some(source),
            Self::WithoutCreateOnly { source, .. } => source.as_ref(),
            _ => None,
        }
    }
}
