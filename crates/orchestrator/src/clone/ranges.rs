//! Which ranges are being listed, and who may take half of whose.
//!
//! An idle lister takes a range that waits, else the upper half of the range that has most left, as far as that can be told
//! from the keys that were seen. A range that is empty costs one request and is never asked for again.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use provider::{Key, ObjectMeta};
use tokio::sync::Notify;

use super::range::KeyRange;

/// Pages that a range must have left, as far as can be told, before another lister takes half of it.
const WORTH_PAGES: f64 = 2.0;

/// A range that a lister has to itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    /// Tells ranges of one pass apart.
    pub(super) id: u64,
    /// As it was when it was taken; the end may come nearer.
    pub(super) range: KeyRange,
    /// Whether an interrupted pass may have written here what no inventory tells of.
    pub(super) dirty: bool,
}

/// All ranges of one listing.
#[derive(Debug)]
pub(super) struct Ranges {
    state: Mutex<State>,
    changed: Notify,
    /// Keys that must be left at least; `None` where a listing can't begin in the middle.
    worth: Option<f64>,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<(KeyRange, bool)>,
    open: BTreeMap<u64, Open>,
    next: u64,
}

#[derive(Debug)]
struct Open {
    range: KeyRange,
    dirty: bool,
    first: Option<Key>,
    cursor: Option<Key>,
    seen: u64,
    /// Keys that are left, as far as can be told.
    left: f64,
}

impl Ranges {
    /// Ranges to list, each with whether it is dirty. With `page_keys`, they may be cut.
    pub(super) fn new(ranges: Vec<(KeyRange, bool)>, page_keys: Option<usize>) -> Self {
        Self {
            state: Mutex::new(State { waiting: ranges.into(), ..State::default() }),
            changed: Notify::new(),
            worth: page_keys.map(|keys| WORTH_PAGES * keys.max(1) as f64),
        }
    }

    /// A range to list: one that waits, or half of another lister's.
    pub(super) fn take(&self) -> Option<Taken> {
        let mut state = self.state();
        let (range, dirty, left) = match state.waiting.pop_front() {
            Some((range, dirty)) => (range, dirty, 0.0),
            None => state.steal(self.worth?)?,
        };
        let id = state.next;
        state.next += 1;
        let open = Open { range: range.clone(), dirty, first: None, cursor: None, seen: 0, left };
        state.open.insert(id, open);
        Some(Taken { id, range, dirty })
    }

    /// Notes a page of a range, cut to where the range ends by now. Answers whether it was the last one.
    pub(super) fn advance(&self, id: u64, page: &mut Vec<ObjectMeta>, was_last: bool) -> bool {
        let mut state = self.state();
        let Some(open) = state.open.get_mut(&id) else { return true };
        let fetched = page.len();
        if let Some(through) = &open.range.through {
            page.truncate(page.partition_point(|object| object.key <= *through));
        }
        let ended = was_last
            || page.len() < fetched
            || page.last().map(|last| &last.key) == open.range.through.as_ref() && !page.is_empty();
        if let (Some(first), Some(last)) = (page.first(), page.last()) {
            open.first.get_or_insert_with(|| first.key.clone());
            open.cursor = Some(last.key.clone());
            open.seen += page.len() as u64;
        }
        open.left = match (&open.first, &open.cursor) {
            (Some(first), Some(cursor)) if !ended => open.seen as f64 * open.range.times_left(first, cursor),
            _ => 0.0,
        };
        drop(state);
        self.changed.notify_waiters();
        ended
    }

    /// The end of a range by now.
    pub(super) fn through(&self, id: u64) -> Option<Key> {
        self.state().open.get(&id).and_then(|open| open.range.through.clone())
    }

    /// A range is listed and everything in it done.
    pub(super) fn finish(&self, id: u64) {
        self.state().open.remove(&id);
        self.changed.notify_waiters();
    }

    /// Whether nothing is left to take, now or later.
    pub(super) fn is_finished(&self) -> bool {
        let state = self.state();
        state.waiting.is_empty() && state.open.is_empty()
    }

    /// Waits until there may be something to take, or nothing is left. To be made before looking.
    pub(super) fn changed(&self) -> tokio::sync::futures::Notified<'_> {
        self.changed.notified()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The upper half of the range that has most left.
    fn steal(&mut self, worth: f64) -> Option<(KeyRange, bool, f64)> {
        let victim = self
            .open
            .values_mut()
            .filter(|open| open.left >= worth)
            .max_by(|one, other| one.left.total_cmp(&other.left))?;
        let Some(middle) = victim.range.middle(victim.cursor.as_ref()) else {
            // Its keys differ too far behind to be told apart here.
            victim.left = 0.0;
            return self.steal(worth);
        };
        let upper = KeyRange {
            prefix: victim.range.prefix.clone(),
            after: Some(middle.clone()),
            through: victim.range.through.replace(middle),
        };
        victim.left /= 2.0;
        Some((upper, victim.dirty, victim.left))
    }
}
