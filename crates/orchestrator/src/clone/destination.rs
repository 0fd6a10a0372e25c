//! Whether a clone may be made at a place.

use std::cmp::Ordering;
use std::sync::Arc;

use provider::{Key, ListRequest};

use super::context::{Context, Sort};
use super::lister::Listing;
use super::overlap::overlap;
use super::{CloneError, Result};

/// Foreign keys that are named.
const NAMED: usize = 5;

/// Refuses a place that is in the source, or the source in it.
pub(super) fn ensure_apart(context: &Context) -> Result<()> {
    let (origin, destination) = (context.spec.source.location(), context.spec.destination.location());
    if overlap(&origin, &destination) { Err(CloneError::Overlap { origin, destination }) } else { Ok(()) }
}

/// Whether nothing is at the place.
pub(super) async fn is_empty(context: &Context) -> Result<bool> {
    let first = ListRequest { max_keys: 2, ..ListRequest::default() };
    let destination = &context.spec.destination;
    let page = context.call(Sort::List, || destination.list(&first)).await;
    let page = page.map_err(CloneError::at(destination.location()))?;
    let others = page.objects.iter().any(|object| !super::lock::is_lock(object.key.as_str()));
    Ok(!others && page.next.is_none())
}

/// Refuses a place that holds keys which the source lacks: without an inventory nothing says that they are ours.
pub(super) async fn ensure_ours(context: &Context) -> Result<()> {
    let spec = &context.spec;
    if !spec.key_map.keeps_order() {
        // What is there can't be compared with the source key by key, so nothing may be there.
        let first = ListRequest { max_keys: NAMED, ..ListRequest::default() };
        let page = context.call(Sort::List, || spec.destination.list(&first)).await;
        let page = page.map_err(CloneError::at(spec.destination.location()))?;
        let keys = page.objects.into_iter().map(|object| object.key.into_string()).collect();
        return Err(CloneError::ForeignDestination { destination: spec.destination.location(), keys });
    }
    let mut sources = Listing::of_all(context.clone(), Arc::clone(&spec.source));
    let mut presents = Listing::of_all(context.clone(), Arc::clone(&spec.destination));
    let mut source: Option<Key> = None;
    let mut foreign = Vec::new();
    while let Some(present) = presents.next().await? {
        if super::lock::is_lock(present.key.as_str()) {
            continue;
        }
        let expected = spec.key_map.undo(present.key.as_str()).map(Key::new);
        let expected = expected.filter(|key| spec.includes(key.as_str()));
        if let Some(expected) = &expected {
            while source.as_ref().is_none_or(|source| source < expected) {
                match sources.next().await? {
                    Some(next) => source = Some(next.key),
                    None => {
                        source = None;
                        break;
                    }
                }
            }
        }
        let is_ours =
            expected.is_some_and(|key| source.as_ref().map(|source| source.cmp(&key)) == Some(Ordering::Equal));
        if !is_ours {
            foreign.push(present.key.into_string());
            if foreign.len() == NAMED {
                break;
            }
        }
    }
    if foreign.is_empty() {
        return Ok(());
    }
    Err(CloneError::ForeignDestination { destination: spec.destination.location(), keys: foreign })
}
