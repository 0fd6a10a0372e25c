//! When a failed call to a provider is sent again: within a budget of attempts and waiting, with jitter.

use std::future::Future;
use std::time::Duration;

use provider::{Error, Result, Retry};
use uuid::Uuid;

/// How often and how patiently a call is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Calls in all, the first one included.
    pub attempts: u32,
    /// Longest wait after the first failure; it doubles with each further one.
    pub first_wait: Duration,
    /// Longest single wait, unless the service asks for more.
    pub longest_wait: Duration,
    /// Waiting in all for one call. A wait that would exceed it ends the attempts.
    pub budget: Duration,
}

impl Default for RetryPolicy {
    /// 10 calls within about two minutes of waiting.
    fn default() -> Self {
        Self {
            attempts: 10,
            first_wait: Duration::from_millis(200),
            longest_wait: Duration::from_secs(20),
            budget: Duration::from_secs(120),
        }
    }
}

/// The failures of one call so far.
#[derive(Debug)]
pub(crate) struct Backoff {
    policy: RetryPolicy,
    failures: u32,
    waited: Duration,
}

impl Backoff {
    pub(crate) fn new(policy: RetryPolicy) -> Self {
        Self { policy, failures: 0, waited: Duration::ZERO }
    }

    /// How long to wait before the call is sent again after `error`; `None` when it must not be.
    pub(crate) fn wait_after(&mut self, error: &Error) -> Option<Duration> {
        let least = match error.retry() {
            Retry::Never => return None,
            Retry::Again => Duration::ZERO,
            Retry::Slower { after } => after.unwrap_or_default(),
        };
        self.failures += 1;
        if self.failures >= self.policy.attempts {
            return None;
        }
        let doubled = self.policy.first_wait.saturating_mul(2_u32.saturating_pow(self.failures - 1));
        let ceiling = doubled.min(self.policy.longest_wait);
        let wait = least + ceiling.div_f64(2.0) + ceiling.div_f64(2.0).mul_f64(random_fraction());
        self.waited += wait;
        (self.waited <= self.policy.budget).then_some(wait)
    }

    /// Begins again: the call made progress.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
        self.waited = Duration::ZERO;
    }
}

/// Calls until it succeeds, fails for good, or the budget is spent; answers with the last result.
pub(crate) async fn retrying<T, F>(policy: RetryPolicy, mut call: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let mut backoff = Backoff::new(policy);
    loop {
        match call().await {
            Ok(value) => return Ok(value),
            Err(error) => match backoff.wait_after(&error) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return Err(error),
            },
        }
    }
}

/// A random number from 0 to 1.
fn random_fraction() -> f64 {
    let bytes = Uuid::new_v4().into_bytes();
    f64::from(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use provider::ErrorKind;

    fn error(kind: ErrorKind) -> Error {
        Error::new(kind, "Get", "bucket/key")
    }

    #[test]
    fn fatal_errors_are_not_sent_again() {
        let mut backoff = Backoff::new(RetryPolicy::default());
        assert_eq!(backoff.wait_after(&error(ErrorKind::Denied)), None);
    }

    #[test]
    fn attempts_end_and_waits_stay_below_the_longest() {
        let policy = RetryPolicy { attempts: 8, budget: Duration::from_secs(3600), ..RetryPolicy::default() };
        let mut backoff = Backoff::new(policy);
        let waits: Vec<_> = std::iter::from_fn(|| backoff.wait_after(&error(ErrorKind::Unavailable))).collect();
        assert_eq!(waits.len(), 7);
        assert!(waits.iter().all(|wait| *wait <= policy.longest_wait));
        assert!(waits[0] >= policy.first_wait / 2 && waits[0] <= policy.first_wait);
    }

    #[test]
    fn the_service_may_ask_for_a_longer_wait_within_the_budget() {
        let slower = |seconds| {
            error(ErrorKind::Throttled).with_retry(Retry::Slower { after: Some(Duration::from_secs(seconds)) })
        };
        let mut backoff = Backoff::new(RetryPolicy::default());
        assert!(backoff.wait_after(&slower(60)).is_some_and(|wait| wait >= Duration::from_secs(60)));
        assert_eq!(backoff.wait_after(&slower(600)), None);
    }
}
