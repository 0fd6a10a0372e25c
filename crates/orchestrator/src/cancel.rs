//! Work that ends when somebody asks to stop.

use tokio_util::sync::CancellationToken;

use crate::error::{Error, ErrorKind, Result};

/// `work`, unless somebody asks to stop.
pub(crate) async fn unless_cancelled<T>(
    cancel: &CancellationToken,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(Error::new(ErrorKind::Cancelled, "the run was asked to stop")),
        done = work => done,
    }
}
