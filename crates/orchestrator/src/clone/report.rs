//! What a pass did.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Inventory;

/// Keys of changed objects that are named.
const NAMED: usize = 20;

/// Counts of one pass.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
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
    /// Keys that the clone has and the source lacks.
    pub extra: u64,
    /// How many of them were deleted from the clone.
    pub deleted: u64,
    /// Objects that changed or vanished between listing and copy.
    pub changed: u64,
    /// The first 20 of their keys; those of a pass that was interrupted are not known any more.
    pub changed_keys: Vec<String>,
    /// Requests to both stores by this process, repeated ones included.
    pub requests: Requests,
}

impl CloneReport {
    /// Adds what a part of the inventory tells.
    pub(super) fn add(&mut self, objects: u64, facts: &super::inventory::PartFacts) {
        self.objects += objects - facts.kept.min(objects);
        self.bytes += facts.bytes;
        self.copied += facts.copied;
        self.copied_bytes += facts.copied_bytes;
        self.skipped += facts.skipped;
        self.changed += facts.changed;
        self.extra += facts.extra;
    }

    pub(super) fn name_changed(&mut self, key: String) {
        if self.changed_keys.len() < NAMED {
            self.changed_keys.push(key);
        }
    }
}

/// Requests by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Requests {
    /// Pages of listings.
    pub lists: u64,
    /// Copies inside a store, each part of a large one for itself.
    pub copies: u64,
    /// Objects that were read.
    pub gets: u64,
    /// Objects that were written.
    pub puts: u64,
    /// Objects that were looked at.
    pub heads: u64,
    /// Deletes of up to a thousand keys.
    pub deletes: u64,
}

impl Requests {
    /// All of them.
    #[must_use]
    pub fn all(&self) -> u64 {
        self.lists + self.copies + self.gets + self.puts + self.heads + self.deletes
    }
}

/// A finished pass.
#[derive(Clone, Debug)]
pub struct ClonePass {
    /// What it did.
    pub report: CloneReport,
    /// What it left in the clone. For the next pass over the same clone, and after a final pass for the vault.
    pub inventory: Inventory,
}
