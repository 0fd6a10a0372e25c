//! Commits made with their content, as a restore does.

use prost_types::Timestamp;

use super::{Commit, CommitOrigin, CommitProvenance, Object};

/// Creates a commit with its content.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct BuildCommitRequest {
    /// Its parent; an extract always sets it, for a root commit with an empty id.
    #[prost(message, optional, tag = "1")]
    pub parent: Option<Commit>,
    /// What it depends on, as 1.7 and 1.8 wrote it.
    #[prost(message, repeated, tag = "2")]
    pub legacy_provenance: Vec<Commit>,
    /// The hashtree of a user's commit.
    #[prost(message, optional, tag = "3")]
    pub tree: Option<Object>,
    /// The branch; set by extracts of 1.7 to 1.9.5.
    #[prost(string, tag = "4")]
    pub branch: String,
    /// The id to give it.
    #[prost(string, tag = "5")]
    pub id: String,
    /// What it depends on (1.9 and later).
    #[prost(message, repeated, tag = "6")]
    pub provenance: Vec<CommitProvenance>,
    /// Shards of the hashtree of an output commit (1.9 and later).
    #[prost(message, repeated, tag = "7")]
    pub trees: Vec<Object>,
    /// List of datums of an output commit (1.9 and later).
    #[prost(message, optional, tag = "8")]
    pub datums: Option<Object>,
    /// Bytes of its files (1.9 and later).
    #[prost(uint64, tag = "9")]
    pub size_bytes: u64,
    /// When it was started (1.10.3 and later).
    #[prost(message, optional, tag = "10")]
    pub started: Option<Timestamp>,
    /// When it was finished (1.10.3 and later).
    #[prost(message, optional, tag = "11")]
    pub finished: Option<Timestamp>,
    /// Who made it (1.11 and later).
    #[prost(message, optional, tag = "12")]
    pub origin: Option<CommitOrigin>,
}
