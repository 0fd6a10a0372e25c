//! Latency and counters for each operation of a store.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// What is known of the operations of one server, each by its number. Clones share it.
#[derive(Clone)]
pub(crate) struct Traffic {
    /// The last row holds the latency of all.
    rows: Arc<[Row]>,
}

/// What is known of one operation. Every request reads it, so it has no lock.
struct Row {
    requests: AtomicU64,
    /// Nanoseconds; [`NOT_SET`] where the latency of all holds.
    latency: AtomicU64,
}

const NOT_SET: u64 = u64::MAX;

impl Traffic {
    /// Nothing arrived yet, of so many operations.
    pub(crate) fn of(operations: usize) -> Self {
        let rows = (0..=operations).map(|_| Row { requests: 0.into(), latency: NOT_SET.into() });
        Self { rows: rows.collect() }
    }

    fn row(&self, operation: Option<usize>) -> &Row {
        &self.rows[operation.unwrap_or(self.rows.len() - 1)]
    }

    /// Delays an operation, or all that have no latency of their own.
    pub(crate) fn set_latency(&self, operation: Option<usize>, latency: Duration) {
        let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(NOT_SET).min(NOT_SET - 1);
        self.row(operation).latency.store(nanoseconds, Relaxed);
    }

    /// How many requests arrived.
    pub(crate) fn requests(&self, operation: usize) -> u64 {
        self.row(Some(operation)).requests.load(Relaxed)
    }

    /// Counts a request and waits as long as its operation takes.
    pub(crate) async fn begin(&self, operation: usize) {
        let row = self.row(Some(operation));
        row.requests.fetch_add(1, Relaxed);
        let set = |row: &Row| Some(row.latency.load(Relaxed)).filter(|nanoseconds| *nanoseconds != NOT_SET);
        let latency = set(row).or_else(|| set(self.row(None))).unwrap_or_default();
        if latency > 0 {
            tokio::time::sleep(Duration::from_nanos(latency)).await;
        }
    }
}
