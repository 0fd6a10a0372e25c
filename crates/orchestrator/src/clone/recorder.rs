//! Brings results into the order of their keys and writes them into parts of the inventory.
//!
//! Whatever is in a part is in the clone. A part is kept in the ledger when it is whole; a crash before that loses what came
//! after the part before it.

use std::collections::VecDeque;
use std::sync::Arc;

use provider::Key;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::Result;
use super::context::Context;
use super::decision::AfterTheLast;
use super::inventory::{GROUP_ROWS, InventoryEntry, InventoryPart, PartFacts, PartWriter};
use super::ledger::Ledger;
use super::range::KeyRange;
use super::shard::Job;

/// Results that may wait for an earlier one: a large object doesn't stop the small ones.
const AHEAD: usize = 4096;
/// Rows in one part.
const PART_ROWS: u64 = 1 << 16;

/// What became of one key.
#[derive(Debug)]
pub(super) enum Settled {
    /// The clone has it.
    There {
        entry: InventoryEntry,
        /// Whether this pass copied it.
        copied: bool,
        /// Whether it is another version than the one listed.
        changed: bool,
    },
    /// It changed or vanished; the clone may have an earlier copy, under the second key if it is another one.
    Changed(Key, Option<Key>),
    /// Only the clone has it, and there it stays for now.
    Kept(InventoryEntry),
}

/// Writes the inventory of one shard.
pub(super) struct Recorder {
    context: Context,
    ledger: Arc<Ledger>,
    group: u8,
    keep: bool,
    prefix: String,
    /// Names the shard's parts.
    shard: String,
    parts_begun: u32,
    from: Option<Key>,
    last: Option<Key>,
    window: VecDeque<Slot>,
    first: u64,
    rows: Vec<InventoryEntry>,
    writer: Option<JoinHandle<Result<PartWriter>>>,
    written: u64,
    facts: PartFacts,
    began: Instant,
    done: Recorded,
}

struct Slot {
    extra_before: u64,
    settled: Option<Settled>,
}

/// What a shard left.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    pub(super) parts: Vec<InventoryPart>,
    /// Facts of stretches without an object.
    pub(super) bare: Vec<PartFacts>,
    pub(super) changed_keys: Vec<String>,
}

impl Recorder {
    /// Begins with a range.
    pub(super) fn new(context: Context, job: &Job, range: &KeyRange) -> Self {
        Self {
            context,
            ledger: Arc::clone(&job.ledger),
            group: job.group.number,
            keep: job.keep,
            prefix: range.prefix.clone(),
            shard: job.ledger.next_shard(),
            parts_begun: 0,
            from: range.after.clone(),
            last: None,
            window: VecDeque::new(),
            first: 0,
            rows: Vec::new(),
            writer: None,
            written: 0,
            facts: PartFacts::default(),
            began: Instant::now(),
            done: Recorded::default(),
        }
    }

    /// Whether another key may be begun.
    pub(super) fn has_room(&self) -> bool {
        self.window.len() < AHEAD
    }

    /// Begins a key; keys are begun in their order. Answers with the number under which it is settled.
    pub(super) fn begin(&mut self, extra_before: u64, settled: Option<Settled>) -> u64 {
        self.window.push_back(Slot { extra_before, settled });
        self.first + self.window.len() as u64 - 1
    }

    /// Settles a key.
    pub(super) fn settle(&mut self, number: u64, settled: Settled) {
        let at = usize::try_from(number - self.first).unwrap_or(usize::MAX);
        if let Some(slot) = self.window.get_mut(at) {
            slot.settled = Some(settled);
        }
    }

    /// Writes what is settled and has nothing unsettled before it. Ends a part that is large or old enough.
    pub(super) async fn write_in_order(&mut self) -> Result<()> {
        while self.window.front().is_some_and(|slot| slot.settled.is_some()) {
            let Some(Slot { extra_before, settled: Some(settled) }) = self.window.pop_front() else { break };
            self.first += 1;
            self.facts.extra += extra_before;
            self.add(settled);
            if self.rows.len() >= GROUP_ROWS {
                self.write_rows().await?;
            }
        }
        let is_old = self.began.elapsed() >= self.context.spec.checkpoint;
        if self.last.is_some() && (is_old || self.written >= PART_ROWS) {
            let through = self.last.clone();
            self.end_part(through).await?;
        }
        Ok(())
    }

    /// Ends the shard: everything is settled. `through` is where it ends by now.
    pub(super) async fn finish(mut self, rest: AfterTheLast, through: Option<Key>) -> Result<Recorded> {
        self.write_in_order().await?;
        self.facts.extra += rest.extra;
        self.facts.maybe_more |= rest.maybe_more;
        self.end_part(through).await?;
        Ok(self.done)
    }

    fn add(&mut self, settled: Settled) {
        let progress = &self.context.spec.progress;
        match settled {
            Settled::There { entry, copied, changed } => {
                self.facts.bytes += entry.size;
                if copied {
                    progress.copied(entry.size);
                    self.facts.copied += 1;
                    self.facts.copied_bytes += entry.size;
                } else {
                    progress.skipped(entry.size);
                    self.facts.skipped += 1;
                }
                if changed {
                    self.facts.changed += 1;
                    self.done.changed_keys.push(entry.source_key.to_string());
                }
                self.last = Some(entry.source_key.clone());
                self.rows.push(entry);
            }
            Settled::Changed(key, renamed) => {
                self.facts.changed += 1;
                self.done.changed_keys.push(key.to_string());
                self.last = Some(key.clone());
                // An earlier pass, or a copy whose reply was lost, may have left it in the clone.
                if self.keep {
                    self.facts.kept += 1;
                    self.rows.push(InventoryEntry::unknown(key, renamed));
                } else {
                    self.facts.maybe_more = true;
                }
            }
            Settled::Kept(entry) => {
                self.facts.extra += 1;
                self.facts.kept += 1;
                self.last = Some(entry.source_key.clone());
                self.rows.push(entry);
            }
        }
    }

    /// Hands rows to the writer's thread, once it is done with those before.
    async fn write_rows(&mut self) -> Result<()> {
        let rows = std::mem::take(&mut self.rows);
        if rows.is_empty() {
            return Ok(());
        }
        self.rows.reserve(GROUP_ROWS);
        let ends =
            |rows: &[InventoryEntry]| Some((rows.first()?.source_key.to_string(), rows.last()?.source_key.to_string()));
        if let Some((first, last)) = ends(&rows) {
            let first = self.facts.ends.take().map_or(first, |(first, _)| first);
            self.facts.ends = Some((first, last));
        }
        self.written += rows.len() as u64;
        let writer = match self.writer.take() {
            Some(writer) => Some(joined(writer).await?),
            None => None,
        };
        let (folder, name) = (self.ledger.folder().to_owned(), self.next_name());
        self.writer = Some(tokio::task::spawn_blocking(move || {
            let mut writer = match writer {
                Some(writer) => writer,
                None => PartWriter::create(&folder, &name, &rows)?,
            };
            writer.write(&rows)?;
            Ok(writer)
        }));
        Ok(())
    }

    /// Ends the part: it speaks for everything up to `through`.
    async fn end_part(&mut self, through: Option<Key>) -> Result<()> {
        self.write_rows().await?;
        let mut facts = std::mem::take(&mut self.facts);
        facts.group = self.group;
        facts.range = KeyRange { prefix: self.prefix.clone(), after: self.from.take(), through: through.clone() };
        (self.from, self.last, self.written, self.began) = (through, None, 0, Instant::now());
        match self.writer.take() {
            Some(writer) => {
                let writer = joined(writer).await?;
                self.parts_begun += 1;
                let part = joined(tokio::task::spawn_blocking(move || writer.close(facts))).await?;
                self.ledger.keep(&part).await?;
                self.done.parts.push(part);
            }
            None => self.done.bare.push(facts),
        }
        Ok(())
    }

    fn next_name(&self) -> String {
        format!("part-{}-{}-{:05}.parquet", self.group, self.shard, self.parts_begun)
    }
}

async fn joined<T>(thread: JoinHandle<Result<T>>) -> Result<T> {
    thread.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}
