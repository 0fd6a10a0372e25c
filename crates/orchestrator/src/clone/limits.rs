//! Ceilings that protect production: requests and bytes a second, over all workers; and how slowly writes have to begin.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use provider::WriteRamp;
use tokio::time::Instant;

/// What a clone may take from the stores at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ceilings {
    /// Requests a second to both stores together, listings included.
    pub requests_per_second: Option<u32>,
    /// Bytes a second that are copied, also by a store itself.
    pub bytes_per_second: Option<u64>,
}

/// The ceilings of a pass, shared by its workers.
#[derive(Debug)]
pub(super) struct Limits {
    requests: Option<Allowance>,
    bytes: Option<Allowance>,
    writes: Option<Arc<RampedWrites>>,
}

/// Amounts are paid in advance: whoever takes more than there is waits until it has come in, and those behind it wait too.
#[derive(Debug)]
struct Allowance {
    per_second: f64,
    paid_until: Mutex<Instant>,
}

/// What may be saved up while nobody asks.
const SAVED: Duration = Duration::from_millis(100);

impl Limits {
    pub(super) fn new(ceilings: Ceilings, writes: Option<Arc<RampedWrites>>) -> Self {
        let allowance =
            |per_second: f64| Allowance { per_second: per_second.max(1.0), paid_until: Mutex::new(Instant::now()) };
        Self {
            requests: ceilings.requests_per_second.map(|most| allowance(f64::from(most))),
            bytes: ceilings.bytes_per_second.map(|most| allowance(most as f64)),
            writes,
        }
    }

    /// Waits until one more request may be sent.
    pub(super) async fn request(&self) {
        if let Some(allowance) = &self.requests {
            allowance.take(1.0).await;
        }
    }

    /// Waits until one more write may be sent to the clone's store.
    pub(super) async fn write(&self) {
        if let Some(writes) = &self.writes {
            writes.take().await;
        }
    }

    /// Waits until so many more bytes may be copied.
    pub(super) async fn bytes(&self, bytes: u64) {
        if let Some(allowance) = &self.bytes {
            allowance.take(bytes as f64).await;
        }
    }
}

impl Allowance {
    async fn take(&self, amount: f64) {
        wait_in_line(&self.paid_until, |_| Duration::from_secs_f64(amount / self.per_second)).await;
    }
}

/// Writes to a bucket that takes more and more of them. All passes over a clone share it: what the bucket has got used to, it goes on
/// taking.
#[derive(Debug)]
pub struct RampedWrites {
    ramp: WriteRamp,
    /// When the first write was sent, if one was.
    first: OnceLock<Instant>,
    /// Until when those so far are paid for.
    paid_until: Mutex<Instant>,
}

impl RampedWrites {
    /// Nothing is written yet.
    #[must_use]
    pub fn new(ramp: WriteRamp) -> Self {
        Self { ramp, first: OnceLock::new(), paid_until: Mutex::new(Instant::now()) }
    }

    async fn take(&self) {
        let first = *self.first.get_or_init(Instant::now);
        wait_in_line(&self.paid_until, |ready| {
            let since = ready.saturating_duration_since(first).as_secs_f64();
            Duration::from_secs_f64(1.0 / self.ramp.rate_after(since))
        })
        .await;
    }
}

/// Waits for one's turn, which takes as long as is told for the time when it comes.
async fn wait_in_line(paid_until: &Mutex<Instant>, takes: impl Fn(Instant) -> Duration) {
    let now = Instant::now();
    let ready = {
        let mut paid_until = paid_until.lock().unwrap_or_else(PoisonError::into_inner);
        let ready = (*paid_until).max(now.checked_sub(SAVED).unwrap_or(now));
        *paid_until = ready + takes(ready);
        ready
    };
    if ready > now {
        tokio::time::sleep_until(ready).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_ceiling_holds_over_everybody_who_asks() {
        let limits = Limits::new(Ceilings { requests_per_second: Some(1000), bytes_per_second: None }, None);
        let began = Instant::now();
        futures::future::join_all((0..600).map(|_| limits.request())).await;
        let least = Duration::from_millis(600) - SAVED - Duration::from_millis(2);
        assert!(began.elapsed() >= least, "{:?}", began.elapsed());
        limits.bytes(u64::MAX).await;
    }

    #[tokio::test]
    async fn a_large_object_is_paid_for_by_the_next_one() {
        let limits = Limits::new(Ceilings { requests_per_second: None, bytes_per_second: Some(1 << 20) }, None);
        let began = Instant::now();
        limits.bytes(1 << 19).await;
        assert!(began.elapsed() < Duration::from_millis(200));
        limits.bytes(1).await;
        assert!(began.elapsed() >= Duration::from_millis(390));
    }

    #[tokio::test]
    async fn writes_begin_slowly_and_become_more() {
        let ramp = WriteRamp { per_second: 1000, doubles_every_seconds: 1 };
        let limits = Limits::new(Ceilings::default(), Some(Arc::new(RampedWrites::new(ramp))));
        let began = Instant::now();
        futures::future::join_all((0..2000).map(|_| limits.write())).await;
        let least = Duration::from_secs_f64(ramp.seconds_for(2000.0)) - SAVED - Duration::from_millis(20);
        assert!(began.elapsed() >= least, "{:?}", began.elapsed());
    }
}
