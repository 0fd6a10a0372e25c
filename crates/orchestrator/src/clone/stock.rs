//! Keys that one worker has in stock: listed, or asked for, and not begun yet.
//!
//! What one worker has listed no other one can take over, and it waits in memory. So pages are asked for as they are needed, not as
//! fast as the store gives them.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The stock of one worker. Clones are the same one.
#[derive(Clone, Debug)]
pub(super) struct Stock {
    room: Arc<Semaphore>,
    page_keys: usize,
}

impl Stock {
    /// An empty stock with room for so many pages, each of at most so many keys.
    pub(super) fn new(page_keys: usize, pages: usize) -> Self {
        let page_keys = page_keys.clamp(1, u32::MAX as usize);
        let room = page_keys.saturating_mul(pages).min(Semaphore::MAX_PERMITS);
        Self { room: Arc::new(Semaphore::new(room)), page_keys }
    }

    /// Waits until there is room for one more page. Dropping what is answered gives the room back.
    pub(super) async fn room_for_a_page(&self) -> OwnedSemaphorePermit {
        let keys = u32::try_from(self.page_keys).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).acquire_many_owned(keys).await;
        room.expect("a semaphore that is never closed")
    }

    /// There is room for so many pages more from now on: what was in stock was not enough.
    pub(super) fn grow(&self, pages: usize) {
        self.room.add_permits(pages * self.page_keys);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_page_waits_until_there_is_room() {
        let stock = Stock::new(1000, 2);
        let mut first = stock.room_for_a_page().await;
        let _second = stock.room_for_a_page().await;
        assert!(stock.room_for_a_page().now_or_never().is_none());
        drop(first.split(999));
        assert!(stock.room_for_a_page().now_or_never().is_none());
        drop(first);
        let third = stock.room_for_a_page().now_or_never();
        assert!(third.is_some());
        stock.grow(1);
        assert!(stock.room_for_a_page().now_or_never().is_some());
    }
}
