//! Lanes: how many objects one worker has in flight, over all of its shards.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

use super::distance::Distance;
use super::pace::Pace;

/// The lanes of one worker.
#[derive(Debug)]
pub(super) struct Lanes {
    most: usize,
    taken: AtomicUsize,
    freed: Notify,
}

/// A lane that is taken, at a shard's pace. Dropping it frees the lane.
#[derive(Debug)]
pub(super) struct Lane {
    lanes: Arc<Lanes>,
    pace: Arc<Pace>,
}

/// Why there is no lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoLane {
    /// All that are worth taking are taken.
    Full,
    /// The store asked for fewer.
    Pace,
}

impl Lanes {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most: most.max(1), taken: AtomicUsize::new(0), freed: Notify::new() })
    }

    /// A lane, if there is one that is worth taking and the pace allows it.
    pub(super) fn take(self: &Arc<Self>, pace: &Arc<Pace>, distance: &Distance) -> Result<Lane, NoLane> {
        if self.taken.load(Ordering::Acquire) >= distance.lanes(self.most) {
            return Err(NoLane::Full);
        }
        if !pace.take_off() {
            return Err(NoLane::Pace);
        }
        self.taken.fetch_add(1, Ordering::AcqRel);
        Ok(Lane { lanes: Arc::clone(self), pace: Arc::clone(pace) })
    }

    /// Whether less than half of the lanes that are worth taking are taken.
    pub(super) fn are_idle(&self, distance: &Distance) -> bool {
        2 * self.taken.load(Ordering::Acquire) < distance.lanes(self.most)
    }

    /// Waits until a lane is freed. Who can't use it after all passes it on.
    pub(super) async fn freed(&self) {
        self.freed.notified().await;
    }

    /// A freed lane is for somebody else.
    pub(super) fn pass_on(&self) {
        self.freed.notify_one();
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.pace.landed();
        self.lanes.taken.fetch_sub(1, Ordering::AcqRel);
        self.lanes.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_are_taken_and_given_back() {
        let (lanes, pace, distance) = (Lanes::new(2), Arc::new(Pace::new(8)), Distance::default());
        let first = lanes.take(&pace, &distance).ok();
        let second = lanes.take(&pace, &distance).ok();
        assert!(first.is_some() && second.is_some());
        assert_eq!(lanes.take(&pace, &distance).err(), Some(NoLane::Full));
        drop(first);
        assert!(lanes.take(&pace, &distance).is_ok());
        let slow = Arc::new(Pace::new(1));
        drop(second);
        let _only = lanes.take(&slow, &distance);
        assert_eq!(lanes.take(&slow, &distance).err(), Some(NoLane::Pace));
    }
}
