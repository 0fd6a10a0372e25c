//! Faults that a test orders: what goes wrong, for which calls, how often.

use std::time::Duration;

use super::Operation;

/// What goes wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Answers an error. Nothing is done.
    Error {
        /// HTTP status.
        status: u16,
        /// The `Code` of the error document.
        code: String,
        /// `Retry-After` in seconds.
        retry_after: Option<u32>,
    },
    /// Answers status 200 whose body is an error document with this code, as S3 may do for `CopyObject`,
    /// `UploadPartCopy` and `CompleteMultipartUpload`. Nothing is done.
    OkWithError {
        /// The `Code` of the error document.
        code: String,
    },
    /// Closes the connection before anything is done.
    DropBefore,
    /// Does the work, then closes the connection: the reply is lost.
    DropAfter,
    /// Does the work and answers with an ETag that is not the object's.
    WrongETag,
    /// Sends the body in chunks, with a pause before each.
    SlowBody {
        /// Bytes in a chunk.
        chunk: usize,
        /// The pause.
        pause: Duration,
    },
    /// Sends so many bytes of the body, then closes the connection.
    TruncatedBody {
        /// Bytes sent.
        after: usize,
    },
    /// Flips the lowest bit of the first byte of the body.
    FlippedByte,
}

impl Fault {
    /// `SlowDown`, status 503: S3 asks for fewer requests.
    #[must_use]
    pub fn slow_down() -> Self {
        Self::error(503, "SlowDown")
    }

    /// `InternalError`, status 500.
    #[must_use]
    pub fn internal_error() -> Self {
        Self::error(500, "InternalError")
    }

    /// Any error document.
    #[must_use]
    pub fn error(status: u16, code: &str) -> Self {
        Self::Error { status, code: code.to_owned(), retry_after: None }
    }

    /// Status 200 with an `InternalError` in the body.
    #[must_use]
    pub fn ok_with_error() -> Self {
        Self::OkWithError { code: "InternalError".to_owned() }
    }
}

/// Which requests have a fault.
pub type FaultRule = crate::fault_script::FaultRule<Fault, Operation>;

/// The faults of one server. Clones share the script.
pub type FaultScript = crate::fault_script::FaultScript<Fault, Operation>;
