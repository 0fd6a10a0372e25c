//! Latency and counters per operation.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::Operation;

/// Clones share what they hold.
#[derive(Clone)]
pub(super) struct Traffic {
    rows: Arc<Vec<Row>>,
}

/// What is known of one operation. Every request reads it, so it has no lock.
struct Row {
    requests: AtomicU64,
    /// Nanoseconds; [`NOT_SET`] where the latency of all holds.
    latency: AtomicU64,
}

const NOT_SET: u64 = u64::MAX;

impl Default for Traffic {
    fn default() -> Self {
        // The last row holds the latency of all.
        let rows = (0..=Operation::ALL.len()).map(|_| Row { requests: 0.into(), latency: NOT_SET.into() });
        Self { rows: Arc::new(rows.collect()) }
    }
}

impl Traffic {
    fn row(&self, operation: Option<Operation>) -> &Row {
        &self.rows[operation.map_or(Operation::ALL.len(), |operation| operation as usize)]
    }

    pub(super) fn set_latency(&self, operation: Option<Operation>, latency: Duration) {
        let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(NOT_SET).min(NOT_SET - 1);
        self.row(operation).latency.store(nanoseconds, Relaxed);
    }

    pub(super) fn requests(&self, operation: Operation) -> u64 {
        self.row(Some(operation)).requests.load(Relaxed)
    }

    /// Counts a request and waits as long as its operation takes.
    pub(super) async fn begin(&self, operation: Operation) {
        let row = self.row(Some(operation));
        row.requests.fetch_add(1, Relaxed);
        let set = |row: &Row| Some(row.latency.load(Relaxed)).filter(|nanoseconds| *nanoseconds != NOT_SET);
        let latency = set(row).or_else(|| set(self.row(None))).unwrap_or_default();
        if latency > 0 {
            tokio::time::sleep(Duration::from_nanos(latency)).await;
        }
    }
}
