//! Deletes what only the clone has, once everything else is copied.
//!
//! A stale `object/` key whose block is missing would make the restored cluster lose data, so the clone's keys are exactly the
//! source's. What to delete is found by comparing what the clone has with the new inventory, stretch by stretch.

use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};
use provider::Key;

use super::context::{Context, Sort};
use super::decision::renamed;
use super::external_sort::{ExternalSort, Sorted};
use super::inventory::{Entries, Inventory, PartFacts};
use super::known::Known;
use super::lister::Listing;
use super::lock::is_lock;
use super::range::KeyRange;
use super::{CloneError, Result, small_object};

/// Objects of the source that are looked at side by side.
const LOOKS: usize = 64;
/// Keys that are deleted with one call at most.
const MOST_KEYS: usize = 1000;

/// A stretch of keys of which the clone has some that the source lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) group: u8,
    range: KeyRange,
    /// Whether only a listing of the clone tells which.
    to_be_listed: bool,
}

impl Stretch {
    /// The stretch that these facts are about, if there is something to delete. `was_dirty` when an interrupted pass may have
    /// written there.
    pub(super) fn of(facts: &PartFacts, known: &Known, was_dirty: bool) -> Option<Self> {
        let recorded = matches!(known, Known::Recorded(_)) && !was_dirty;
        let to_be_listed = facts.maybe_more || !recorded;
        (facts.extra > 0 || facts.maybe_more).then(|| Self {
            group: facts.group,
            range: facts.range.clone(),
            to_be_listed,
        })
    }
}

/// Deletes what the clone has in these stretches and the new inventory lacks. Answers how many keys that were.
pub(super) async fn delete(
    context: &Context,
    known: &Known,
    inventory: &Inventory,
    stretches: Vec<Stretch>,
) -> Result<u64> {
    let most = context.capabilities.delete_keys.clamp(1, MOST_KEYS);
    let mut deleted = 0;
    for stretch in stretches {
        let mut present = Present::of(context, known, &stretch).await?;
        let mut kept = inventory.entries_in(&stretch.range);
        let mut next_kept = next_known(&mut kept).await?;
        let mut extra = Vec::new();
        while let Some((source, there)) = present.next().await? {
            while next_kept.as_ref().is_some_and(|kept| *kept < source) {
                next_kept = next_known(&mut kept).await?;
            }
            if next_kept.as_ref() != Some(&source) {
                extra.push((source, there));
            }
            if extra.len() == most {
                deleted += delete_keys(context, std::mem::take(&mut extra)).await?;
            }
        }
        deleted += delete_keys(context, extra).await?;
    }
    Ok(deleted)
}

/// The next key that the source has.
async fn next_known(entries: &mut Entries) -> Result<Option<Key>> {
    while let Some(entry) = entries.next().await? {
        if !entry.is_unknown() {
            return Ok(Some(entry.source_key));
        }
    }
    Ok(None)
}

/// What the clone has, by the source's keys: from its record or from a listing.
enum Present {
    Recorded(Context, Entries),
    Listed(Context, KeyRange, Listing),
    /// A listing in the order of the source's keys, which is not the clone's.
    Sorted(Sorted<Key>),
}

impl Present {
    async fn of(context: &Context, known: &Known, stretch: &Stretch) -> Result<Self> {
        if let Some(inventory) = known.inventory().filter(|_| !stretch.to_be_listed) {
            return Ok(Self::Recorded(context.clone(), inventory.entries_in(&stretch.range)));
        }
        let keeps_order = context.spec.key_map.keeps_order();
        let range = if keeps_order { renamed(context, &stretch.range) } else { KeyRange::default() };
        let listing = Listing::of_range(context.clone(), Arc::clone(&context.spec.destination), range);
        let mut listed = Self::Listed(context.clone(), stretch.range.clone(), listing);
        if keeps_order {
            return Ok(listed);
        }
        let mut sort = ExternalSort::new();
        while let Some((source, there)) = listed.next().await? {
            sort.push(source.into_string(), there)?;
        }
        sort.sorted().map(Self::Sorted)
    }

    /// The next key of the source, and its name in the clone.
    async fn next(&mut self) -> Result<Option<(Key, Key)>> {
        match self {
            Self::Recorded(context, entries) => {
                while let Some(entry) = entries.next().await? {
                    if context.spec.includes(entry.source_key.as_str()) {
                        return Ok(Some(entry.into_keys()));
                    }
                }
            }
            Self::Sorted(sorted) => {
                return Ok(sorted.next()?.map(|(source, there)| (Key::new(source), there)));
            }
            Self::Listed(context, range, listing) => {
                while let Some(object) = listing.next().await? {
                    let source = context.spec.key_map.undo(object.key.as_str());
                    let is_ours = |key: &String| range.contains(key) && context.spec.includes(key);
                    let source = source.filter(|key| is_ours(key) && !is_lock(object.key.as_str()));
                    if let Some(source) = source {
                        return Ok(Some((Key::new(source), object.key)));
                    }
                }
            }
        }
        Ok(None)
    }
}

/// Deletes keys of the clone that the source really lacks: a listing that dropped some must not cost data.
async fn delete_keys(context: &Context, extra: Vec<(Key, Key)>) -> Result<u64> {
    if extra.is_empty() {
        return Ok(0);
    }
    let (origin, destination) = (&context.spec.source, &context.spec.destination);
    let look = async |key: &Key| -> Result<()> {
        let found = context.call(Sort::Head, || origin.head(key)).await.map_err(CloneError::at(origin.location()))?;
        match found {
            None => Ok(()),
            Some(_) => Err(CloneError::ListingIncomplete { origin: origin.location(), key: key.to_string() }),
        }
    };
    stream::iter(extra.iter().map(|(source, _)| look(source))).buffer_unordered(LOOKS).try_collect::<()>().await?;
    let keys: Vec<Key> = extra.into_iter().map(|(_, there)| there).collect();
    let delete = || small_object::delete(destination.as_ref(), &keys);
    context.call(Sort::Delete, delete).await.map_err(CloneError::at(destination.location()))?;
    Ok(keys.len() as u64)
}
