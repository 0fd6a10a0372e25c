//! What a pass did.

use super::Inventory;

/// Counts of one pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloneReport {
    /// Objects in the pass's inventory: all of the clone's after a final pass.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Objects copied.
    pub copied: u64,
    /// Bytes copied.
    pub copied_bytes: u64,
    /// Objects that were in the clone already.
    pub skipped: u64,
    /// Keys deleted from the clone because the source lacks them.
    pub deleted: u64,
    /// Objects that changed or vanished between listing and copy.
    pub changed: u64,
    /// The first 20 of their keys.
    pub changed_keys: Vec<String>,
    /// Requests to both stores, repeated ones included.
    pub requests: u64,
}

/// A finished pass.
#[derive(Clone, Debug)]
pub struct ClonePass {
    /// What it did.
    pub report: CloneReport,
    /// What it left in the clone. For the next pass over the same clone, and after a final pass for the vault.
    pub inventory: Inventory,
}
