//! What a pass would do, without doing it.

use std::sync::Arc;

use futures::stream::{FuturesUnordered, StreamExt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::context::Context;
use super::decision::{Decider, What};
use super::groups::{Group, groups};
use super::known::{Before, Known};
use super::lister::list_shared;
use super::order::Kind;
use super::pass::look;
use super::ranges::{Ranges, Taken};
use super::report::Requests;
use super::stock::Stock;
use super::{CloneSpec, CopyPath, Result, destination};

/// What a pass would do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Survey {
    /// Objects of the source.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Objects that would be copied.
    pub to_copy: u64,
    /// Bytes of those.
    pub bytes_to_copy: u64,
    /// Those of them that are archived: the store copies none of them before it was brought back.
    pub archived: u64,
    /// Keys that only the clone has.
    pub extra: u64,
    /// The largest object, in bytes.
    pub largest: u64,
    /// Requests that the pass would send, if nothing fails.
    pub requests: Requests,
}

impl Survey {
    fn add(&mut self, other: &Self) {
        self.objects += other.objects;
        self.bytes += other.bytes;
        self.to_copy += other.to_copy;
        self.bytes_to_copy += other.bytes_to_copy;
        self.archived += other.archived;
        self.extra += other.extra;
        self.largest = self.largest.max(other.largest);
        self.requests.copies += other.requests.copies;
    }
}

/// Lists the source (and the clone, where what it has is not known) and counts. Writes nothing. `deletes` when the pass
/// would delete what only the clone has.
///
/// # Errors
/// Those of the listings; [`CloneError::Overlap`](super::CloneError::Overlap),
/// [`CloneError::ForeignDestination`](super::CloneError::ForeignDestination), [`CloneError::KeyNotHeld`](super::CloneError::KeyNotHeld).
pub async fn survey(spec: &CloneSpec, before: &Before, deletes: bool) -> Result<Survey> {
    let context = Context::new(spec);
    destination::ensure_apart(&context)?;
    let known = look(&context, before, false).await?;
    let mut found = Survey::default();
    for group in groups(&spec.order, &Kind::ALL, spec.in_turn) {
        survey_group(&context, &group, &known, &mut found).await?;
    }
    found.requests.lists = context.requests().lists;
    if spec.path == CopyPath::Streamed {
        (found.requests.gets, found.requests.puts) = (found.to_copy, found.to_copy);
        found.requests.copies = 0;
    } else if !context.capabilities.conditional_copy {
        found.requests.heads = found.to_copy;
    }
    if deletes && found.extra > 0 {
        found.requests.heads += found.extra;
        found.requests.deletes = found.extra.div_ceil(context.capabilities.delete_keys.max(1) as u64);
    }
    Ok(found)
}

async fn survey_group(context: &Context, group: &Group, known: &Known, found: &mut Survey) -> Result<()> {
    let source = context.spec.source.capabilities();
    let ranges = group.ranges.iter().map(|range| (range.clone(), false)).collect();
    let ranges = Arc::new(Ranges::of(&source, ranges));
    let stock = Stock::new(source.page_keys, context.spec.listers.max(1) + 1);
    let mut shards = FuturesUnordered::new();
    loop {
        let changed = ranges.changed();
        tokio::pin!(changed);
        changed.as_mut().enable();
        while shards.len() < context.spec.listers.max(1) {
            let Some(taken) = ranges.take(false) else { break };
            shards.push(survey_range(context, group, known, &ranges, &stock, taken));
        }
        if shards.is_empty() && ranges.is_finished() {
            return Ok(());
        }
        tokio::select! {
            Some(surveyed) = shards.next(), if !shards.is_empty() => found.add(&surveyed?),
            () = changed => {}
        }
    }
}

async fn survey_range(
    context: &Context,
    group: &Group,
    known: &Known,
    ranges: &Arc<Ranges>,
    stock: &Stock,
    taken: Taken,
) -> Result<Survey> {
    let mut found = Survey::default();
    let mut decider = Decider::new(context.clone(), group.clone(), known, &taken.range, false, false);
    let mut pages = list_shared(context, ranges, &taken, stock);
    while let Some((page, _room)) = pages.next().await? {
        for decision in decider.decide(page.into_iter()).await? {
            found.extra += decision.extra_before;
            let size = match decision.what {
                What::Skip(entry) | What::Keep(entry) => entry.size,
                What::Copy(object, _) => {
                    found.to_copy += 1;
                    found.bytes_to_copy += object.size;
                    found.archived += u64::from(object.class.is_some_and(|class| class.archived));
                    found.requests.copies += copies_of(context, object.size);
                    object.size
                }
            };
            found.objects += 1;
            found.bytes += size;
            found.largest = found.largest.max(size);
        }
    }
    found.extra += decider.finish(ranges.through(taken.id).as_ref()).await?.1.extra;
    ranges.finish(taken.id);
    Ok(found)
}

/// Requests that a copy inside the store takes: a large object is copied in parts.
fn copies_of(context: &Context, size: u64) -> u64 {
    let whole = context.capabilities.single_copy_bytes.max(1);
    // The parts' size is the store's own choice; this is the least.
    if size <= whole { 1 } else { size.div_ceil(whole) + 2 }
}
