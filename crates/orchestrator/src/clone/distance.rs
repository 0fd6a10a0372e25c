//! How far away the stores are, in time, and how much in flight is worth it for that.
//!
//! A thread has work enough when there is an answer whenever it is done with the one before. More in flight would only wait for
//! one another: in memory, and at the store.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Processor time that a page of keys takes here, in all: reading it, deciding about its keys, recording them; and in a store on
/// the same machine.
const PAGE_WORK: Duration = Duration::from_millis(3);
/// Ranges that a thread lists at once before a page has told how far away the source is.
const RANGES_AT_FIRST: usize = 3;

/// Processor time that a copied object takes, here and in a store on the same machine: answers that only wait for the processor
/// must not look like answers from far away.
const COPY_WORK: Duration = Duration::from_micros(40);
/// Objects that a thread may always have in flight: the fastest answer may have been faster than others ever are.
const LEAST_LANES: usize = 64;

/// Times of the fastest answers so far, over all threads of a pass.
#[derive(Debug)]
pub(super) struct Distance {
    full_page: Fastest,
    other_page: Fastest,
    copy: Fastest,
}

/// The least of many times, in nanoseconds.
#[derive(Debug)]
struct Fastest(AtomicU64);

impl Default for Distance {
    fn default() -> Self {
        let never = || Fastest(AtomicU64::new(u64::MAX));
        Self { full_page: never(), other_page: never(), copy: never() }
    }
}

impl Distance {
    /// A page took so long. One that is not full tells less: the store had less to look for.
    pub(super) fn listed(&self, took: Duration, is_full: bool) {
        if is_full { &self.full_page } else { &self.other_page }.note(took);
    }

    /// A small object was copied in this time.
    pub(super) fn copied(&self, took: Duration) {
        self.copy.note(took);
    }

    /// How many ranges, of at most `most`, one thread should list at once.
    pub(super) fn ranges(&self, most: usize) -> usize {
        let answers = self.full_page.in_one(PAGE_WORK).or_else(|| self.other_page.in_one(PAGE_WORK));
        answers.map_or(RANGES_AT_FIRST, |answers| answers.saturating_add(1)).min(most).max(1)
    }

    /// How many objects, of at most `most`, one thread should have in flight.
    pub(super) fn lanes(&self, most: usize) -> usize {
        self.copy.in_one(COPY_WORK).unwrap_or(LEAST_LANES).max(LEAST_LANES).min(most).max(1)
    }
}

impl Fastest {
    fn note(&self, took: Duration) {
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        // Most answers are not the fastest: those only read.
        if took < self.0.load(Ordering::Relaxed) {
            self.0.fetch_min(took, Ordering::Relaxed);
        }
    }

    /// How often the work fits into the fastest time, rounded up; `None` before the first.
    fn in_one(&self, work: Duration) -> Option<usize> {
        let fastest = self.0.load(Ordering::Relaxed);
        let times = u128::from(fastest).div_ceil(work.as_nanos().max(1));
        (fastest != u64::MAX).then(|| usize::try_from(times).unwrap_or(usize::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_store_that_is_far_away_is_asked_for_much_at_once() {
        let distance = Distance::default();
        assert_eq!((distance.ranges(16), distance.lanes(128)), (RANGES_AT_FIRST, LEAST_LANES));
        distance.listed(60 * MS, true);
        distance.copied(20 * MS);
        assert_eq!((distance.ranges(16), distance.lanes(128)), (16, 128));
        assert_eq!((distance.ranges(64), distance.lanes(8192)), (21, 500));
    }

    #[test]
    fn a_store_nearby_is_asked_for_little() {
        let distance = Distance::default();
        distance.listed(MS, true);
        distance.copied(MS / 5);
        // Later ones have waited for one another.
        distance.listed(40 * MS, true);
        distance.copied(40 * MS);
        assert_eq!((distance.ranges(16), distance.lanes(128)), (2, LEAST_LANES));
        assert_eq!((distance.ranges(1), distance.lanes(4)), (1, 4));
        assert_eq!((distance.ranges(0), distance.lanes(0)), (1, 1));
    }

    #[test]
    fn pages_that_are_not_full_count_until_one_is() {
        let distance = Distance::default();
        distance.listed(10 * MS, false);
        assert_eq!(distance.ranges(16), 5);
        distance.listed(80 * MS, true);
        assert_eq!(distance.ranges(64), 28);
    }
}
