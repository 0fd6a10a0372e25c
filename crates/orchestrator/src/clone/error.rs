//! Why a clone can't be made or read.

use std::io;
use std::path::PathBuf;

use parquet::errors::ParquetError;
use provider::{Error, ErrorKind, Retry};

/// The result of every call of the clone.
pub type Result<T, E = CloneError> = std::result::Result<T, E>;

/// Why a clone can't be made, or an inventory not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CloneError {
    /// Source and clone are the same place, or one lies in the other.
    #[error("the clone {destination} and its source {origin} lie in one another")]
    Overlap {
        /// Where the source is.
        origin: String,
        /// Where the clone would be.
        destination: String,
    },
    /// The clone's place holds objects that the source lacks, and no inventory says that they are ours.
    #[error("{destination} is not empty and holds what is not of this clone: {}", keys.join(", "))]
    ForeignDestination {
        /// Where the clone would be.
        destination: String,
        /// The first foreign keys.
        keys: Vec<String>,
    },
    /// The clone's store can't hold a key of the source as it is.
    #[error("{destination} can't hold the key {key:?} as it is")]
    KeyNotHeld {
        /// Where the clone would be.
        destination: String,
        /// The first such key.
        key: String,
    },
    /// A store listed keys that are not sorted by their bytes, or one key twice.
    #[error("{location} listed {key:?} out of order")]
    Unsorted {
        /// Which bucket.
        location: String,
        /// The first key out of order.
        key: String,
    },
    /// An object of the source changed again each time it was copied.
    #[error("{key:?} in {origin} changed {times} times while it was copied")]
    SourceKeepsChanging {
        /// Where the source is.
        origin: String,
        /// The key.
        key: String,
        /// How often it was looked at.
        times: u32,
    },
    /// A call to a store failed for good.
    #[error("the clone failed at {location}")]
    Store {
        /// Which bucket.
        location: String,
        /// What the store said.
        source: Error,
    },
    /// More objects of the clone are not in the source any more than a pass may delete.
    #[error(
        "{extra} of the {objects} objects in {destination} are not in the source any more, which is more than {} % of them",
        share * 100.0
    )]
    TooManyDeletes {
        /// Where the clone is.
        destination: String,
        /// Keys that only the clone has.
        extra: u64,
        /// Objects in the clone.
        objects: u64,
        /// The largest share, from 0 to 1.
        share: f64,
    },
    /// A listing of the source lacks a key that is there.
    #[error("{origin} has {key:?}, but its listing lacked it")]
    ListingIncomplete {
        /// Where the source is.
        origin: String,
        /// The key.
        key: String,
    },
    /// Somebody else writes to this clone, or began to and was interrupted.
    #[error("{destination} is being written to by {holder}")]
    Locked {
        /// Where the clone is.
        destination: String,
        /// Who holds the lock.
        holder: String,
    },
    /// The lock was lost: somebody else took the clone over.
    #[error("{destination} was taken over by {holder}")]
    LockLost {
        /// Where the clone is.
        destination: String,
        /// Who has it now.
        holder: String,
    },
    /// What is recorded of a clone is of another one.
    #[error("what {state} records is another clone: {what}")]
    OtherClone {
        /// Where it is recorded.
        state: String,
        /// What differs.
        what: String,
    },
    /// A shard is not one of the plan that the pass under way has.
    #[error("the plan that {state} keeps has no such shard")]
    OtherPlan {
        /// Where the plan is kept.
        state: String,
    },
    /// A thread can't be started.
    #[error("a thread of the clone can't be started")]
    Thread {
        /// Why.
        source: io::Error,
    },
    /// A part of an inventory can't be read or written on this machine.
    #[error("the inventory {path} can't be used", path = path.display())]
    InventoryFile {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A part of an inventory is not the Parquet that it should be.
    #[error("the inventory {path} is damaged", path = path.display())]
    InventoryFormat {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ParquetError,
    },
}

impl CloneError {
    pub(super) fn at(location: impl Into<String>) -> impl FnOnce(Error) -> Self {
        let location = location.into();
        move |source| Self::Store { location, source }
    }

    /// What a store said, if a store is the cause.
    #[must_use]
    pub fn provider_error(&self) -> Option<&Error> {
        match self {
            Self::Store { source, .. } => Some(source),
            _ => None,
        }
    }

    /// Kind of the store's error, if a store is the cause.
    #[must_use]
    pub fn kind(&self) -> Option<ErrorKind> {
        self.provider_error().map(Error::kind)
    }

    /// Whether it was found before anything was written.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Overlap { .. }
                | Self::ForeignDestination { .. }
                | Self::Locked { .. }
                | Self::OtherClone { .. }
                | Self::OtherPlan { .. }
        )
    }

    /// What a person can do about it, where that is known.
    #[must_use]
    pub fn advice(&self) -> Option<&'static str> {
        Some(match self {
            Self::Overlap { .. } => "name a place outside of the source",
            Self::ForeignDestination { .. } => "name an empty place, or another prefix",
            Self::KeyNotHeld { .. } => "choose another store, or rename keys with --key-map",
            Self::TooManyDeletes { .. } => {
                "see whether the source is the right one and whole; if so, allow more with --max-deletes"
            }
            Self::Store { source, .. } if source.kind() == ErrorKind::Exhausted => {
                "make room there, or raise its quota; then run the same command again"
            }
            Self::ListingIncomplete { .. } => "run the same command again",
            Self::Locked { .. } => "wait until it has ended; a holder that is dead is replaced after a minute",
            Self::OtherClone { .. } => "name another state with --state",
            Self::OtherPlan { .. } => "a plan ends with its pass: make a new one with --plan-shards",
            _ => return None,
        })
    }

    /// Whether the same pass may succeed later.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Store { source, .. } => source.retry(),
            Self::SourceKeepsChanging { .. } | Self::ListingIncomplete { .. } => Retry::Again,
            _ => Retry::Never,
        }
    }
}
