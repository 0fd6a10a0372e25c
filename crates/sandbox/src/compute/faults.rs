//! Faults that a test switches on while the server runs.

use std::time::{Duration, Instant};

use super::answer::Refused;
use super::is_over;

/// Why an operation fails that was accepted.
#[derive(Clone, Debug)]
pub(super) struct OperationError {
    pub(super) code: String,
    pub(super) message: String,
    pub(super) status: u16,
}

/// What happens to a request that a [`ComputeFault`] meets.
#[derive(Clone, Debug)]
pub(super) enum Effect {
    /// Nothing is done; this is answered.
    Refuse(Refused),
    /// Nothing is done; the answer has this status and nothing that can be read.
    Status(u16),
    /// Nothing is done; the connection is closed without an answer.
    DropConnection,
    /// The request is carried out, then the connection is closed without an answer.
    LoseReply,
    /// The request is accepted, and its operation ends `DONE` with this error.
    FailOperation(OperationError),
}

/// Which of the next requests go wrong, and how. Without other words: the next one, whatever it is.
#[derive(Clone, Debug)]
pub struct ComputeFault {
    effect: Effect,
    /// Empty: every call.
    calls: Vec<String>,
    skip: u64,
    times: u64,
    lasts: Option<Duration>,
    ends: Option<Instant>,
}

impl ComputeFault {
    fn new(effect: Effect) -> Self {
        Self { effect, calls: Vec::new(), skip: 0, times: 1, lasts: None, ends: None }
    }

    /// The request is refused with this status, reason and message.
    #[must_use]
    pub fn refuse(status: u16, reason: &str, message: &str) -> Self {
        Self::new(Effect::Refuse(Refused::new(status, reason, message)))
    }

    /// Too many requests: 403 `rateLimitExceeded`.
    #[must_use]
    pub fn throttle() -> Self {
        Self::refuse(403, "rateLimitExceeded", "Rate Limit Exceeded")
    }

    /// The answer has this status and a body that isn't Google's, as from a broken load balancer.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::new(Effect::Status(status))
    }

    /// The connection is closed before the request is heard.
    #[must_use]
    pub fn drop_connection() -> Self {
        Self::new(Effect::DropConnection)
    }

    /// The request is carried out, and the connection closed without an answer.
    #[must_use]
    pub fn lose_reply() -> Self {
        Self::new(Effect::LoseReply)
    }

    /// The request is accepted, and its operation ends `DONE` with an error of this code (`RESOURCE_NOT_READY`) and status.
    #[must_use]
    pub fn fail_operation(code: &str, status: u16, message: &str) -> Self {
        let (code, message) = (code.to_owned(), message.to_owned());
        Self::new(Effect::FailOperation(OperationError { code, message, status }))
    }

    /// Only requests of this call (`disks.createSnapshot`), and of others that were named before.
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
    pub(super) fn take(faults: &mut Vec<Self>, call: &str) -> Option<Effect> {
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
