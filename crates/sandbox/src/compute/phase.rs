//! How long a state lasts: so many looks, so much time.

use std::time::{Duration, Instant};

/// How long a state lasts before the next: both the looks and the time have to pass. The default is no time at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phase {
    /// How many answers tell the state.
    pub looks: u32,
    /// The least time that it lasts.
    pub lasts: Duration,
}

impl Phase {
    /// So many answers tell it.
    #[must_use]
    pub const fn looks(looks: u32) -> Self {
        Self { looks, lasts: Duration::ZERO }
    }

    /// It lasts so long.
    #[must_use]
    pub const fn lasting(lasts: Duration) -> Self {
        Self { looks: 0, lasts }
    }

    /// It begins now.
    pub(super) fn begin(self) -> Progress {
        Progress { looks_left: self.looks, ends: Instant::now() + self.lasts }
    }
}

/// A phase that goes on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    looks_left: u32,
    ends: Instant,
}

impl Progress {
    /// It doesn't end by itself.
    pub(super) fn endless() -> Self {
        Self { looks_left: u32::MAX, ends: Instant::now() }
    }

    pub(super) fn is_over(&self) -> bool {
        self.looks_left == 0 && self.ends <= Instant::now()
    }

    /// A look goes by.
    pub(super) fn look(&mut self) {
        if self.looks_left != u32::MAX {
            self.looks_left = self.looks_left.saturating_sub(1);
        }
    }
}
