//! What to do with each key: a merge of the source's listing with what an earlier pass recorded, and with the clone's
//! listing where the record alone can't be trusted.

use provider::{Key, ObjectMeta};

use super::context::Context;
use super::groups::Group;
use super::inventory::{Entries, InventoryEntry};
use super::known::Known;
use super::lister::Listing;
use super::lock::is_lock;
use super::order::Kind;
use super::range::KeyRange;
use super::{CloneError, Result};

/// What to do with one key, and how many keys before it only the clone has.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) what: What,
    pub(super) extra_before: u64,
}

/// What to do with one key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Copy it as listed here, to this key or the same one.
    Copy(ObjectMeta, Option<Key>),
    /// The clone has it already.
    Skip(InventoryEntry),
    /// Only the clone has it, and there it stays for now.
    Keep(InventoryEntry),
}

/// What only the clone has after the last key of the source.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AfterTheLast {
    /// So many keys.
    pub(super) extra: u64,
    /// Whether there may be more of them anywhere in the range.
    pub(super) maybe_more: bool,
}

/// Decides about the keys of one range, page by page.
#[derive(Debug)]
pub(super) struct Decider {
    context: Context,
    group: Group,
    range: KeyRange,
    trusted: bool,
    /// Whether keys that only the clone has stay.
    keep: bool,
    /// Whether the clone would have to be listed and can't be, for its keys are in another order.
    blind: bool,
    records: Option<Entries>,
    record: Option<InventoryEntry>,
    presents: Option<Listing>,
    present: Option<ObjectMeta>,
    extra: u64,
}

impl Decider {
    /// `dirty` when an interrupted pass may have written here what no inventory tells of; `keep` when keys that only the
    /// clone has stay, and have to be known to the next pass.
    pub(super) fn new(
        context: Context,
        group: Group,
        known: &Known,
        range: &KeyRange,
        dirty: bool,
        keep: bool,
    ) -> Self {
        let records = known.inventory().map(|inventory| inventory.entries_in(range));
        let look = dirty || known.has_to_be_listed();
        let blind = look && !context.spec.key_map.keeps_order();
        let presents = (look && !blind).then(|| {
            let range = renamed(&context, range);
            Listing::of_range(context.clone(), context.spec.destination.clone(), range)
        });
        let trusted = known.inventory().is_some();
        Self {
            context,
            group,
            range: range.clone(),
            trusted,
            keep,
            blind,
            records,
            record: None,
            presents,
            present: None,
            extra: 0,
        }
    }

    /// Decides about the next keys of the range.
    pub(super) async fn decide(&mut self, objects: impl ExactSizeIterator<Item = ObjectMeta>) -> Result<Vec<Decision>> {
        let mut decisions = Vec::with_capacity(objects.len());
        for object in objects {
            if !self.is_ours(object.key.as_str()) {
                continue;
            }
            let renamed = self.context.spec.rename(&object.key, &self.context.capabilities.keys)?;
            let to = renamed.as_ref().unwrap_or(&object.key);
            if is_lock(to.as_str()) {
                return Err(CloneError::KeyNotHeld {
                    destination: self.context.spec.destination.location(),
                    key: to.to_string(),
                });
            }
            self.context.spec.progress.listed(object.size);
            self.read_records(&object.key, &mut decisions).await?;
            self.read_presents(to, &mut decisions).await?;
            let recorded = self.record.take_if(|record| record.source_key == object.key);
            let there = self.present.take_if(|present| present.key == *to);
            let what = match (&self.presents, recorded) {
                (None, Some(recorded)) if !self.blind && is_recorded(&recorded, &object, to) => What::Skip(recorded),
                (None, _) => What::Copy(object, renamed),
                (Some(_), recorded) => self.with_listing(object, renamed, there, recorded),
            };
            decisions.push(Decision { what, extra_before: std::mem::take(&mut self.extra) });
        }
        Ok(decisions)
    }

    /// What only the clone has after the last key of the source. `through` is where the range ends by now.
    pub(super) async fn finish(mut self, through: Option<&Key>) -> Result<(Vec<Decision>, AfterTheLast)> {
        let mut decisions = Vec::new();
        while let Some(record) = self.next_record().await? {
            if through.is_some_and(|through| record.source_key > *through) {
                break;
            }
            self.only_recorded(record, &mut decisions);
        }
        while let Some(present) = self.next_present().await? {
            let source = self.context.spec.key_map.undo(present.key.as_str());
            if through.zip(source).is_some_and(|(through, source)| source.as_str() > through.as_str()) {
                break;
            }
            self.only_present(present, &mut decisions);
        }
        Ok((decisions, AfterTheLast { extra: self.extra, maybe_more: self.blind }))
    }

    /// Passes over records of keys before this one, which the source lacks.
    async fn read_records(&mut self, before: &Key, decisions: &mut Vec<Decision>) -> Result<()> {
        while let Some(record) = self.next_record().await? {
            if record.source_key >= *before {
                self.record = Some(record);
                break;
            }
            self.only_recorded(record, decisions);
        }
        Ok(())
    }

    async fn read_presents(&mut self, before: &Key, decisions: &mut Vec<Decision>) -> Result<()> {
        while let Some(present) = self.next_present().await? {
            if present.key >= *before {
                self.present = Some(present);
                break;
            }
            self.only_present(present, decisions);
        }
        Ok(())
    }

    /// The source lacks what is recorded. With a listing of the clone, that tells what is there.
    fn only_recorded(&mut self, record: InventoryEntry, decisions: &mut Vec<Decision>) {
        if self.presents.is_some() {
            return;
        }
        let (source, there) = record.into_keys();
        self.only_there(source, there, decisions);
    }

    fn only_present(&mut self, present: ObjectMeta, decisions: &mut Vec<Decision>) {
        // What has no name in the source is none of ours, and was passed over.
        if let Some(source) = self.context.spec.key_map.undo(present.key.as_str()) {
            self.only_there(Key::new(source), present.key, decisions);
        }
    }

    fn only_there(&mut self, source: Key, there: Key, decisions: &mut Vec<Decision>) {
        if self.keep {
            let kept = What::Keep(InventoryEntry::unknown(source, Some(there)));
            decisions.push(Decision { what: kept, extra_before: std::mem::take(&mut self.extra) });
        } else {
            self.extra += 1;
        }
    }

    async fn next_record(&mut self) -> Result<Option<InventoryEntry>> {
        if let Some(record) = self.record.take() {
            return Ok(Some(record));
        }
        while let Some(records) = &mut self.records {
            match records.next().await? {
                Some(record) if self.is_ours(record.source_key.as_str()) => return Ok(Some(record)),
                Some(_) => {}
                None => self.records = None,
            }
        }
        Ok(None)
    }

    async fn next_present(&mut self) -> Result<Option<ObjectMeta>> {
        if let Some(present) = self.present.take() {
            return Ok(Some(present));
        }
        while let Some(presents) = &mut self.presents {
            match presents.next().await? {
                Some(present) if self.is_ours_there(present.key.as_str()) => return Ok(Some(present)),
                Some(_) => {}
                None => break,
            }
        }
        Ok(None)
    }

    fn is_ours(&self, key: &str) -> bool {
        self.group.holds(key) && self.context.spec.includes(key)
    }

    fn is_ours_there(&self, key: &str) -> bool {
        let source = self.context.spec.key_map.undo(key);
        !is_lock(key) && source.is_some_and(|source| self.range.contains(&source) && self.is_ours(&source))
    }

    fn with_listing(
        &self,
        object: ObjectMeta,
        renamed: Option<Key>,
        there: Option<ObjectMeta>,
        recorded: Option<InventoryEntry>,
    ) -> What {
        let Some(there) = there else { return What::Copy(object, renamed) };
        match recorded {
            Some(recorded) if is_recorded(&recorded, &object, &there.key) && is_there(&recorded, &there) => {
                What::Skip(recorded)
            }
            None if self.is_surely_the_same(&object, &there) => {
                let checksum = there.checksum.or_else(|| object.checksum.clone());
                What::Skip(InventoryEntry::new(object, renamed, there.version, checksum))
            }
            _ => What::Copy(object, renamed),
        }
    }

    /// Whether an object that nothing recorded has the source's content all the same: of all keys, only those of blocks
    /// never change their content under the same name and size.
    fn is_surely_the_same(&self, object: &ObjectMeta, there: &ObjectMeta) -> bool {
        !self.trusted
            && self.context.spec.order.kind_of(object.key.as_str()) == Kind::Block
            && there.size == object.size
    }
}

/// Whether the source is what was recorded.
fn is_recorded(recorded: &InventoryEntry, object: &ObjectMeta, to: &Key) -> bool {
    recorded.source_version == object.version && recorded.size == object.size && recorded.destination_key() == to
}

/// Whether the clone is what was recorded.
fn is_there(recorded: &InventoryEntry, there: &ObjectMeta) -> bool {
    *recorded.destination_version() == there.version && recorded.size == there.size
}

/// A range of the clone that holds the names of all keys of this one, and perhaps others, for a key map that keeps their
/// order.
pub(super) fn renamed(context: &Context, range: &KeyRange) -> KeyRange {
    let map = &context.spec.key_map;
    let rename = |key: &Key| map.apply(key.as_str()).map(Key::new);
    KeyRange {
        // An end that has no name ends nothing.
        prefix: map.apply(&range.prefix).unwrap_or_default(),
        after: range.after.as_ref().and_then(rename),
        through: range.through.as_ref().and_then(rename),
    }
}
