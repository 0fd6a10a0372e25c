//! Compares a clone with its inventory.

use std::cmp::Ordering;
use std::sync::Arc;

use provider::{Bucket, ObjectMeta};

use super::context::Context;
use super::inventory::{Inventory, InventoryEntry};
use super::lister::Listing;
use super::{CloneOrder, CloneSpec, CopyPath, Kind, Result};
use crate::retry::RetryPolicy;

/// Keys that are named in each list.
const NAMED: usize = 20;

/// Keys that differ in one way: how many, and the first of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloneDifferences {
    /// How many.
    pub count: u64,
    /// The first 20 keys.
    pub first: Vec<String>,
}

impl CloneDifferences {
    fn add(&mut self, key: &str) {
        self.count += 1;
        if self.first.len() < NAMED {
            self.first.push(key.to_owned());
        }
    }
}

/// What a fresh listing of a clone says about its inventory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloneVerification {
    /// Objects in the inventory.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// In the inventory, not in the clone.
    pub missing: CloneDifferences,
    /// In the clone, not in the inventory.
    pub extra: CloneDifferences,
    /// In both, with another size, version or checksum.
    pub changed: CloneDifferences,
}

impl CloneVerification {
    /// Whether the clone is exactly what its inventory says.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.missing.count == 0 && self.extra.count == 0 && self.changed.count == 0
    }
}

/// Lists a clone and compares each object with the inventory. Reads no content.
///
/// # Errors
/// Those of listing the clone and of reading the inventory. Differences are an answer, not an error.
pub async fn verify_clone(
    clone: Arc<dyn Bucket>,
    inventory: &Inventory,
    retry: RetryPolicy,
) -> Result<CloneVerification> {
    let order = CloneOrder::by_key(|_| Kind::Other);
    let mut spec = CloneSpec::new(Arc::clone(&clone), Arc::clone(&clone), CopyPath::Streamed, order);
    spec.retry = retry;
    let mut listing = Listing::of_all(Arc::new(Context::new(&spec)), clone);
    let mut entries = inventory.all_entries();
    let (mut present, mut recorded) = (listing.next().await?, entries.next().await?);
    let mut found = CloneVerification::default();
    loop {
        let order = match (&present, &recorded) {
            (None, None) => return Ok(found),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(present), Some(recorded)) => present.key.cmp(&recorded.destination_key),
        };
        let there = if order == Ordering::Greater { None } else { present.take() };
        let expected = if order == Ordering::Less { None } else { recorded.take() };
        if there.is_some() {
            present = listing.next().await?;
        }
        if expected.is_some() {
            recorded = entries.next().await?;
        }
        if let Some(expected) = &expected {
            found.objects += 1;
            found.bytes += expected.size;
        }
        match (there, expected) {
            (Some(there), Some(expected)) if !is_recorded(&there, &expected) => found.changed.add(there.key.as_str()),
            (Some(there), None) => found.extra.add(there.key.as_str()),
            (None, Some(expected)) => found.missing.add(expected.destination_key.as_str()),
            _ => {}
        }
    }
}

fn is_recorded(there: &ObjectMeta, expected: &InventoryEntry) -> bool {
    let same_checksum = match (&there.checksum, &expected.checksum) {
        (Some(there), Some(expected)) if std::mem::discriminant(there) == std::mem::discriminant(expected) => {
            there == expected
        }
        _ => true,
    };
    there.size == expected.size && there.version == expected.destination_version && same_checksum
}
