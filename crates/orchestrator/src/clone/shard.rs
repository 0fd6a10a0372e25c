//! One shard: the keys of one range are decided about, copied, and written into the inventory.

use std::sync::Arc;
use std::vec::IntoIter;

use futures::future::FutureExt;
use futures::stream::{FuturesUnordered, StreamExt};
use provider::{Key, ObjectMeta};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::Result;
use super::context::Context;
use super::copier::{Outcome, WhenChanged, copy};
use super::decision::{AfterTheLast, Decider, Decision, What};
use super::feed::Feed;
use super::groups::Group;
use super::known::Known;
use super::lanes::{Lane, NoLane};
use super::ledger::Ledger;
use super::lister::list_shared;
use super::ranges::{Ranges, Taken};
use super::recorder::{Recorded, Recorder, Settled};
use super::worker::Worker;

/// Keys that are decided about at once, and as many ahead: fewer than a page, for a decision is larger than what was listed.
const DECIDED_AT_ONCE: usize = 256;

/// What all shards of one group of keys share.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) group: Group,
    pub(super) known: Known,
    pub(super) ranges: Arc<Ranges>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) when_changed: WhenChanged,
    /// Whether keys that only the clone has stay, so that the inventory has to name them.
    pub(super) keep: bool,
}

/// Brings the keys of a range up to date and records them.
pub(super) async fn run(worker: &Worker, context: Context, job: &Job, taken: Taken) -> Result<Recorded> {
    let mut recorder = Recorder::new(context.clone(), job, &taken.range);
    let mut decisions = decide(worker, &context, job, &taken);
    let mut waiting = Waiting::default();
    let mut copies = FuturesUnordered::new();
    let mut extra = None;
    let mut was_freed_for_us = false;
    loop {
        let blocked = begin(worker, &context, job, &mut waiting, &mut recorder, &copies);
        if std::mem::take(&mut was_freed_for_us) && blocked == Some(NoLane::Pace) {
            worker.lanes.pass_on();
        }
        recorder.write_in_order().await?;
        let hungry = waiting.is_empty() && extra.is_none();
        if hungry {
            worker.waits(&context.distance);
        } else if waiting.is_empty() && copies.is_empty() {
            break;
        }
        tokio::select! {
            biased;
            Some((number, settled)) = copies.next(), if !copies.is_empty() => {
                recorder.settle(number, settled?);
                while let Some(Some((number, settled))) = copies.next().now_or_never() {
                    recorder.settle(number, settled?);
                }
            }
            decided = decisions.next(), if hungry => match decided? {
                Some(Decided::Keys(keys, room)) => waiting.refill(worker, keys, room),
                Some(Decided::End(after_the_last)) => extra = Some(after_the_last),
                None => extra = extra.or(Some(AfterTheLast::default())),
            },
            () = worker.lanes.freed(), if blocked == Some(NoLane::Full) => was_freed_for_us = true,
            // A pace that all share is freed by others too.
            () = context.pace.one_landed(), if blocked == Some(NoLane::Pace) => {}
        }
    }
    let through = job.ranges.through(taken.id);
    let recorded = recorder.finish(extra.unwrap_or_default(), through).await?;
    job.ranges.finish(taken.id);
    Ok(recorded)
}

type Copying = std::pin::Pin<Box<dyn Future<Output = (u64, Result<Settled>)> + Send>>;

/// Begins as many keys as there is room for. Answers what keeps the next one from being copied.
fn begin(
    worker: &Worker,
    context: &Context,
    job: &Job,
    waiting: &mut Waiting,
    recorder: &mut Recorder,
    copies: &FuturesUnordered<Copying>,
) -> Option<NoLane> {
    while recorder.has_room() {
        let decision = waiting.next(worker)?;
        match decision.what {
            What::Skip(entry) => {
                let settled = Settled::There { entry, copied: false, changed: false };
                recorder.begin(decision.extra_before, Some(settled));
            }
            What::Keep(entry) => {
                recorder.begin(decision.extra_before, Some(Settled::Kept(entry)));
            }
            What::Copy(object, renamed) => match worker.lanes.take(&context.pace, &context.distance) {
                Ok(lane) => {
                    let number = recorder.begin(decision.extra_before, None);
                    copies.push(copy_in(lane, context.clone(), object, renamed, job.when_changed, number).boxed());
                }
                Err(why) => {
                    let extra_before = decision.extra_before;
                    waiting.put_back(worker, Decision { what: What::Copy(object, renamed), extra_before });
                    return Some(why);
                }
            },
        }
    }
    None
}

async fn copy_in(
    lane: Lane,
    context: Context,
    object: ObjectMeta,
    renamed: Option<Key>,
    when_changed: WhenChanged,
    number: u64,
) -> (u64, Result<Settled>) {
    let settled = match copy(&context, object, renamed.clone(), when_changed).await {
        Ok(Outcome::Copied { entry, changed }) => Ok(Settled::There { entry, copied: true, changed }),
        Ok(Outcome::Left(key) | Outcome::Gone(key)) => Ok(Settled::Changed(key, renamed)),
        Err(error) => Err(error),
    };
    drop(lane);
    (number, settled)
}

enum Decided {
    /// What to do with the next keys, and the room that they take of the worker's stock.
    Keys(Vec<Decision>, Option<OwnedSemaphorePermit>),
    /// This comes after the last key.
    End(AfterTheLast),
}

/// Begins to list a range and to decide about its keys.
fn decide(worker: &Worker, context: &Context, job: &Job, taken: &Taken) -> Feed<Decided> {
    let mut decider = Decider::new(context.clone(), job.group.clone(), &job.known, &taken.range, taken.dirty, job.keep);
    let mut pages = list_shared(context, &job.ranges, taken, &worker.stock);
    let (ranges, id) = (Arc::clone(&job.ranges), taken.id);
    Feed::start(1, move |decided: mpsc::Sender<Decided>| async move {
        while let Some((page, mut room)) = pages.next().await? {
            let mut page = page.into_iter();
            while page.len() > 0 {
                let Ok(place) = decided.reserve().await else { return Ok(()) };
                let keys = page.len().min(DECIDED_AT_ONCE);
                let room = room.split(keys.min(room.num_permits()));
                place.send(Decided::Keys(decider.decide(page.by_ref().take(keys)).await?, room));
            }
        }
        let (kept, rest) = decider.finish(ranges.through(id).as_ref()).await?;
        let _ = decided.send(Decided::Keys(kept, None)).await;
        let _ = decided.send(Decided::End(rest)).await;
        Ok(())
    })
}

/// Decisions that are not begun yet; the worker knows how many there are in all.
#[derive(Default)]
struct Waiting {
    keys: IntoIter<Decision>,
    first: Option<Decision>,
    /// Given back when they are begun.
    room: Option<OwnedSemaphorePermit>,
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.first.is_none() && self.keys.len() == 0
    }

    fn refill(&mut self, worker: &Worker, keys: Vec<Decision>, room: Option<OwnedSemaphorePermit>) {
        worker.brought(keys.len());
        self.room = room.filter(|_| !keys.is_empty());
        self.keys = keys.into_iter();
    }

    fn next(&mut self, worker: &Worker) -> Option<Decision> {
        let next = self.first.take().or_else(|| self.keys.next())?;
        worker.begun();
        if self.keys.len() == 0 {
            self.room = None;
        }
        Some(next)
    }

    fn put_back(&mut self, worker: &Worker, decision: Decision) {
        worker.queued(1);
        self.first = Some(decision);
    }
}
