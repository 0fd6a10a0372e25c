//! Faults that a test orders: what goes wrong, for which calls, how often.

use std::time::Duration;

use super::Operation;

/// What goes wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Answers an error. Nothing is done.
    Error {
        /// HTTP status; a gRPC call has the code that Google's API guide puts beside it (429 is `RESOURCE_EXHAUSTED`).
        status: u16,
        /// The `reason` in the JSON document.
        reason: &'static str,
        /// `Retry-After` in seconds, over HTTP.
        retry_after: Option<u32>,
    },
    /// Closes the connection before anything is done. Other calls on a connection of HTTP/2 lose theirs too.
    DropBefore,
    /// Does the work, then closes the connection: the reply is lost, as are those of other calls on it.
    DropAfter,
    /// Does the work and answers with a CRC32C that is not the object's.
    WrongChecksum,
    /// Sends the content in chunks, with a pause before each.
    SlowBody {
        /// Bytes in a chunk.
        chunk: usize,
        /// The pause.
        pause: Duration,
    },
    /// Sends so many bytes of the content, then closes the connection.
    TruncatedBody {
        /// Bytes sent.
        after: usize,
    },
    /// Flips the lowest bit of the first byte of the content.
    FlippedByte,
}

impl Fault {
    /// `RESOURCE_EXHAUSTED`, status 429: fewer requests are asked for.
    #[must_use]
    pub fn slow_down() -> Self {
        Self::error(429, "rateLimitExceeded")
    }

    /// `UNAVAILABLE`, status 503.
    #[must_use]
    pub fn unavailable() -> Self {
        Self::error(503, "backendError")
    }

    /// `INTERNAL`, status 500.
    #[must_use]
    pub fn internal_error() -> Self {
        Self::error(500, "internalError")
    }

    /// Any error.
    #[must_use]
    pub fn error(status: u16, reason: &'static str) -> Self {
        Self::Error { status, reason, retry_after: None }
    }
}

/// Which requests have a fault.
pub type FaultRule = crate::fault_script::FaultRule<Fault, Operation>;

/// The faults of one server. Clones share the script.
pub type FaultScript = crate::fault_script::FaultScript<Fault, Operation>;
