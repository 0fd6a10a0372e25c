//! SIGINT, SIGTERM and SIGHUP are one path: the run is cancelled and the cluster put back. A second signal doesn't cut
//! that short.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::render::stderr_line;

const RUNNING: u8 = 0;
const BY_SIGNAL: u8 = 1;
const BY_TIMEOUT: u8 = 2;

/// Tells a command when to stop, and remembers why.
#[derive(Clone, Debug)]
pub(crate) struct Interruption {
    token: CancellationToken,
    reason: Arc<AtomicU8>,
}

impl Interruption {
    /// Listens for signals, and for the end of `timeout`, from now on.
    ///
    /// # Errors
    /// When the system refuses to register a handler.
    pub(crate) fn listen(timeout: Option<Duration>) -> io::Result<Self> {
        let interruption = Self { token: CancellationToken::new(), reason: Arc::new(AtomicU8::new(RUNNING)) };
        for (kind, name) in [
            (SignalKind::interrupt(), "SIGINT"),
            (SignalKind::terminate(), "SIGTERM"),
            (SignalKind::hangup(), "SIGHUP"),
        ] {
            let mut signals = signal(kind)?;
            let interruption = interruption.clone();
            tokio::spawn(async move {
                while signals.recv().await.is_some() {
                    interruption.interrupt(BY_SIGNAL, name);
                }
            });
        }
        if let Some(timeout) = timeout {
            let interruption = interruption.clone();
            tokio::spawn(async move {
                tokio::time::sleep(timeout).await;
                interruption.interrupt(BY_TIMEOUT, "end of --timeout");
            });
        }
        Ok(interruption)
    }

    /// Cancelled when the command is to stop.
    pub(crate) fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// Whether the time ran out, as opposed to a signal.
    pub(crate) fn timed_out(&self) -> bool {
        self.reason.load(Ordering::Relaxed) == BY_TIMEOUT
    }

    fn interrupt(&self, reason: u8, name: &str) {
        if self.reason.compare_exchange(RUNNING, reason, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            stderr_line(&format!("{name}: stopping; whatever was changed in the cluster is put back first"));
            self.token.cancel();
        } else {
            stderr_line(&format!(
                "{name}: already stopping; putting the cluster back goes on, so that it isn't left paused"
            ));
        }
    }
}
