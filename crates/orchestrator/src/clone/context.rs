//! What all parts of one pass share, and how they call the stores.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};

use provider::{Error, ErrorKind, Result};

use super::CloneSpec;
use super::pace::{Pace, Sent};
use crate::retry::Backoff;

/// One pass in progress.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) spec: CloneSpec,
    pub(super) pace: Pace,
    requests: AtomicU64,
}

impl Context {
    pub(super) fn new(spec: &CloneSpec) -> Self {
        Self { spec: spec.clone(), pace: Pace::new(spec.concurrency), requests: AtomicU64::new(0) }
    }

    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Notes that a request is sent.
    pub(super) fn send(&self) -> Sent {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.pace.send()
    }

    /// Slows all lanes down if the error asks for it, and waits until the call may be sent again.
    ///
    /// # Errors
    /// The same error when it must not be sent again.
    pub(super) async fn wait_after(&self, error: Error, sent: Sent, backoff: &mut Backoff) -> Result<()> {
        if error.kind() == ErrorKind::Throttled
            && let Some(limit) = self.pace.throttled(sent)
        {
            self.spec.progress.throttled(limit);
        }
        match backoff.wait_after(&error) {
            Some(wait) => {
                tokio::time::sleep(wait).await;
                Ok(())
            }
            None => Err(error),
        }
    }

    /// Sends a call until it succeeds, fails for good, or the budget is spent.
    pub(super) async fn call<T, F>(&self, mut call: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let mut backoff = Backoff::new(self.spec.retry);
        loop {
            let sent = self.send();
            match call().await {
                Ok(value) => {
                    self.spec.progress.moved();
                    return Ok(value);
                }
                Err(error) => self.wait_after(error, sent, &mut backoff).await?,
            }
        }
    }
}
