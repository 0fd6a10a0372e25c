//! What the rights that a cloud grants are for.

/// What is done with a cluster, as far as rights go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// `plan`, `snapshot`, `finish`.
    Snapshot,
    /// `restore` into a cluster.
    Restore,
    /// `drill`.
    Drill,
    /// `delete` and `prune`.
    Prune,
}
