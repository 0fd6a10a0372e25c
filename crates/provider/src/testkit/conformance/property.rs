//! How a property ends.

use std::error::Error as StdError;
use std::fmt;

use crate::{Error, ErrorKind};

/// How a property ended that wasn't violated.
#[derive(Debug)]
pub(super) enum Verdict {
    Held,
    Skipped(String),
}

pub(super) type Outcome = Result<Verdict, Violation>;

/// What was seen instead of what the contract says.
#[derive(Debug)]
pub(super) struct Violation(pub(super) String);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Error> for Violation {
    fn from(error: Error) -> Self {
        let mut text = format!("unexpected error: {error}");
        let mut cause = error.source();
        while let Some(error) = cause {
            text.push_str(&format!(": {error}"));
            cause = error.source();
        }
        Self(text)
    }
}

/// Ends the property as skipped.
pub(super) fn skipped(reason: impl Into<String>) -> Outcome {
    Ok(Verdict::Skipped(reason.into()))
}

/// Ends the property as violated unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            return Err($crate::testkit::conformance::property::Violation(format!($($text)+)));
        }
    };
}
pub(super) use ensure;

/// The error of a call that had to fail with this kind.
pub(super) fn refused<T: fmt::Debug>(
    what: &str,
    result: Result<T, Error>,
    kind: ErrorKind,
) -> Result<Error, Violation> {
    match result {
        Err(error) if error.kind() == kind => Ok(error),
        Err(error) => {
            let seen = error.kind();
            let Violation(text) = error.into();
            Err(Violation(format!("{what}: wanted {kind}, got {seen}: {text}")))
        }
        Ok(answer) => Err(Violation(format!("{what}: wanted {kind}, got success: {answer:?}"))),
    }
}
