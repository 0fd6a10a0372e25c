//! Which ranges are being listed, and who may take half of whose.
//!
//! An idle lister takes a range that waits, else the upper half of the range that has most left, as far as that can be told
//! from the keys that were seen. A range that is empty costs one request and is never asked for again.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use provider::{BucketCapabilities, Key, ListingStart, ObjectMeta};
use tokio::sync::Notify;

use super::alphabet::Alphabet;
use super::range::KeyRange;

/// Pages that a range must have left, as far as can be told, before another lister takes half of it: each range costs a page
/// that is not full and a part of the inventory.
const WORTH_PAGES: usize = 3;
/// Share of that which is worth it for a lister who would else have nothing to do.
const IDLE_SHARE: f64 = 0.5;

/// A range that a lister has to itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    /// Tells ranges of one pass apart.
    pub(super) id: u64,
    /// As it was when it was taken; the end may come nearer.
    pub(super) range: KeyRange,
    /// Whether an interrupted pass may have written here what no inventory tells of.
    pub(super) dirty: bool,
    /// Whether it may well be empty: what comes behind keys that are alike.
    pub(super) unsure: bool,
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
    /// First and last of the keys that were listed last, and how many they are.
    sample: Option<(Key, Key, usize)>,
    seen: u64,
    /// What its keys are made of, as far as they are listed.
    alphabet: Alphabet,
    /// Keys that are left, as far as can be told; infinite where what comes behind keys that are alike was not looked at.
    left: f64,
}

impl Ranges {
    /// Ranges of a store to list, each with whether it is dirty.
    pub(super) fn of(store: &BucketCapabilities, ranges: Vec<(KeyRange, bool)>) -> Self {
        let may_be_cut = store.listing_start == ListingStart::AfterAnyKey;
        Self::new(ranges, may_be_cut.then_some(WORTH_PAGES * store.page_keys))
    }

    /// Ranges to list, each with whether it is dirty. With `worth`, one that has so many keys left may be cut.
    pub(super) fn new(ranges: Vec<(KeyRange, bool)>, worth: Option<usize>) -> Self {
        Self {
            state: Mutex::new(State { waiting: ranges.into(), ..State::default() }),
            changed: Notify::new(),
            worth: worth.map(|keys| keys.max(1) as f64),
        }
    }

    /// A range to list: one that waits, or half of another lister's. Who is `idle` takes smaller ones.
    pub(super) fn take(&self, idle: bool) -> Option<Taken> {
        let mut state = self.state();
        let (open, unsure) = match state.waiting.pop_front() {
            Some((range, dirty)) => (Open::new(range, dirty, Alphabet::default(), 0.0), false),
            None => state.steal(if idle { self.worth? * IDLE_SHARE } else { self.worth? })?,
        };
        let id = state.next;
        state.next += 1;
        let taken = Taken { id, range: open.range.clone(), dirty: open.dirty, unsure };
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
        // Another kind of keys may have begun on this page, so its end tells what comes next.
        let sample = &page[page.len() / 2..];
        if let (Some(first), Some(last)) = (sample.first(), sample.last()) {
            open.sample = Some((first.key.clone(), last.key.clone(), sample.len()));
            open.alphabet.learn(sample);
        }
        open.seen += page.len() as u64;
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

    /// The ranges that were taken, each with about how many keys it has, in the order of their keys.
    pub(super) fn estimates(&self) -> Vec<(KeyRange, f64)> {
        let state = self.state();
        let mut all: Vec<_> =
            state.open.values().map(|open| (open.range.clone(), open.seen as f64 + open.left)).collect();
        all.sort_by(|(one, _), (other, _)| one.after.cmp(&other.after));
        all
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
    fn new(range: KeyRange, dirty: bool, alphabet: Alphabet, left: f64) -> Self {
        Self { range, dirty, sample: None, seen: 0, alphabet, left }
    }

    /// Keys that are left, if they are spread as the last ones.
    fn estimate(&self) -> f64 {
        let Some((first, cursor, keys)) = &self.sample else { return 0.0 };
        if self.end_of_alike().is_some() {
            return f64::INFINITY;
        }
        *keys as f64 * self.range.times_left(first, cursor, &self.alphabet)
    }

    fn end_of_alike(&self) -> Option<Key> {
        let (first, cursor, _) = self.sample.as_ref()?;
        self.range.end_of_alike(first, cursor, &self.alphabet)
    }

    /// Gives up what comes behind a key.
    fn cut_at(&mut self, at: Key, alphabet: Alphabet, left: f64) -> Self {
        let upper = KeyRange {
            prefix: self.range.prefix.clone(),
            after: Some(at.clone()),
            through: self.range.through.replace(at),
        };
        Self::new(upper, self.dirty, alphabet, left)
    }
}

impl State {
    /// The upper part of the range that has most left, and whether it may well be empty.
    fn steal(&mut self, worth: f64) -> Option<(Open, bool)> {
        loop {
            let most = |one: &&mut Open, other: &&mut Open| one.left.total_cmp(&other.left);
            let victim = self.open.values_mut().filter(|open| open.left >= worth).max_by(most)?;
            if let Some(cut) = victim.end_of_alike() {
                // Where keys are behind it, if any, is not known before it is listed.
                let behind = victim.cut_at(cut, Alphabet::default(), 0.0);
                victim.left = victim.estimate();
                return Some((behind, true));
            }
            let cursor = victim.sample.as_ref().map(|(_, cursor, _)| cursor);
            if let Some(middle) = victim.range.middle(cursor, &victim.alphabet) {
                victim.left /= 2.0;
                return Some((victim.cut_at(middle, victim.alphabet.clone(), victim.left), false));
            }
            // Nobody can tell where to cut it before more of it is listed.
            victim.left = 0.0;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) mod tests {
    use provider::ObjectVersion;

    use super::*;

    pub(in crate::clone) fn page(keys: &[&str]) -> Vec<ObjectMeta> {
        let object = |key: &&str| ObjectMeta {
            key: (*key).into(),
            size: 1,
            version: ObjectVersion("v".to_owned()),
            modified: None,
            checksum: None,
            class: None,
            details: None,
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
        let ranges = Ranges::new(vec![(KeyRange::default(), false)], Some(6));
        let mut taken = vec![ranges.take(false).unwrap()];
        assert_eq!(ranges.take(false), None, "nothing is known yet");
        let keys: Vec<String> = (0..32).map(|number| format!("pach/block/{number:02x}")).collect();
        let mut first = page(&keys.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(!ranges.advance(taken[0].id, &mut first, false));
        while let Some(more) = ranges.take(false) {
            taken.push(more);
            assert!(taken.len() < 100);
        }
        assert_whole(&taken, &ranges);
        let is_hexadecimal = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let begins_inside = |taken: &&Taken| {
            let after = taken.range.after.as_ref().and_then(|after| after.as_str().strip_prefix("pach/block/"));
            after.is_some_and(|digits| digits.bytes().all(is_hexadecimal))
        };
        // The first one, the one behind everything alike, and the rest where keys can be.
        assert_eq!(taken.iter().filter(begins_inside).count(), taken.len() - 2, "{taken:?}");
        assert!(taken.len() > 16, "{taken:?}");
    }

    #[test]
    fn a_page_is_cut_where_the_range_ends_by_now() {
        let ranges = Ranges::new(vec![(KeyRange::default(), false)], Some(6));
        let first = ranges.take(false).unwrap();
        ranges.advance(first.id, &mut page(&["aa", "ab", "ac", "ad", "ba", "bb"]), false);
        let second = ranges.take(false).unwrap();
        let end = second.range.after.clone().unwrap();
        let mut behind = page(&["bc", &format!("{end}x")]);
        assert!(ranges.advance(first.id, &mut behind, false));
        assert_eq!(behind.len(), 1, "cut at {end}");
        ranges.finish(first.id);
        assert!(!ranges.is_finished());
        assert!(ranges.advance(second.id, &mut Vec::new(), true));
        ranges.finish(second.id);
        assert!(ranges.is_finished() && ranges.take(false).is_none());
    }
}
