//! The messages of a server stream.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures::{Stream, StreamExt as _};
use tokio::time::{Instant, Sleep};

use crate::error::{Cause, Error};

/// The messages of a server stream, in order.
///
/// Ends with `None` only after the server has sent a final status of success; everything else, also a connection that just
/// ended, is an error, and nothing follows an error. A message that does not come within the progress deadline is an
/// error too; only time spent waiting counts, not the time between two polls. Dropping it cancels the call.
#[derive(Debug)]
pub struct Messages<T> {
    inner: tonic::Streaming<T>,
    operation: &'static str,
    resource: Box<str>,
    patience: Option<Patience>,
    ended: bool,
}

#[derive(Debug)]
struct Patience {
    limit: Duration,
    sleep: Pin<Box<Sleep>>,
    waiting: bool,
}

impl<T> Messages<T> {
    pub(super) fn new(
        inner: tonic::Streaming<T>,
        operation: &'static str,
        resource: &str,
        progress_deadline: Option<Duration>,
    ) -> Self {
        let patience = progress_deadline.map(|limit| Patience {
            limit,
            sleep: Box::pin(tokio::time::sleep(limit)),
            waiting: false,
        });
        Self { inner, operation, resource: resource.into(), patience, ended: false }
    }

    /// The next message; `None` at the end.
    ///
    /// # Errors
    ///
    /// As for the whole stream.
    pub async fn message(&mut self) -> Result<Option<T>, Error> {
        self.next().await.transpose()
    }

    pub(crate) fn error(&self, cause: Cause) -> Error {
        Error::new(self.operation, &self.resource, cause)
    }
}

impl<T> Stream for Messages<T> {
    type Item = Result<T, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if let Poll::Ready(item) = self.inner.poll_next_unpin(context) {
            if let Some(patience) = &mut self.patience {
                patience.waiting = false;
            }
            self.ended = !matches!(item, Some(Ok(_)));
            return Poll::Ready(item.map(|item| item.map_err(|status| self.error(Cause::Status(status)))));
        }
        let Some(patience) = &mut self.patience else { return Poll::Pending };
        if !patience.waiting {
            // Beyond what the clock can tell means for ever.
            let Some(until) = Instant::now().checked_add(patience.limit) else { return Poll::Pending };
            patience.waiting = true;
            patience.sleep.as_mut().reset(until);
        }
        if patience.sleep.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        let limit = patience.limit;
        self.ended = true;
        Poll::Ready(Some(Err(self.error(Cause::NoProgress(limit)))))
    }
}
