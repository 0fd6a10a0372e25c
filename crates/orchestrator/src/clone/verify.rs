//! Compares a clone with its inventory.

use std::cmp::Ordering;
use std::sync::Arc;

use provider::{Bucket, Checksum, Key, ObjectMeta, ObjectVersion};

use super::context::Context;
use super::external_sort::{ExternalSort, Sorted};
use super::inventory::{Entries, Inventory};
use super::lister::Listing;
use super::lock::is_lock;
use super::{CloneOrder, CloneSpec, CopyPath, KeyMap, Kind, Result};
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

/// What an inventory says of one object of the clone.
struct Expected {
    key: Key,
    size: u64,
    version: ObjectVersion,
    checksum: Option<Checksum>,
}

/// What an inventory says of the clone, sorted by the clone's keys.
enum Expectations {
    InOrder(Entries),
    Sorted(Sorted<(u64, ObjectVersion, Option<Checksum>)>),
}

impl Expectations {
    async fn of(inventory: &Inventory, key_map: &KeyMap) -> Result<Self> {
        let mut entries = inventory.entries();
        if key_map.keeps_order() {
            return Ok(Self::InOrder(entries));
        }
        let mut sort = ExternalSort::new();
        while let Some(entry) = entries.next().await? {
            if entry.is_unknown() {
                continue;
            }
            let (size, checksum) = (entry.size, entry.checksum.clone());
            let (key, version) = entry.into_destination();
            sort.push(key.into_string(), (size, version, checksum))?;
        }
        sort.sorted().map(Self::Sorted)
    }

    async fn next(&mut self) -> Result<Option<Expected>> {
        match self {
            Self::InOrder(entries) => {
                while let Some(entry) = entries.next().await? {
                    if !entry.is_unknown() {
                        let (size, checksum) = (entry.size, entry.checksum.clone());
                        let (key, version) = entry.into_destination();
                        return Ok(Some(Expected { key, size, version, checksum }));
                    }
                }
                Ok(None)
            }
            Self::Sorted(sorted) => Ok(sorted.next()?.map(|(key, (size, version, checksum))| Expected {
                key: Key::new(key),
                size,
                version,
                checksum,
            })),
        }
    }
}

/// A key that is in the clone or in the inventory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compared<'a> {
    /// The key, as the clone has it.
    pub key: &'a str,
    /// Its size in the inventory, in bytes; `None` when that lacks it.
    pub recorded: Option<u64>,
    /// Its size in the clone, in bytes; `None` when it isn't there.
    pub size: Option<u64>,
}

/// Lists a clone and compares each object with the inventory. Reads no content. `key_map` is the one that the clone was made
/// with.
///
/// # Errors
/// Those of listing the clone and of reading the inventory. Differences are an answer, not an error.
pub async fn verify_clone(
    clone: Arc<dyn Bucket>,
    inventory: &Inventory,
    key_map: &KeyMap,
    retry: RetryPolicy,
) -> Result<CloneVerification> {
    verify_clone_with(clone, inventory, key_map, retry, &mut |_| {}).await
}

/// As [`verify_clone`]; `visit` is told of every key, in their order.
///
/// # Errors
/// As [`verify_clone`].
pub async fn verify_clone_with(
    clone: Arc<dyn Bucket>,
    inventory: &Inventory,
    key_map: &KeyMap,
    retry: RetryPolicy,
    visit: &mut (dyn FnMut(Compared<'_>) + Send),
) -> Result<CloneVerification> {
    let order = CloneOrder::by_key(|_| Kind::Other);
    let mut spec = CloneSpec::new(Arc::clone(&clone), Arc::clone(&clone), CopyPath::Streamed, order);
    spec.retry = retry;
    let mut listing = Listing::of_all(Context::new(&spec), clone);
    let mut expectations = Expectations::of(inventory, key_map).await?;
    let (mut present, mut recorded) = (next_present(&mut listing).await?, expectations.next().await?);
    let mut found = CloneVerification::default();
    loop {
        let order = match (&present, &recorded) {
            (None, None) => return Ok(found),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(present), Some(recorded)) => present.key.cmp(&recorded.key),
        };
        let there = if order == Ordering::Greater { None } else { present.take() };
        let expected = if order == Ordering::Less { None } else { recorded.take() };
        if there.is_some() {
            present = next_present(&mut listing).await?;
        }
        if expected.is_some() {
            recorded = expectations.next().await?;
        }
        if let Some(expected) = &expected {
            found.objects += 1;
            found.bytes += expected.size;
        }
        if let Some(key) = there.as_ref().map(|there| &there.key).or(expected.as_ref().map(|expected| &expected.key)) {
            let recorded = expected.as_ref().map(|expected| expected.size);
            visit(Compared { key: key.as_str(), recorded, size: there.as_ref().map(|there| there.size) });
        }
        match (there, expected) {
            (Some(there), Some(expected)) if !is_recorded(&there, &expected) => found.changed.add(there.key.as_str()),
            (Some(there), None) => found.extra.add(there.key.as_str()),
            (None, Some(expected)) => found.missing.add(expected.key.as_str()),
            _ => {}
        }
    }
}

async fn next_present(listing: &mut Listing) -> Result<Option<ObjectMeta>> {
    loop {
        match listing.next().await? {
            Some(object) if is_lock(object.key.as_str()) => {}
            next => return Ok(next),
        }
    }
}

fn is_recorded(there: &ObjectMeta, expected: &Expected) -> bool {
    let same_checksum = match (&there.checksum, &expected.checksum) {
        (Some(there), Some(expected)) if std::mem::discriminant(there) == std::mem::discriminant(expected) => {
            there == expected
        }
        _ => true,
    };
    there.size == expected.size && there.version == expected.version && same_checksum
}
