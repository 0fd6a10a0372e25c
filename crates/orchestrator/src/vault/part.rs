//! One file of a recovery point.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// One file of a run in the vault, as the manifest names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Name below the run's folder, as `inventory/part-00000.parquet`.
    pub name: String,
    /// Size in bytes.
    pub size: u64,
    /// SHA-256 of the content, in lower-case hexadecimal.
    pub sha256: String,
}

impl Part {
    pub(super) fn new(name: &str, digest: Digest) -> Self {
        Self { name: name.to_owned(), size: digest.size, sha256: hex::encode(digest.sha256) }
    }
}

/// What became of a part since it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartState {
    /// Present, every byte as recorded.
    Whole,
    /// Gone.
    Missing,
    /// Present with other bytes.
    Different {
        /// Size in bytes that it has now.
        size: u64,
        /// SHA-256 that it has now, in lower-case hexadecimal.
        sha256: String,
    },
}
