//! Why a workflow ended, and what a person can do about it.

use std::error::Error as StdError;
use std::fmt;

/// The result of every step.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of end it was. Each kind has a fixed exit code when nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The configuration or an argument can't work.
    Configuration,
    /// The Kubernetes API, pachd, etcd or a store can't be reached.
    Unreachable,
    /// There is no such cluster, run or object.
    NotFound,
    /// A right or a credential is missing.
    Denied,
    /// The cluster is of a kind that can't be backed up: other storage, a known-bad version.
    UnsupportedCluster,
    /// What was discovered contradicts the running cluster.
    WrongCluster,
    /// The vault or the clone's place can't be used.
    Vault,
    /// Open work would be lost.
    OpenWork,
    /// Another run is at work, or its undo record is still there.
    Busy,
    /// The cluster did not stay quiet, or something changed under our hands.
    Disturbed,
    /// A limit in time passed.
    Deadline,
    /// An artifact is incomplete or contradicts another one.
    Incomplete,
    /// A recovery point is damaged.
    Damaged,
    /// A person or the system asked to stop.
    Cancelled,
    /// Anything else.
    Failed,
}

impl ErrorKind {
    /// The kind's name, in kebab case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Unreachable => "unreachable",
            Self::NotFound => "not-found",
            Self::Denied => "denied",
            Self::UnsupportedCluster => "unsupported-cluster",
            Self::WrongCluster => "wrong-cluster",
            Self::Vault => "vault",
            Self::OpenWork => "open-work",
            Self::Busy => "busy",
            Self::Disturbed => "disturbed",
            Self::Deadline => "deadline",
            Self::Incomplete => "incomplete",
            Self::Damaged => "damaged",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }
}

/// An error of a workflow: what failed, at what, why, and the way out.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    advice: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error whose message says what failed and at what, without the cause.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), advice: None, source: None }
    }

    /// The same error with its cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same error with what to do about it.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// What kind of end it was.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The way out, if there is a known one.
    #[must_use]
    pub fn advice(&self) -> Option<&str> {
        self.advice.as_deref()
    }
}

/// An error and its causes in one line.
pub fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

impl From<provider::Error> for Error {
    fn from(error: provider::Error) -> Self {
        use provider::ErrorKind as Provider;
        let kind = match error.kind() {
            Provider::NotFound => ErrorKind::NotFound,
            Provider::Denied | Provider::Unauthenticated => ErrorKind::Denied,
            Provider::Throttled | Provider::Unavailable | Provider::Timeout => ErrorKind::Unreachable,
            Provider::Corrupt => ErrorKind::Damaged,
            _ => ErrorKind::Failed,
        };
        Self::new(kind, format!("{} failed at {}", error.operation(), error.resource())).because(error)
    }
}

impl From<kube::Error> for Error {
    fn from(error: kube::Error) -> Self {
        let kind = match &error {
            kube::Error::Api(status) => match status.code {
                401 | 403 => ErrorKind::Denied,
                404 => ErrorKind::NotFound,
                429 | 500..=599 => ErrorKind::Unreachable,
                _ => ErrorKind::Failed,
            },
            kube::Error::Auth(_) => ErrorKind::Denied,
            kube::Error::HyperError(_) | kube::Error::Service(_) => ErrorKind::Unreachable,
            _ => ErrorKind::Failed,
        };
        Self::new(kind, "the Kubernetes API refused a request").because(error)
    }
}

impl From<crate::clone::CloneError> for Error {
    fn from(error: crate::clone::CloneError) -> Self {
        use crate::clone::CloneError as Clone;
        let kind = match (&error, error.kind()) {
            (Clone::Locked { .. }, _) => ErrorKind::Busy,
            (Clone::LockLost { .. } | Clone::ListingIncomplete { .. } | Clone::TooManyDeletes { .. }, _) => {
                ErrorKind::Disturbed
            }
            (
                Clone::Overlap { .. }
                | Clone::ForeignDestination { .. }
                | Clone::OtherClone { .. }
                | Clone::OtherPlan { .. }
                | Clone::KeyNotHeld { .. },
                _,
            ) => ErrorKind::Configuration,
            (_, Some(provider::ErrorKind::Denied | provider::ErrorKind::Unauthenticated)) => ErrorKind::Denied,
            (_, Some(kind)) if kind.default_retry() != provider::Retry::Never => ErrorKind::Unreachable,
            _ => ErrorKind::Failed,
        };
        let advice = error.advice();
        let error = Self::new(kind, "cloning the bucket failed").because(error);
        match advice {
            Some(advice) => error.advise(advice),
            None => error,
        }
    }
}

impl From<crate::vault::VaultError> for Error {
    fn from(error: crate::vault::VaultError) -> Self {
        Self::new(ErrorKind::Vault, "the vault can't be used").because(error)
    }
}
