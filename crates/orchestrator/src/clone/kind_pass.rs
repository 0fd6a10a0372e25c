//! One kind of keys in one pass: many copies at once, results in the order of the keys.

use std::collections::BTreeMap;
use std::sync::Arc;

use provider::{Key, ObjectMeta};
use tokio::task::JoinSet;

use super::context::Context;
use super::copier::{Outcome, WhenChanged, copy};
use super::decision::{Decision, decide};
use super::inventory::{Inventory, InventoryEntry, InventoryWriter};
use super::order::Kind;
use super::report::CloneReport;
use super::{CloneError, Result};

/// Results that may wait for an earlier one, for each copy in flight: a large object doesn't stop the small ones.
const AHEAD_PER_COPY: usize = 64;
/// Keys of changed objects that are named.
const NAMED: usize = 20;

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
    /// Leave them to the final pass.
    Keep,
    /// Delete them.
    Delete,
}

/// Brings all keys of one kind up to date and adds them to the inventory.
pub(super) async fn run(
    context: &Arc<Context>,
    kind: Kind,
    known: Option<&Inventory>,
    manner: Manner,
    inventory: &mut InventoryWriter,
    report: &mut CloneReport,
) -> Result<()> {
    let mut pass = KindPass {
        context: Arc::clone(context),
        kind,
        manner,
        copies: JoinSet::new(),
        waiting: BTreeMap::new(),
        begun: 0,
        written: 0,
        extra: Vec::new(),
    };
    let mut decisions = decide(context, kind, known);
    let mut ended = false;
    loop {
        pass.write_in_order(inventory, report).await?;
        if ended && pass.copies.is_empty() {
            return pass.delete_extra(report).await;
        }
        let room = !ended && pass.has_room();
        tokio::select! {
            decision = decisions.next(), if room => match decision? {
                Some(decision) => pass.begin(decision, report).await?,
                None => ended = true,
            },
            Some(done) = pass.copies.join_next(), if !pass.copies.is_empty() => {
                let (number, key, outcome) =
                    done.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
                pass.end(number, key, outcome?, report).await?;
            }
        }
    }
}

struct KindPass {
    context: Arc<Context>,
    kind: Kind,
    manner: Manner,
    copies: JoinSet<(u64, Key, Result<Outcome>)>,
    /// Results by number, `None` for an object that belongs into no inventory.
    waiting: BTreeMap<u64, Option<InventoryEntry>>,
    begun: u64,
    written: u64,
    extra: Vec<Key>,
}

impl KindPass {
    fn has_room(&self) -> bool {
        let ahead = self.context.spec.concurrency.max(1).saturating_mul(AHEAD_PER_COPY) as u64;
        self.copies.len() < self.context.pace.limit() && self.begun - self.written < ahead
    }

    async fn begin(&mut self, decision: Decision, report: &mut CloneReport) -> Result<()> {
        match decision {
            Decision::Copy(object) => self.begin_copy(object),
            Decision::Skip(entry) => {
                self.context.spec.progress.skipped(entry.size);
                report.skipped += 1;
                self.waiting.insert(self.begun, Some(entry));
                self.begun += 1;
            }
            Decision::Extra(key) => self.mark_extra(key, report).await?,
        }
        Ok(())
    }

    fn begin_copy(&mut self, object: ObjectMeta) {
        let context = Arc::clone(&self.context);
        let (number, when_changed) = (self.begun, self.manner.when_changed);
        self.begun += 1;
        self.copies.spawn(async move {
            let key = object.key.clone();
            (number, key, copy(&context, object, when_changed).await)
        });
    }

    async fn end(&mut self, number: u64, key: Key, outcome: Outcome, report: &mut CloneReport) -> Result<()> {
        let gone = matches!(outcome, Outcome::Gone);
        let (entry, changed) = match outcome {
            Outcome::Copied { entry, changed } => {
                self.context.spec.progress.copied(entry.size);
                report.copied += 1;
                report.copied_bytes += entry.size;
                (Some(entry), changed)
            }
            Outcome::Left | Outcome::Gone => (None, true),
        };
        if changed {
            report.changed += 1;
            if report.changed_keys.len() < NAMED {
                report.changed_keys.push(key.to_string());
            }
        }
        self.waiting.insert(number, entry);
        // An earlier pass, or a copy whose reply was lost, may have left it in the clone.
        if gone { self.mark_extra(key, report).await } else { Ok(()) }
    }

    async fn write_in_order(&mut self, inventory: &mut InventoryWriter, report: &mut CloneReport) -> Result<()> {
        while let Some(entry) = self.waiting.remove(&self.written) {
            self.written += 1;
            if let Some(entry) = entry {
                report.objects += 1;
                report.bytes += entry.size;
                inventory.push(self.kind, entry).await?;
            }
        }
        Ok(())
    }

    async fn mark_extra(&mut self, key: Key, report: &mut CloneReport) -> Result<()> {
        if self.manner.extra == Extra::Keep {
            return Ok(());
        }
        self.extra.push(key);
        let most = self.context.spec.destination.capabilities().delete_keys.max(1);
        if self.extra.len() >= most { self.delete_extra(report).await } else { Ok(()) }
    }

    async fn delete_extra(&mut self, report: &mut CloneReport) -> Result<()> {
        let keys = std::mem::take(&mut self.extra);
        if keys.is_empty() {
            return Ok(());
        }
        let destination = &self.context.spec.destination;
        let delete = || async {
            for outcome in destination.delete(&keys).await? {
                outcome.result?;
            }
            Ok(())
        };
        self.context.call(delete).await.map_err(CloneError::at(destination.location()))?;
        report.deleted += keys.len() as u64;
        Ok(())
    }
}
