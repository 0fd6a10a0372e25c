//! A clone cut into shards that other processes can be given, on this machine or elsewhere, and what one of them does.

use std::sync::Arc;

use futures::future::try_join_all;
use provider::{ListRequest, ListingStart};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::context::{Context, Sort};
use super::known::Known;
use super::lock::{Lock, LockTimes};
use super::pass::{look, pass_over};
use super::range::KeyRange;
use super::ranges::{Ranges, Taken};
use super::standalone::CloneJob;
use super::state::CloneState;
use super::{CloneError, CloneReport, Result, destination};

/// Keys in a sample: enough to tell how dense keys are there.
const SAMPLE: usize = 200;
/// Pieces of the key space that are looked at for each shard, so that shards differ by less than one of them.
const PIECES: usize = 4;
/// Samples that are taken side by side.
const SIDE_BY_SIDE: usize = 16;
/// Letters of a plan's name.
const NAME: usize = 8;

/// One shard of a plan: some keys of one clone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloneShard {
    /// Which plan it is of.
    pub plan: String,
    /// Its number in the plan, from 0.
    pub shard: u32,
    /// Its keys in the source.
    pub range: KeyRange,
    /// About how many of them there are.
    pub objects: u64,
}

/// What the pass under way keeps of its plan.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plan {
    pub(super) id: String,
    /// Whether something may have been written to the clone before, of which no inventory tells.
    pub(super) was_written: bool,
    shards: Vec<CloneShard>,
}

impl Plan {
    pub(super) fn has(&self, shard: &CloneShard) -> bool {
        usize::try_from(shard.shard).ok().and_then(|number| self.shards.get(number)) == Some(shard)
    }
}

/// Cuts the pass under way, or a new one, into at most so many shards of about the same number of keys, together all there can be.
/// Copies nothing. Takes the place of an earlier plan.
///
/// # Errors
/// [`CloneError::Locked`] while anybody writes to the clone; those of a pass that is refused; those of the stores.
pub async fn plan_shards(job: &CloneJob, state: &CloneState, count: usize) -> Result<Vec<CloneShard>> {
    let context = Context::new(&job.spec);
    destination::ensure_apart(&context)?;
    let is_dead = |holder: &_| (job.writer.is_dead)(holder);
    let lock = Lock::take(&job.spec.destination, job.holder(), is_dead, LockTimes::default()).await?;
    let planned = tokio::select! {
        biased;
        lost = lock.lost() => Err(lost),
        planned = make_plan(&context, state, count) => planned,
    };
    let given_back = lock.give_back().await;
    let planned = planned?;
    given_back.map(|()| planned)
}

async fn make_plan(context: &Context, state: &CloneState, count: usize) -> Result<Vec<CloneShard>> {
    let state = state.again().await?;
    let resumed = state.ledger().await?.is_resumed();
    let known = look(context, &state.before(false).await?, resumed).await?;
    let was_written = resumed || matches!(known, Known::Listed(_));
    let id: String = Uuid::new_v4().simple().to_string().chars().take(NAME).collect();
    let shard = |(number, (range, objects))| CloneShard { plan: id.clone(), shard: number, range, objects };
    let shards: Vec<CloneShard> = (0..).zip(together(sample(context, count).await?, count)).map(shard).collect();
    state.keep_plan(&Plan { id: id.clone(), was_written, shards: shards.clone() }).await?;
    Ok(shards)
}

/// The whole key space in pieces, in their order, each with about how many keys it has.
async fn sample(context: &Context, count: usize) -> Result<Vec<(KeyRange, f64)>> {
    let source = &context.spec.source;
    if source.capabilities().listing_start != ListingStart::AfterAnyKey {
        return Ok(vec![(KeyRange::default(), 0.0)]);
    }
    let ranges = &Ranges::new(vec![(KeyRange::default(), false)], Some(SAMPLE));
    let ask = |taken: Taken| async move {
        let request = ListRequest { after: taken.range.after, max_keys: SAMPLE, ..ListRequest::default() };
        let page = context.call(Sort::List, || source.list(&request)).await;
        let mut page = page.map_err(CloneError::at(source.location()))?;
        ranges.advance(taken.id, &mut page.objects, page.next.is_none());
        Ok::<_, CloneError>(())
    };
    let mut left = count.saturating_mul(PIECES);
    while left > 0 {
        let taken: Vec<Taken> = std::iter::from_fn(|| ranges.take(false)).take(SIDE_BY_SIDE.min(left)).collect();
        if taken.is_empty() {
            break;
        }
        left -= taken.len();
        try_join_all(taken.into_iter().map(ask)).await?;
    }
    let finite = |(range, keys): (KeyRange, f64)| (range, if keys.is_finite() { keys } else { 0.0 });
    Ok(ranges.estimates().into_iter().map(finite).collect())
}

/// Pieces that follow one another, put together into at most so many of about the same size.
fn together(pieces: Vec<(KeyRange, f64)>, count: usize) -> Vec<(KeyRange, u64)> {
    let all: f64 = pieces.iter().map(|(_, keys)| keys).sum();
    let each = all / count.max(1) as f64;
    let mut shards: Vec<(KeyRange, f64)> = Vec::new();
    let mut passed = 0.0;
    for (range, keys) in pieces {
        let ended = passed >= each * shards.len() as f64 && shards.len() < count.max(1);
        match shards.last_mut().filter(|_| !ended) {
            Some((shard, so_far)) => {
                shard.through = range.through;
                *so_far += keys;
            }
            None => shards.push((range, keys)),
        }
        passed += keys;
    }
    shards.into_iter().map(|(range, keys)| (range, keys as u64)).collect()
}

/// Brings the keys of one shard up to date. Other shards of the plan may be under way at the same time, in other processes.
/// `state` must be opened over a folder that no other process uses. What is done is part of the pass under way;
/// [`bring_up_to_date`](super::bring_up_to_date) finds it finished, does what is left, and ends the pass.
///
/// # Errors
/// [`CloneError::OtherPlan`]; [`CloneError::Locked`] while the whole clone, or this shard of it, is written to; any other. What
/// was copied stays, and what is kept of it is not copied again.
pub async fn bring_shard_up_to_date(job: &CloneJob, state: &CloneState, shard: &CloneShard) -> Result<CloneReport> {
    destination::ensure_apart(&Context::new(&job.spec))?;
    let name = format!("{}-{:05}", shard.plan, shard.shard);
    let is_dead = |holder: &_| (job.writer.is_dead)(holder);
    let lock = Lock::take_shard(&job.spec.destination, &name, job.holder(), is_dead, LockTimes::default()).await?;
    let passed = tokio::select! {
        biased;
        lost = lock.lost() => Err(lost),
        passed = pass_of(job, state, shard) => passed,
    };
    let given_back = lock.give_back().await;
    let passed = passed?;
    given_back.map(|()| passed)
}

async fn pass_of(job: &CloneJob, state: &CloneState, shard: &CloneShard) -> Result<CloneReport> {
    // The pass can't end from here on, for that takes the whole clone's lock.
    let state = state.again().await?;
    let ledger = Arc::new(state.ledger_of_shard(shard).await?);
    let before = state.before(job.look).await?;
    let report = pass_over(&job.spec, &shard.range, &before, &ledger).await?;
    state.clear_folder().await;
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_become_shards_of_the_same_size_that_leave_nothing_out() {
        let key = |number: usize| (number > 0 && number < 100).then(|| provider::Key::new(format!("{number:03}")));
        let piece = |number| (KeyRange { prefix: String::new(), after: key(number), through: key(number + 1) }, 10.0);
        for count in [1, 3, 7, 100, 1000] {
            let shards = together((0..100).map(piece).collect(), count);
            assert_eq!(shards.len(), count.min(100));
            assert_eq!(shards.iter().map(|(_, keys)| keys).sum::<u64>(), 1000);
            assert!(shards.first().is_some_and(|(range, _)| range.after.is_none()));
            assert!(shards.last().is_some_and(|(range, _)| range.through.is_none()));
            assert!(shards.windows(2).all(|pair| pair[0].0.through == pair[1].0.after));
            let sizes = shards.iter().map(|(_, keys)| *keys);
            assert!(sizes.clone().max().unwrap_or(0) - sizes.min().unwrap_or(0) <= 10);
        }
        let large = (KeyRange::default(), 1e9);
        assert_eq!(together(vec![large.clone()], 5).len(), 1);
        assert_eq!(together(vec![(KeyRange::default(), 0.0)], 5).len(), 1);
    }
}
