//! Clean-ups that go on after the call that owes them was cancelled.
//!
//! A future that is dropped can't wait. What it must still undo at a store, such as an upload that would be billed for
//! good, goes to a task of its own. A process that is about to end calls [`finish`], so that such tasks have a chance.

use std::future::Future;
use std::sync::LazyLock;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// Everything owed in this process. Closed, so that it can be waited for at any time.
static OWED: LazyLock<TaskTracker> = LazyLock::new(|| {
    let tracker = TaskTracker::new();
    tracker.close();
    tracker
});

/// Something that may have to be undone. [`finish`] waits for it from the moment it is made until it is dropped, so no
/// clean-up is missed because its call is only about to be dropped.
#[derive(Debug)]
pub struct Owed {
    token: TaskTrackerToken,
}

impl Owed {
    /// Announces that a clean-up may follow.
    #[must_use]
    pub fn announce() -> Self {
        Self { token: OWED.token() }
    }

    /// Lets the clean-up run in a task of its own. Outside of a runtime, which is the case when that ended before its
    /// tasks, nothing is done, and the answer is `false`.
    #[must_use]
    pub fn spawn(self, clean_up: impl Future<Output = ()> + Send + 'static) -> bool {
        let Ok(runtime) = Handle::try_current() else { return false };
        runtime.spawn(async move {
            clean_up.await;
            drop(self.token);
        });
        true
    }
}

/// Waits for all that is owed, but not longer than `longest`. Answers whether all of it is done.
pub async fn finish(longest: Duration) -> bool {
    tokio::time::timeout(longest, OWED.wait()).await.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One test, for what is owed is the whole process's.
    #[tokio::test]
    async fn what_is_owed_is_waited_for_and_not_without_end() {
        assert!(finish(Duration::from_secs(60)).await);
        let owed = Owed::announce();
        assert!(!finish(Duration::from_millis(10)).await);

        let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
        let (told, done) = tokio::sync::oneshot::channel::<()>();
        assert!(owed.spawn(async move {
            drop(receiver.await);
            let _ = told.send(());
        }));
        assert!(!finish(Duration::from_millis(10)).await);
        drop(sender);
        assert!(finish(Duration::from_secs(60)).await);
        assert!(done.await.is_ok());
        assert!(!std::thread::spawn(|| Owed::announce().spawn(async {})).join().unwrap_or(true));
    }
}
