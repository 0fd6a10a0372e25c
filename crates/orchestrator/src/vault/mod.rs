//! The vault: a bucket that holds what belongs to recovery points, except for the clones.
//!
//! ```text
//! <cluster>/cluster.json                      create-only: which cluster this name belongs to
//!          /<run>/metadata.pachd              what `pachctl restore` reads
//!                /etcd.snapshot.db            as etcd wrote it
//!                /cluster-objects.yaml        the Kubernetes half, without secret values
//!                /inventory/part-NNNNN.parquet
//!                /captured.json
//!                /manifest.json               last; create-only; without it there is no recovery point
//! ```
//!
//! Everything is written create-only, so nothing of a recovery point is ever replaced: a write that was sent twice
//! succeeds when the bytes are the same, and fails when they are not.

mod check;
mod content;
mod error;
mod identity;
pub mod layout;
mod part;
mod read;
mod remove;
mod runs;
mod write;

use std::sync::Arc;

use provider::{Bucket, BucketFacts, Key};

pub use check::VaultFacts;
pub(crate) use check::read_facts;
pub use error::VaultError;
pub use identity::ClusterIdentity;
pub use part::{Part, PartState};
pub use runs::{RunEntry, RunState, StoredFile};

use crate::retry::RetryPolicy;
use crate::run_id::RunId;

/// The result of every call of a vault.
pub type Result<T, E = VaultError> = std::result::Result<T, E>;

/// One cluster's part of a vault.
#[derive(Clone)]
pub struct Vault {
    bucket: Arc<dyn Bucket>,
    facts: Option<Arc<dyn BucketFacts>>,
    cluster: String,
    retry: RetryPolicy,
}

impl Vault {
    /// The part of `bucket` that belongs to the cluster of this name. Nothing is read or written yet.
    ///
    /// # Errors
    /// [`VaultError::ClusterName`] when the name has other characters than `A-Za-z0-9._-` or begins with a dot: it
    /// becomes a segment of every key.
    pub fn new(bucket: Arc<dyn Bucket>, facts: Option<Arc<dyn BucketFacts>>, cluster: &str) -> Result<Self> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if cluster.is_empty() || cluster.len() > 128 || cluster.starts_with('.') || !cluster.bytes().all(plain) {
            return Err(VaultError::ClusterName { name: cluster.to_owned() });
        }
        Ok(Self { bucket, facts, cluster: cluster.to_owned(), retry: RetryPolicy::default() })
    }

    /// The same vault with another patience.
    #[must_use]
    pub fn with_retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// The bucket under the vault.
    #[must_use]
    pub fn bucket(&self) -> &Arc<dyn Bucket> {
        &self.bucket
    }

    /// Name of the cluster.
    #[must_use]
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// Where the vault is, as a URL without secrets.
    #[must_use]
    pub fn location(&self) -> String {
        self.bucket.location()
    }

    /// Key of a run's file in the vault's bucket.
    #[must_use]
    pub fn key(&self, run: &RunId, name: &str) -> Key {
        Key::new(format!("{}/{run}/{name}", self.cluster))
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").field("bucket", &self.bucket).field("cluster", &self.cluster).finish_non_exhaustive()
    }
}
