//! What a restore came to.

use std::path::PathBuf;

use pachyderm::client::Token;

use super::etcd::Filled;
use super::metadata::Replayed;
use super::{RestoreFrom, Started};
use crate::manifest::Checkpoint;

/// A cluster that was restored.
#[derive(Debug)]
pub struct Restored {
    /// What was restored: a run's id, or the SHA-256 of a stream.
    pub point: String,
    /// By which path.
    pub from: RestoreFrom,
    /// What was put into etcd, on that path.
    pub filled: Option<Filled>,
    /// What was replayed, on that path.
    pub replayed: Option<Replayed>,
    /// Pipelines that ran at the source.
    pub pipelines: Started,
    /// From where loaders go on.
    pub checkpoint: Option<Checkpoint>,
    /// The token of `pach:root`, where the stream turned auth on.
    pub root_token: Option<RootToken>,
    /// What did not come back.
    pub not_back: Vec<String>,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// The only token that gives access to a cluster whose auth came with a stream. Never shown by `Debug`.
#[derive(Debug)]
pub struct RootToken {
    /// The token.
    pub token: Token,
    /// The file that holds it too.
    pub file: PathBuf,
}
