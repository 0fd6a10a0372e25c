//! Values made by a task of its own and taken through a bounded channel.

use std::future::Future;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::task::AbortOnDropHandle;

use super::Result;

/// The receiving end of a producer. Dropping it ends the producer.
///
/// The end of the values is told by the producer's result, never by a closed channel alone, so a producer that failed or
/// panicked can't be taken for one that is finished.
#[derive(Debug)]
pub(super) struct Feed<T> {
    values: mpsc::Receiver<T>,
    producer: Option<AbortOnDropHandle<Result<()>>>,
}

impl<T: Send + 'static> Feed<T> {
    /// Starts a producer; a failed send means that nobody listens any more.
    pub(super) fn start<F>(capacity: usize, produce: impl FnOnce(mpsc::Sender<T>) -> F) -> Self
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let (sender, values) = mpsc::channel(capacity);
        Self::of(values, tokio::spawn(produce(sender)))
    }

    fn of(values: mpsc::Receiver<T>, producer: JoinHandle<Result<()>>) -> Self {
        Self { values, producer: Some(AbortOnDropHandle::new(producer)) }
    }

    /// The next value; `None` at the end, and from then on. Nothing is lost when the call is dropped.
    pub(super) async fn next(&mut self) -> Result<Option<T>> {
        if let Some(value) = self.values.recv().await {
            return Ok(Some(value));
        }
        let Some(producer) = &mut self.producer else { return Ok(None) };
        let result = producer.await;
        self.producer = None;
        match result {
            Ok(result) => result.map(|()| None),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

/// A feed of batches, taken one value at a time.
#[derive(Debug)]
pub(super) struct Batched<T> {
    feed: Feed<Vec<T>>,
    batch: std::vec::IntoIter<T>,
}

impl<T: Send + 'static> Batched<T> {
    pub(super) fn new(feed: Feed<Vec<T>>) -> Self {
        Self { feed, batch: Vec::new().into_iter() }
    }

    pub(super) async fn next(&mut self) -> Result<Option<T>> {
        loop {
            if let Some(value) = self.batch.next() {
                return Ok(Some(value));
            }
            match self.feed.next().await? {
                Some(batch) => self.batch = batch.into_iter(),
                None => return Ok(None),
            }
        }
    }
}
