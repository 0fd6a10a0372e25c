//! Whether a capture moves: a run in which nothing does must not keep a cluster paused.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Error, ErrorKind, Result};

/// What a store's own copy, or the reading of a file, does at least: 10 MiB a second. Nobody tells of them until they end.
const SLOWEST_BYTES_PER_SECOND: u64 = 10 << 20;

/// When something moved last. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Movement {
    began: Instant,
    /// Milliseconds from the beginning until which something is known to move.
    until: Arc<AtomicU64>,
}

impl Movement {
    /// Something moves now.
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), until: Arc::default() }
    }

    /// Something moved.
    pub(super) fn moved(&self) {
        self.moves_for(Duration::ZERO);
    }

    /// So many bytes are worked on from now, and nobody tells of it until it is done.
    pub(super) fn works_on(&self, bytes: u64) {
        self.moves_for(Duration::from_millis(bytes.saturating_mul(1000) / SLOWEST_BYTES_PER_SECOND));
    }

    fn moves_for(&self, time: Duration) {
        let until = self.began.elapsed() + time;
        self.until.fetch_max(u64::try_from(until.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// `work`, unless nothing moves for as long as `limit`.
    ///
    /// # Errors
    /// `Deadline` when nothing did; those of `work`.
    pub(super) async fn limit<T>(&self, limit: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
        // What came before has limits of its own.
        self.moved();
        tokio::select! {
            biased;
            done = work => done,
            () = self.stalled(limit) => Err(Error::new(
                ErrorKind::Deadline,
                format!("nothing moved for {} s while the content was captured", limit.as_secs()),
            )
            .advise("see which artifact stands still in the run's last progress; raise stall if its service is only slow")),
        }
    }

    async fn stalled(&self, limit: Duration) {
        loop {
            let ends = self.began + Duration::from_millis(self.until.load(Ordering::Relaxed)) + limit;
            if Instant::now() >= ends {
                return;
            }
            tokio::time::sleep_until(ends).await;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[tokio::test]
    async fn what_moves_may_take_longer_than_the_limit() {
        let movement = Movement::new();
        let limit = Duration::from_secs(2);
        let work = async {
            while movement.began.elapsed() < limit + Duration::from_millis(300) {
                tokio::time::sleep(Duration::from_millis(20)).await;
                movement.moved();
            }
            Ok(7)
        };
        assert_eq!(movement.limit(limit, work).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn what_stands_still_is_ended() {
        let movement = Movement::new();
        let limit = Duration::from_millis(50);
        tokio::time::sleep(2 * limit).await;
        let work = async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            movement.moved();
            std::future::pending::<Result<()>>().await
        };
        let error = movement.limit(limit, work).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Deadline);
        assert!(movement.began.elapsed() > 3 * limit, "what came before does not count");
    }

    #[tokio::test]
    async fn a_copy_inside_the_store_has_the_time_that_its_bytes_need() {
        let movement = Movement::new();
        let work = async {
            movement.works_on(SLOWEST_BYTES_PER_SECOND / 5);
            movement.works_on(SLOWEST_BYTES_PER_SECOND / 2);
            movement.moved();
            std::future::pending::<Result<()>>().await
        };
        assert!(movement.limit(Duration::from_millis(50), work).await.is_err());
        assert!(movement.began.elapsed() > Duration::from_millis(550));
    }
}
