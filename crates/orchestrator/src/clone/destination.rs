//! Whether a clone may be made at a place.

use std::cmp::Ordering;
use std::sync::Arc;

use provider::{Key, ListRequest};

use super::context::Context;
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

/// Refuses a place that holds keys which the source lacks: without an inventory nothing says that they are ours.
pub(super) async fn ensure_ours(context: &Arc<Context>) -> Result<()> {
    let spec = &context.spec;
    let first = ListRequest { max_keys: 1, ..ListRequest::default() };
    let location = spec.destination.location();
    let page = context.call(|| spec.destination.list(&first)).await.map_err(CloneError::at(location))?;
    if page.objects.is_empty() && page.next.is_none() {
        return Ok(());
    }
    let mut sources = Listing::of_all(Arc::clone(context), Arc::clone(&spec.source));
    let mut presents = Listing::of_all(Arc::clone(context), Arc::clone(&spec.destination));
    let mut source: Option<Key> = None;
    let mut foreign = Vec::new();
    while let Some(present) = presents.next().await? {
        while source.as_ref().is_none_or(|source| *source < present.key) {
            match sources.next().await? {
                Some(next) => source = Some(next.key),
                None => {
                    source = None;
                    break;
                }
            }
        }
        if source.as_ref().map(|source| source.cmp(&present.key)) != Some(Ordering::Equal) {
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
