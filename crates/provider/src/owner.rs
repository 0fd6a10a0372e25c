//! Who made a resource: the tag by which a run's leftovers are found.

use serde::{Deserialize, Serialize};

/// The mark on everything that a run creates.
///
/// Providers store it as tags, labels or annotations named `pachsnap-cluster` and `pachsnap-run`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Owner {
    /// Name of the cluster in the vault.
    pub cluster: String,
    /// Id of the run; empty in a query means every run of the cluster.
    pub run: String,
}

impl Owner {
    /// Tag name of [`Owner::cluster`].
    pub const CLUSTER_TAG: &'static str = "pachsnap-cluster";
    /// Tag name of [`Owner::run`].
    pub const RUN_TAG: &'static str = "pachsnap-run";

    /// Whether a resource of `other` answers a query for `self`.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.cluster == other.cluster && (self.run.is_empty() || self.run == other.run)
    }
}
