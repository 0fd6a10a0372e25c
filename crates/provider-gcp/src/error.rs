//! The SDK's errors in the contract's words.

mod judgement;

use google_cloud_gax::error::Error as SdkError;
use provider::{Error, ErrorKind};

use judgement::Judgement;

/// What Google, or the SDK on the way to it, says of a call that failed, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{code}: {message}{}", advice.map(|advice| format!(" ({advice})")).unwrap_or_default())]
#[non_exhaustive]
pub struct GcsRefusal {
    /// The name of the gRPC status, the number of the HTTP status, or a word for what went wrong on the way.
    pub code: String,
    /// Google's words.
    pub message: String,
    /// Google's reason (`rateLimitExceeded`), where the answer has one.
    pub reason: Option<String>,
    /// What to do about it.
    pub advice: Option<&'static str>,
    /// The SDK's error.
    #[source]
    pub cause: SdkError,
}

/// An error that nothing but its words explains.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Words(pub(crate) String);

/// The SDK's error of a call. `unmet` is what a failed precondition means: what the call made a condition of.
pub(crate) fn from_sdk(
    operation: &'static str,
    resource: impl Into<String>,
    unmet: ErrorKind,
    error: SdkError,
) -> Error {
    let Judgement { kind, retry, code, message, reason, advice } = judgement::of(&error, unmet);
    let refusal = GcsRefusal { code, message, reason, advice, cause: error };
    Error::new(kind, operation, resource).with_retry(retry).with_source(refusal)
}

/// A client of the SDK that could not be made.
pub(crate) fn of_client(endpoint: &str, error: google_cloud_gax::client_builder::Error) -> Error {
    let kind = if error.is_default_credentials() { ErrorKind::Unauthenticated } else { ErrorKind::Invalid };
    Error::new(kind, "connect", endpoint).with_source(error)
}

/// A refusal of our own, before or instead of a request.
pub(crate) fn refused(
    kind: ErrorKind,
    operation: &'static str,
    resource: impl Into<String>,
    why: impl Into<String>,
) -> Error {
    Error::new(kind, operation, resource).with_source(Words(why.into()))
}

/// An answer that contradicts itself, or bytes that are not what they were said to be.
pub(crate) fn contradiction(operation: &'static str, resource: impl Into<String>, what: &'static str) -> Error {
    refused(ErrorKind::Corrupt, operation, resource, what)
}
