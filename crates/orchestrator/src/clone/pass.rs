//! One pass over a clone: group by group, and at the end what only the clone has.

use std::sync::Arc;

use super::context::Context;
use super::copier::WhenChanged;
use super::extras::{self, Stretch};
use super::groups::{Group, groups};
use super::inventory::{Inventory, InventoryPart};
use super::known::{Before, Known};
use super::ledger::Ledger;
use super::order::Kind;
use super::range::KeyRange;
use super::ranges::Ranges;
use super::report::{ClonePass, CloneReport};
use super::shard::Job;
use super::threads::Threads;
use super::{CloneError, CloneSpec, Result, destination};

/// Keys that only the clone has, up to which their share doesn't matter.
const ALWAYS_ALLOWED: u64 = 100;

/// How a pass treats what it finds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// What to do with objects that changed since they were listed.
    pub(super) when_changed: WhenChanged,
    /// What to do with keys that only the clone has.
    pub(super) extra: Extra,
}

/// What to do with keys that only the clone has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extra {
    /// Leave them there.
    Ignore,
    /// Leave them to the final pass, unless they are too many for it.
    Keep,
    /// Delete them.
    Delete,
}

/// What is found so far.
#[derive(Default)]
struct Found {
    parts: Vec<InventoryPart>,
    /// Stretches that hold keys which only the clone has.
    stretches: Vec<Stretch>,
    report: CloneReport,
}

/// A clone that was looked at, so that a pass over it can begin.
pub(super) struct Looked {
    context: Context,
    known: Known,
}

impl Looked {
    /// Looks at the clone as far as that is needed. Writes nothing.
    pub(super) async fn at(spec: &CloneSpec, before: &Before, ledger: &Ledger) -> Result<Self> {
        let context = Context::of_pass(spec, ledger);
        destination::ensure_apart(&context)?;
        let known = look(&context, before, ledger.is_resumed()).await?;
        Ok(Self { context, known })
    }
}

/// One pass over some kinds, in the order given.
pub(super) async fn pass(looked: Looked, kinds: &[Kind], manner: Manner, ledger: &Arc<Ledger>) -> Result<ClonePass> {
    let Looked { context, known } = looked;
    let spec = Arc::clone(&context.spec);
    ledger.begin().await?;
    let mut found = Found::default();
    for part in ledger.finished_parts() {
        found.add_part(part.clone(), &known, true);
    }
    let mut threads = Threads::start(&context)?;
    for group in groups(&spec.order, kinds, spec.in_turn) {
        go_through(&context, group, &known, manner, ledger, &mut threads, &mut found).await?;
    }
    let Found { parts, mut stretches, mut report } = found;
    let inventory = Inventory::of(parts);
    if manner.extra != Extra::Ignore {
        ensure_few(&context, &known, &report)?;
    }
    if manner.extra == Extra::Delete && !stretches.is_empty() {
        // The kinds in their order, so that nothing points to what is deleted before it.
        stretches.sort_by_key(|stretch| stretch.group);
        report.deleted = extras::delete(&context, &known, &inventory, stretches).await?;
    }
    context.copies.give_up_rest(&*spec.destination).await;
    report.requests = context.requests();
    Ok(ClonePass { report, inventory })
}

/// What one shard of a plan does of a pass: its keys are brought up to date and recorded. Keys that only the clone has stay, and
/// are recorded too.
pub(super) async fn pass_over(
    spec: &CloneSpec,
    range: &KeyRange,
    before: &Before,
    ledger: &Arc<Ledger>,
) -> Result<CloneReport> {
    let context = Context::of_pass(spec, ledger);
    // The place was looked at when the plan was made.
    let known = look(&context, before, true).await?;
    ledger.begin().await?;
    let mut found = Found::default();
    let is_inside = |part: &&InventoryPart| part.facts.ends.as_ref().is_some_and(|(first, _)| range.contains(first));
    for part in ledger.finished_parts().iter().filter(is_inside) {
        found.add_part(part.clone(), &known, true);
    }
    let mut threads = Threads::start(&context)?;
    let manner = Manner { when_changed: WhenChanged::LookAgain, extra: Extra::Keep };
    for mut group in groups(&spec.order, &Kind::ALL, false) {
        group.ranges = group.ranges.into_iter().map(|own| own.within(range)).filter(|own| !own.is_empty()).collect();
        go_through(&context, group, &known, manner, ledger, &mut threads, &mut found).await?;
    }
    found.report.requests = context.requests();
    Ok(found.report)
}

/// What is known of the clone, after a look at it where that is needed. `resumed` when the pass goes on that wrote there.
pub(super) async fn look(context: &Context, before: &Before, resumed: bool) -> Result<Known> {
    match before {
        Before::Recorded(inventory) => Ok(Known::Recorded(inventory.clone())),
        Before::Touched(inventory) => Ok(Known::Listed(Some(inventory.clone()))),
        // What is there was written by the pass that goes on here, and the place was looked at when that began.
        Before::Unknown if resumed => Ok(Known::Empty),
        Before::Unknown if destination::is_empty(context).await? => Ok(Known::Empty),
        Before::Unknown => destination::ensure_ours(context).await.map(|()| Known::Listed(None)),
    }
}

async fn go_through(
    context: &Context,
    group: Group,
    known: &Known,
    manner: Manner,
    ledger: &Arc<Ledger>,
    threads: &mut Threads,
    found: &mut Found,
) -> Result<()> {
    let finished = ledger.finished_ranges(group.number);
    let left = group.ranges.iter().flat_map(|range| range.without(&finished));
    let ranges = left.map(|range| (range, ledger.is_resumed())).collect();
    let source = context.spec.source.capabilities();
    let job = Arc::new(Job {
        group,
        known: known.clone(),
        ranges: Arc::new(Ranges::of(&source, ranges)),
        ledger: Arc::clone(ledger),
        when_changed: manner.when_changed,
        keep: manner.extra != Extra::Delete,
    });
    for recorded in threads.work(context, &job).await? {
        for part in recorded.parts {
            found.add_part(part, known, ledger.is_resumed());
        }
        for facts in recorded.bare {
            found.report.add(0, &facts);
            found.stretches.extend(Stretch::of(&facts, known, ledger.is_resumed()));
        }
        for key in recorded.changed_keys {
            found.report.name_changed(key);
        }
    }
    Ok(())
}

impl Found {
    fn add_part(&mut self, part: InventoryPart, known: &Known, was_dirty: bool) {
        self.report.add(part.objects, &part.facts);
        self.stretches.extend(Stretch::of(&part.facts, known, was_dirty));
        self.parts.push(part);
    }
}

/// Refuses to delete more than the share that was set.
fn ensure_few(context: &Context, known: &Known, report: &CloneReport) -> Result<()> {
    let objects = known.inventory().map_or(report.objects + report.extra, Inventory::objects);
    let share = context.spec.most_deletes;
    if report.extra <= ALWAYS_ALLOWED || report.extra as f64 <= objects as f64 * share {
        return Ok(());
    }
    let destination = context.spec.destination.location();
    Err(CloneError::TooManyDeletes { destination, extra: report.extra, objects, share })
}
