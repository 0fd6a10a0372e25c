//! What a call to pachd or etcd can fail with.

mod certificate;
mod condition;

use std::time::Duration;

pub use condition::Condition;

use crate::proto::method;

/// A call that failed: what was asked of what, why, and the cause as it came.
///
/// Its text holds that of the cause; its source is what lies behind the cause, so a chain repeats nothing.
#[derive(Debug)]
pub struct Error {
    operation: &'static str,
    resource: Option<Box<str>>,
    condition: Condition,
    cause: Box<Cause>,
}

/// What made a call fail.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// The server answered with an error, or the connection broke during the call.
    #[error("{} ({:?})", .0.message(), .0.code())]
    Status(tonic::Status),
    /// No connection could be made.
    #[error("cannot connect")]
    Connect(#[source] tonic::transport::Error),
    /// The call did not end in time.
    #[error("no answer within {} s", .0.as_secs_f64())]
    Deadline(Duration),
    /// A stream delivered nothing for too long.
    #[error("nothing received for {} s", .0.as_secs_f64())]
    NoProgress(Duration),
    /// The token cannot be sent, since it holds a character that a header must not hold.
    #[error("the token holds a character that cannot be sent")]
    Token(#[source] tonic::metadata::errors::InvalidMetadataValue),
    /// What was received could not be written.
    #[error("cannot write what was received")]
    Write(#[source] std::io::Error),
    /// What was to be sent could not be read.
    #[error("cannot read what was to be sent")]
    Read(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A message is larger than any that the server takes; it was not sent.
    #[error("a message of {bytes} bytes exceeds the limit of {limit} bytes")]
    TooLarge {
        /// Its size in bytes.
        bytes: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The server broke a rule of its protocol.
    #[error("{0}")]
    Protocol(Box<str>),
    /// The server ended a watch.
    #[error("the watch was ended by the server: {reason}")]
    WatchEnded {
        /// Its words; empty if it gave none.
        reason: Box<str>,
        /// If not 0: this revision and everything before it was compacted away.
        compact_revision: i64,
    },
}

impl Error {
    /// An error of `operation` on `resource` (empty for none). The condition is recognised from the cause.
    #[must_use]
    pub fn new(operation: &'static str, resource: &str, cause: Cause) -> Self {
        Self {
            operation,
            resource: (!resource.is_empty()).then(|| resource.into()),
            condition: Condition::of(&cause),
            cause: Box::new(cause),
        }
    }

    /// The gRPC path of the call, such as `/pps.API/StopPipeline`.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// What the call was about: the name of a pipeline, a repo, an address; `None` if about everything.
    #[must_use]
    pub fn resource(&self) -> Option<&str> {
        self.resource.as_deref()
    }

    /// The situation, as far as it is recognised.
    #[must_use]
    pub fn condition(&self) -> Condition {
        self.condition
    }

    /// The cause as it came.
    #[must_use]
    pub fn cause(&self) -> &Cause {
        &self.cause
    }

    /// The answer of the server, if that is the cause.
    #[must_use]
    pub fn status(&self) -> Option<&tonic::Status> {
        match &*self.cause {
            Cause::Status(status) => Some(status),
            _ => None,
        }
    }

    /// Whether the same call may succeed later without anybody changing anything. Never after a restore, whose cluster may
    /// be partly filled.
    #[must_use]
    pub fn retry_helps(&self) -> bool {
        self.condition.is_transient() && self.operation != method::RESTORE
    }

    /// Whether the thing that was asked for does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.condition.is_not_found()
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.resource {
            Some(resource) => write!(f, "{} of {resource}: {}", self.operation, self.cause),
            None => write!(f, "{}: {}", self.operation, self.cause),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &*self.cause {
            Cause::Status(status) => std::error::Error::source(status),
            cause => std::error::Error::source(cause),
        }
    }
}
