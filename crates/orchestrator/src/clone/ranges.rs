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
const WORTH_PAGES: f64 = 4.0;

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
    /// Whether it begins behind keys that are alike: where keys are in it, if any, can't be guessed before it is listed.
    behind_alike: bool,
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
        let open = match state.waiting.pop_front() {
            Some((range, dirty)) => Open::new(range, dirty, 0.0, false),
            None => state.steal(self.worth?)?,
        };
        let id = state.next;
        state.next += 1;
        let taken = Taken { id, range: open.range.clone(), dirty: open.dirty };
        state.open.insert(id, open);
        Some(taken)
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
        open.left = if ended { 0.0 } else { open.estimate() };
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

impl Open {
    fn new(range: KeyRange, dirty: bool, left: f64, behind_alike: bool) -> Self {
        Self { range, dirty, first: None, cursor: None, seen: 0, left, behind_alike }
    }

    /// Keys that are left, if they are spread as those so far.
    fn estimate(&self) -> f64 {
        match (&self.first, &self.cursor) {
            (Some(first), Some(cursor)) => self.seen as f64 * self.range.times_left(first, cursor),
            _ => 0.0,
        }
    }

    /// Gives up what comes behind a key.
    fn cut_at(&mut self, at: Key, left: f64, behind_alike: bool) -> Self {
        let upper = KeyRange {
            prefix: self.range.prefix.clone(),
            after: Some(at.clone()),
            through: self.range.through.replace(at),
        };
        Self::new(upper, self.dirty, left, behind_alike)
    }
}

impl State {
    /// The upper part of the range that has most left.
    fn steal(&mut self, worth: f64) -> Option<Open> {
        loop {
            let most = |one: &&mut Open, other: &&mut Open| one.left.total_cmp(&other.left);
            let victim = self.open.values_mut().filter(|open| open.left >= worth).max_by(most)?;
            let alike = match (&victim.first, &victim.cursor) {
                (Some(first), Some(cursor)) => victim.range.end_of_alike(first, cursor),
                _ if victim.behind_alike => victim.range.end_of_less_alike(),
                _ => None,
            };
            if let Some(cut) = alike {
                let upper = victim.cut_at(cut, victim.left, true);
                victim.left = victim.estimate();
                return Some(upper);
            }
            let guess =
                (victim.cursor.is_some() || !victim.behind_alike).then(|| victim.range.middle(victim.cursor.as_ref()));
            if let Some(middle) = guess.flatten() {
                victim.left /= 2.0;
                return Some(victim.cut_at(middle, victim.left, false));
            }
            // Nobody can tell where to cut it before more of it is listed.
            victim.left = 0.0;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeMap;

    use provider::{ContentHeaders, ObjectVersion};

    use super::*;

    fn page(keys: &[&str]) -> Vec<ObjectMeta> {
        let object = |key: &&str| ObjectMeta {
            key: (*key).into(),
            size: 1,
            version: ObjectVersion("v".to_owned()),
            modified: None,
            checksum: None,
            headers: ContentHeaders::default(),
            metadata: BTreeMap::new(),
        };
        keys.iter().map(object).collect()
    }

    /// Ranges never overlap and leave nothing out, however they are cut.
    fn assert_whole(taken: &[Taken], ranges: &Ranges) {
        let mut ends: Vec<(Option<Key>, Option<Key>)> =
            taken.iter().map(|taken| (taken.range.after.clone(), ranges.through(taken.id))).collect();
        ends.sort();
        assert_eq!(ends[0].0, None);
        for pair in ends.windows(2) {
            assert_eq!(pair[0].1, pair[1].0);
        }
        assert_eq!(ends.last().unwrap().1, None);
    }

    #[test]
    fn idle_listers_find_the_keys_that_are_alike_at_once() {
        let ranges = Ranges::new(vec![(KeyRange::default(), false)], Some(1));
        let mut taken = vec![ranges.take().unwrap()];
        assert_eq!(ranges.take(), None, "nothing is known yet");
        let mut first = page(&["pach/block/00", "pach/block/04", "pach/block/08", "pach/block/0c"]);
        assert!(!ranges.advance(taken[0].id, &mut first, false));
        while let Some(more) = ranges.take() {
            taken.push(more);
            assert!(taken.len() < 100);
        }
        assert_whole(&taken, &ranges);
        let begins_inside =
            |taken: &&Taken| taken.range.after.as_ref().is_some_and(|after| after.as_str().starts_with("pach/block/0"));
        assert!(taken.iter().filter(begins_inside).count() > 1, "{taken:?}");
    }

    #[test]
    fn a_page_is_cut_where_the_range_ends_by_now() {
        let ranges = Ranges::new(vec![(KeyRange::default(), false)], Some(1));
        let first = ranges.take().unwrap();
        ranges.advance(first.id, &mut page(&["a", "b"]), false);
        let second = ranges.take().unwrap();
        let end = second.range.after.clone().unwrap();
        let mut behind = page(&["c", &format!("{end}x")]);
        assert!(ranges.advance(first.id, &mut behind, false));
        assert_eq!(behind.len(), usize::from("c" <= end.as_str()));
        ranges.finish(first.id);
        assert!(!ranges.is_finished());
        assert!(ranges.advance(second.id, &mut Vec::new(), true));
        ranges.finish(second.id);
        assert!(ranges.is_finished() && ranges.take().is_none());
    }
}
