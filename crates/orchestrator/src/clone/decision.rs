//! What to do with each key: a merge of the source's listing, the clone's listing, and what an earlier pass recorded.

use std::cmp::Ordering;
use std::sync::Arc;

use provider::{Key, ObjectMeta};
use tokio::sync::mpsc;

use super::context::Context;
use super::feed::Feed;
use super::inventory::{Inventory, InventoryEntry};
use super::lister::Listing;
use super::order::Kind;
use super::{CloneError, Result};

/// Decisions that are made ahead.
const AHEAD: usize = 1024;

/// What to do with one key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Copy it as listed here.
    Copy(ObjectMeta),
    /// The clone has it already.
    Skip(InventoryEntry),
    /// The clone has it, the source does not.
    Extra(Key),
}

/// Begins to decide about all keys of a kind, in their order.
pub(super) fn decide(context: &Arc<Context>, kind: Kind, known: Option<&Inventory>) -> Feed<Decision> {
    let context = Arc::clone(context);
    let known = known.cloned();
    Feed::start(AHEAD, move |decisions| merge(context, kind, known, decisions))
}

async fn merge(
    context: Arc<Context>,
    kind: Kind,
    known: Option<Inventory>,
    decisions: mpsc::Sender<Decision>,
) -> Result<()> {
    let spec = &context.spec;
    let mut sources = Listing::of_kind(Arc::clone(&context), Arc::clone(&spec.source), kind);
    let mut presents = Listing::of_kind(Arc::clone(&context), Arc::clone(&spec.destination), kind);
    let mut records = known.as_ref().map(|known| known.entries(kind));
    let rules = spec.destination.capabilities().keys;
    let (mut source, mut present) = (sources.next().await?, presents.next().await?);
    let mut record: Option<InventoryEntry> = None;
    loop {
        let order = match (&source, &present) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(source), Some(present)) => source.key.cmp(&present.key),
        };
        let here = if order == Ordering::Greater { None } else { source.take() };
        let there = if order == Ordering::Less { None } else { present.take() };
        if here.is_some() {
            source = sources.next().await?;
        }
        if there.is_some() {
            present = presents.next().await?;
        }
        let decision = match (here, there) {
            (Some(object), there) => {
                if !rules.holds(object.key.as_str()) {
                    let destination = spec.destination.location();
                    return Err(CloneError::KeyNotHeld { destination, key: object.key.into_string() });
                }
                spec.progress.listed(object.size);
                if let Some(records) = &mut records {
                    while record.as_ref().is_none_or(|record| record.destination_key < object.key) {
                        record = records.next().await?;
                        if record.is_none() {
                            break;
                        }
                    }
                }
                let recorded = record.as_ref().filter(|record| record.destination_key == object.key);
                decide_one(kind, object, there, recorded, known.is_some())
            }
            (None, Some(there)) => Decision::Extra(there.key),
            (None, None) => continue,
        };
        if decisions.send(decision).await.is_err() {
            return Ok(());
        }
    }
}

/// What to do with an object of the source.
///
/// With an inventory, an object is skipped when source and clone both are what the inventory recorded. Without one only
/// blocks are, by size: of all keys, only theirs never change their content under the same name and size.
fn decide_one(
    kind: Kind,
    object: ObjectMeta,
    there: Option<ObjectMeta>,
    recorded: Option<&InventoryEntry>,
    trusted: bool,
) -> Decision {
    let Some(there) = there else { return Decision::Copy(object) };
    let as_recorded = recorded.filter(|recorded| {
        recorded.source_version == object.version
            && recorded.size == object.size
            && recorded.destination_version == there.version
            && there.size == object.size
    });
    if let Some(recorded) = as_recorded {
        return Decision::Skip(recorded.clone());
    }
    if !trusted && kind == Kind::Block && there.size == object.size {
        let checksum = there.checksum.clone().or_else(|| object.checksum.clone());
        return Decision::Skip(InventoryEntry::new(&object, there.key, there.version, checksum));
    }
    Decision::Copy(object)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use provider::{ContentHeaders, ObjectVersion};

    use super::*;

    fn object(key: &str, size: u64, version: &str) -> ObjectMeta {
        ObjectMeta {
            key: key.into(),
            size,
            version: ObjectVersion(version.to_owned()),
            modified: None,
            checksum: None,
            headers: ContentHeaders::default(),
            metadata: BTreeMap::new(),
        }
    }

    fn record(object: &ObjectMeta, there: &ObjectMeta) -> InventoryEntry {
        InventoryEntry::new(object, there.key.clone(), there.version.clone(), None)
    }

    #[test]
    fn what_is_as_recorded_is_skipped() {
        let (source, there) = (object("t", 3, "s1"), object("t", 3, "d1"));
        let recorded = record(&source, &there);
        let decision = decide_one(Kind::Tag, source, Some(there), Some(&recorded), true);
        assert_eq!(decision, Decision::Skip(recorded));
    }

    #[test]
    fn what_changed_on_either_side_is_copied() {
        let (source, there) = (object("t", 3, "s1"), object("t", 3, "d1"));
        let recorded = record(&source, &there);
        let newer = object("t", 3, "s2");
        let copy = Decision::Copy(newer.clone());
        assert_eq!(decide_one(Kind::Tag, newer, Some(there), Some(&recorded), true), copy);
        let touched = object("t", 3, "d2");
        let copy = Decision::Copy(source.clone());
        assert_eq!(decide_one(Kind::Tag, source.clone(), Some(touched), Some(&recorded), true), copy);
        let copy = Decision::Copy(source.clone());
        assert_eq!(decide_one(Kind::Tag, source, None, Some(&recorded), true), copy);
    }

    #[test]
    fn without_an_inventory_only_blocks_of_equal_size_are_skipped() {
        let skip = |kind, size| {
            let decision = decide_one(kind, object("k", 3, "s"), Some(object("k", size, "d")), None, false);
            matches!(decision, Decision::Skip(_))
        };
        assert!(skip(Kind::Block, 3));
        assert!(!skip(Kind::Block, 2));
        assert!(!skip(Kind::Tag, 3));
        assert!(!skip(Kind::Object, 3));
        assert!(!skip(Kind::Other, 3));
    }

    #[test]
    fn a_block_that_the_inventory_lacks_is_copied() {
        let decision = decide_one(Kind::Block, object("b", 3, "s"), Some(object("b", 3, "d")), None, true);
        assert!(matches!(decision, Decision::Copy(_)));
    }
}
