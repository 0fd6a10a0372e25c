//! Which properties held, which were skipped and why, which failed.

use std::fmt;
use std::time::Duration;

use super::property::{Outcome, Verdict};

/// Longest time for one property: a call that hangs is a failure of its property, not of the whole run.
const PATIENCE: Duration = Duration::from_secs(300);

/// What became of each property.
#[must_use = "a report that nobody looks at can't fail a test: call assert_complete"]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Properties that held, in order.
    pub passed: Vec<&'static str>,
    /// Properties that were not looked at.
    pub skipped: Vec<Skipped>,
    /// Properties that didn't hold.
    pub failed: Vec<Failed>,
}

/// A property that was not looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its name.
    pub property: &'static str,
    /// The capability or the part of the fixture that lacks.
    pub reason: String,
}

/// A property that didn't hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// Its name.
    pub property: &'static str,
    /// What was seen.
    pub reason: String,
}

impl Report {
    /// Ends a test: every property held or is one of `allowed_skips`.
    ///
    /// # Panics
    /// When a property failed, when one was skipped that isn't allowed to be, and when an allowed skip wasn't needed
    /// (so that a test's list stays true).
    pub fn assert_complete(&self, allowed_skips: &[&str]) {
        assert!(self.failed.is_empty(), "properties that failed:\n{self}");
        let unexpected = self.skipped.iter().find(|skipped| !allowed_skips.contains(&skipped.property));
        assert!(unexpected.is_none(), "a property was skipped that this test must look at: {unexpected:?}\n{self}");
        let stale = allowed_skips.iter().find(|name| self.skipped.iter().all(|skipped| skipped.property != **name));
        assert!(stale.is_none(), "a property that may be skipped was not skipped: {stale:?}\n{self}");
        assert!(!self.passed.is_empty(), "no property was looked at");
    }

    pub(super) async fn check(&mut self, property: &'static str, outcome: impl Future<Output = Outcome>) {
        match tokio::time::timeout(PATIENCE, outcome).await {
            Ok(Ok(Verdict::Held)) => self.passed.push(property),
            Ok(Ok(Verdict::Skipped(reason))) => self.skipped.push(Skipped { property, reason }),
            Ok(Err(violation)) => self.failed.push(Failed { property, reason: violation.to_string() }),
            Err(_) => self.failed.push(Failed { property, reason: format!("not finished after {PATIENCE:?}") }),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Failed { property, reason } in &self.failed {
            writeln!(f, "FAILED  {property}: {reason}")?;
        }
        for Skipped { property, reason } in &self.skipped {
            writeln!(f, "skipped {property}: {reason}")?;
        }
        for property in &self.passed {
            writeln!(f, "held    {property}")?;
        }
        Ok(())
    }
}
