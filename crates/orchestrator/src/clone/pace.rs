//! How many objects are in flight: one more after each round of successes, half of them after throttling.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The concurrency that the stores allow at the moment.
#[derive(Debug)]
pub(super) struct Pace {
    most: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    limit: usize,
    successes: usize,
    slowdowns: u64,
}

/// When a call was sent, as far as the pace is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sent(u64);

impl Pace {
    pub(super) fn new(most: usize) -> Self {
        let most = most.max(1);
        Self { most, state: Mutex::new(State { limit: most, successes: 0, slowdowns: 0 }) }
    }

    pub(super) fn limit(&self) -> usize {
        self.state().limit
    }

    /// To be taken before a call, and handed back if it is throttled.
    pub(super) fn send(&self) -> Sent {
        Sent(self.state().slowdowns)
    }

    pub(super) fn succeeded(&self) {
        let mut state = self.state();
        state.successes += 1;
        if state.successes >= state.limit {
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
        state.limit = (state.limit / 2).max(1);
        Some(state.limit)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_burst_of_throttling_halves_once() {
        let pace = Pace::new(64);
        let burst = [pace.send(), pace.send(), pace.send()];
        assert_eq!(burst.map(|sent| pace.throttled(sent)), [Some(32), None, None]);
        assert_eq!(pace.throttled(pace.send()), Some(16));
    }

    #[test]
    fn it_recovers_by_one_a_round_and_never_stops() {
        let pace = Pace::new(2);
        for _ in 0..5 {
            pace.throttled(pace.send());
        }
        assert_eq!(pace.limit(), 1);
        pace.succeeded();
        assert_eq!(pace.limit(), 2);
        for _ in 0..100 {
            pace.succeeded();
        }
        assert_eq!(pace.limit(), 2);
    }
}
