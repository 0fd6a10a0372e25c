//! How many objects are in flight: more while the store answers as fast as before, half as many after throttling.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

/// Objects in flight that are always worth it, however fast the store answers.
const USUAL: usize = 64;
/// How much longer than the fastest answers the usual ones may take before more in flight only wait for one another.
const SLOWER: f64 = 2.0;
/// Share of a new answer's time in the average.
const WEIGHT: f64 = 1.0 / 32.0;

/// The concurrency that the stores allow at the moment.
#[derive(Debug)]
pub(super) struct Pace {
    most: usize,
    state: Mutex<State>,
    landed: Notify,
}

#[derive(Debug)]
struct State {
    limit: usize,
    in_flight: usize,
    /// Successes that still count for the last time when the limit was too low: as many as were in flight then.
    wanting: usize,
    successes: usize,
    slowdowns: u64,
    fastest: f64,
    average: f64,
}

/// When a call was sent, as far as the pace is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sent(u64);

impl Pace {
    pub(super) fn new(most: usize) -> Self {
        let most = most.max(1);
        let state = State {
            limit: most.min(USUAL),
            in_flight: 0,
            wanting: 0,
            successes: 0,
            slowdowns: 0,
            fastest: f64::INFINITY,
            average: 0.0,
        };
        Self { most, state: Mutex::new(state), landed: Notify::new() }
    }

    /// Whether one more object may be in flight; if so, it is counted until [`Pace::landed`].
    pub(super) fn take_off(&self) -> bool {
        let mut state = self.state();
        let allowed = state.in_flight < state.limit;
        if allowed {
            state.in_flight += 1;
        } else {
            state.wanting = state.in_flight;
        }
        allowed
    }

    /// An object is no more in flight.
    pub(super) fn landed(&self) {
        let mut state = self.state();
        state.in_flight = state.in_flight.saturating_sub(1);
        drop(state);
        self.landed.notify_one();
    }

    /// Waits until an object has landed.
    pub(super) async fn one_landed(&self) {
        self.landed.notified().await;
    }

    /// To be taken before a call, and handed back if it is throttled.
    pub(super) fn send(&self) -> Sent {
        Sent(self.state().slowdowns)
    }

    /// An object was copied in this time.
    ///
    /// Until the store asked for fewer, each success of a round that was kept waiting allows one more, so that the limit doubles with each
    /// round however its answers come in; afterwards a whole round of them allows one more. Above the usual number only as long as answers
    /// don't take longer for it.
    pub(super) fn succeeded(&self, took: Duration) {
        let mut state = self.state();
        let took = took.as_secs_f64();
        state.fastest = state.fastest.min(took);
        state.average += (took - state.average) * if state.average == 0.0 { 1.0 } else { WEIGHT };
        let crowded = state.limit >= USUAL && state.average > state.fastest * SLOWER;
        if crowded || state.wanting == 0 {
            return;
        }
        state.wanting -= 1;
        state.successes += 1;
        if state.slowdowns == 0 || state.successes >= state.limit {
            state.successes = 0;
            state.limit = (state.limit + 1).min(self.most);
        }
    }

    /// Halves the limit and tells the new one. Calls that were sent before the last halving don't halve it again: they
    /// tell nothing about the new limit.
    pub(super) fn throttled(&self, sent: Sent) -> Option<usize> {
        let mut state = self.state();
        if sent.0 != state.slowdowns {
            return None;
        }
        state.slowdowns += 1;
        state.successes = 0;
        state.wanting = 0;
        state.limit = (state.limit.min(state.in_flight.max(1)) / 2).max(1);
        Some(state.limit)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn full(most: usize) -> Pace {
        let pace = Pace::new(most);
        while pace.take_off() {}
        pace
    }

    /// Lets one land and as many start as may.
    fn round(pace: &Pace, took: Duration) -> usize {
        pace.succeeded(took);
        pace.landed();
        while pace.take_off() {}
        pace.state().limit
    }

    #[test]
    fn one_burst_of_throttling_halves_once() {
        let pace = full(64);
        let burst = [pace.send(), pace.send(), pace.send()];
        assert_eq!(burst.map(|sent| pace.throttled(sent)), [Some(32), None, None]);
        assert_eq!(pace.throttled(pace.send()), Some(16));
    }

    #[test]
    fn after_throttling_it_recovers_by_one_a_round_and_never_stops() {
        let pace = full(2);
        for _ in 0..5 {
            pace.throttled(pace.send());
        }
        assert_eq!(pace.state().limit, 1);
        pace.landed();
        // Only now somebody is kept waiting.
        assert_eq!(round(&pace, MS), 1);
        assert_eq!(round(&pace, MS), 2);
        for _ in 0..100 {
            round(&pace, MS);
        }
        assert_eq!(pace.state().limit, 2);
    }

    #[test]
    fn a_store_that_is_far_away_gets_more_at_once() {
        let pace = full(512);
        let limit = (0..448).map(|_| round(&pace, 20 * MS)).last();
        assert_eq!(limit, Some(512));
    }

    #[test]
    fn answers_that_come_in_together_count_each() {
        let pace = full(512);
        for _ in 0..64 {
            pace.succeeded(20 * MS);
            pace.landed();
        }
        assert_eq!(pace.state().limit, 128);
        // Nobody was kept waiting since.
        pace.succeeded(20 * MS);
        assert_eq!(pace.state().limit, 128);
    }

    #[test]
    fn what_only_waits_for_one_another_is_not_made_more() {
        let pace = full(512);
        round(&pace, MS);
        for _ in 0..2000 {
            let took = MS.mul_f64(pace.state().limit as f64 / 16.0);
            round(&pace, took);
        }
        assert!(pace.state().limit < 80, "{}", pace.state().limit);
    }
}
