//! Faults of a cloud's API that a test switches on while the server runs.

use std::time::{Duration, Instant};

/// Which of the next requests go wrong, and how. Without other words: the next one, whatever it is.
#[derive(Clone, Debug)]
pub struct RequestFault<Effect> {
    effect: Effect,
    /// Empty: every call.
    calls: Vec<String>,
    skip: u64,
    times: u64,
    lasts: Option<Duration>,
    ends: Option<Instant>,
}

impl<Effect: Clone> RequestFault<Effect> {
    pub(crate) fn new(effect: Effect) -> Self {
        Self { effect, calls: Vec::new(), skip: 0, times: 1, lasts: None, ends: None }
    }

    /// Only requests of this call, as the service's reference names it, and of others that were named before.
    #[must_use]
    pub fn on(mut self, call: &str) -> Self {
        self.calls.push(call.to_owned());
        self
    }

    /// Lets this many matching requests pass first.
    #[must_use]
    pub fn after(mut self, requests: u64) -> Self {
        self.skip = requests;
        self
    }

    /// Meets this many requests.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = times;
        self
    }

    /// Meets every matching request for so long after the first.
    #[must_use]
    pub fn lasting(mut self, lasts: Duration) -> Self {
        self.times = u64::MAX;
        self.lasts = Some(lasts);
        self
    }

    fn matches(&self, call: &str) -> bool {
        (self.calls.is_empty() || self.calls.iter().any(|wanted| wanted == call)) && !is_over(self.ends)
    }

    /// What happens to a request; the first fault that matches counts down.
    pub(crate) fn take(faults: &mut Vec<Self>, call: &str) -> Option<Effect> {
        faults.retain(|fault| fault.times > 0 && !is_over(fault.ends));
        for fault in faults.iter_mut().filter(|fault| fault.matches(call)) {
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            fault.times -= 1;
            if fault.ends.is_none() {
                fault.ends = fault.lasts.map(|lasts| Instant::now() + lasts);
            }
            return Some(fault.effect.clone());
        }
        None
    }
}

/// Whether a moment that may be none has passed.
pub(crate) fn is_over(moment: Option<Instant>) -> bool {
    moment.is_some_and(|moment| moment <= Instant::now())
}
