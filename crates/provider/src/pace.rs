//! Waits between tries and looks.

use std::time::Duration;

use rand::Rng as _;

/// Waits that grow by half each time, up to a longest, each shortened by up to a third by chance so that many callers don't come
/// back at once.
#[derive(Debug)]
pub struct Pace {
    next: Duration,
    longest: Duration,
}

impl Pace {
    /// Waits that begin with `first`.
    #[must_use]
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { next: first, longest }
    }

    /// The next wait.
    pub fn wait(&mut self) -> Duration {
        let wait = self.next.mul_f64(rand::rng().random_range(0.67..=1.0));
        self.next = (self.next * 3 / 2).min(self.longest);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_longest() {
        let mut pace = Pace::new(Duration::from_millis(100), Duration::from_secs(1));
        let waits: Vec<_> = (0..12).map(|_| pace.wait()).collect();
        assert!(waits[0] <= Duration::from_millis(100) && waits[0] >= Duration::from_millis(60), "{waits:?}");
        assert!(waits.iter().all(|wait| *wait <= Duration::from_secs(1)), "{waits:?}");
        assert!(waits[11] >= Duration::from_millis(660), "{waits:?}");
    }
}
