//! One error type for every provider: what went wrong, whether a retry helps, and where it happened.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

/// The result of every call of the contract.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, named for what the caller can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The object, snapshot, volume or bucket does not exist.
    NotFound,
    /// A create-only write found something under that name.
    AlreadyExists,
    /// A condition of the request no longer holds: the source changed since it was looked at.
    Changed,
    /// The credentials are known and lack the right.
    Denied,
    /// The credentials are missing, wrong or expired.
    Unauthenticated,
    /// The service asks for fewer requests.
    Throttled,
    /// The service failed or could not be reached; nothing is known about the outcome of a write.
    Unavailable,
    /// The request did not finish in its time; nothing is known about the outcome of a write.
    Timeout,
    /// The request can't succeed as it is: a bad name, a bad size, a bad combination.
    Invalid,
    /// The store or this provider can't do this at all. Capabilities say so beforehand.
    Unsupported,
    /// A limit of the account or of the disk was reached.
    Exhausted,
    /// Bytes did not match their checksum, or an answer contradicts itself.
    Corrupt,
    /// Anything else.
    Other,
}

impl ErrorKind {
    /// The word used in messages and in machine-readable output, in kebab case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::AlreadyExists => "already-exists",
            Self::Changed => "changed",
            Self::Denied => "denied",
            Self::Unauthenticated => "unauthenticated",
            Self::Throttled => "throttled",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Invalid => "invalid",
            Self::Unsupported => "unsupported",
            Self::Exhausted => "exhausted",
            Self::Corrupt => "corrupt",
            Self::Other => "other",
        }
    }

    /// The retry class that an error of this kind has unless its provider knows better.
    #[must_use]
    pub fn default_retry(self) -> Retry {
        match self {
            Self::Throttled => Retry::Slower { after: None },
            Self::Unavailable | Self::Timeout | Self::Corrupt => Retry::Again,
            _ => Retry::Never,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether the same call may succeed later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Retry {
    /// It will fail the same way until somebody changes something.
    Never,
    /// It may succeed if sent again.
    Again,
    /// It may succeed if sent again, and the caller has to send fewer requests from now on.
    Slower {
        /// The least time to wait, if the service named one.
        after: Option<Duration>,
    },
}

/// An error of a provider.
///
/// It keeps its cause as a value: nothing becomes a string on the way up. `operation` is the name of the call as
/// the service's documentation writes it, `resource` what it was about.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    retry: Retry,
    operation: &'static str,
    resource: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error without a cause of its own, with the usual retry class of its kind.
    pub fn new(kind: ErrorKind, operation: &'static str, resource: impl Into<String>) -> Self {
        Self { kind, retry: kind.default_retry(), operation, resource: resource.into(), source: None }
    }

    /// The same error with its cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same error with another retry class than its kind's usual one.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn retry(&self) -> Retry {
        self.retry
    }

    /// The service's name of the call that failed.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// What the call was about: a bucket and key, a volume, a snapshot.
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.resource
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}: {}", self.operation, self.resource, self.kind)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}
