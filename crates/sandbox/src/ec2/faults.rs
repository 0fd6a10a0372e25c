//! Faults that a test switches on while the server runs.

use std::time::{Duration, Instant};

use super::answer::Refused;
use super::is_over;

/// What happens to a request that a [`Ec2Fault`] meets.
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
}

/// Which of the next requests go wrong, and how. Without other words: the next one, whatever it is.
#[derive(Clone, Debug)]
pub struct Ec2Fault {
    effect: Effect,
    /// Empty: every action.
    actions: Vec<String>,
    skip: u64,
    times: u64,
    lasts: Option<Duration>,
    ends: Option<Instant>,
}

impl Ec2Fault {
    fn new(effect: Effect) -> Self {
        Self { effect, actions: Vec::new(), skip: 0, times: 1, lasts: None, ends: None }
    }

    /// The request is refused with this status, code and message.
    #[must_use]
    pub fn refuse(status: u16, code: &str, message: &str) -> Self {
        Self::new(Effect::Refuse(Refused::new(status, code, message)))
    }

    /// Too many requests: `RequestLimitExceeded`.
    #[must_use]
    pub fn throttle() -> Self {
        Self::refuse(503, "RequestLimitExceeded", "Request limit exceeded.")
    }

    /// The answer has this status and a body that isn't EC2's, as from a broken load balancer.
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

    /// Only requests of this action (`CreateSnapshot`), and of others that were named before.
    #[must_use]
    pub fn on(mut self, action: &str) -> Self {
        self.actions.push(action.to_owned());
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

    fn matches(&self, action: &str) -> bool {
        (self.actions.is_empty() || self.actions.iter().any(|wanted| wanted == action)) && !is_over(self.ends)
    }

    /// What happens to a request; the first fault that matches counts down.
    pub(super) fn take(faults: &mut Vec<Self>, action: &str) -> Option<Effect> {
        faults.retain(|fault| fault.times > 0 && !is_over(fault.ends));
        for fault in faults.iter_mut().filter(|fault| fault.matches(action)) {
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
