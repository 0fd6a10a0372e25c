//! An error that a store answered, as the lean client reads it.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use provider::Error;

use super::code::of_code;
use super::explained::{explained, explanation};
use super::finish;

/// What a store answered in place of what was asked.
#[derive(Debug, Default)]
pub(crate) struct Answered {
    /// Status of the answer; 200 where only the body says that it is an error.
    pub(crate) status: u16,
    /// `Code` of the error document, if there was one.
    pub(crate) code: Option<String>,
    /// `Message` of the error document.
    pub(crate) message: Option<String>,
    /// What the store calls this request.
    pub(crate) request_id: Option<String>,
    /// The least time to wait, if the store named one.
    pub(crate) retry_after: Option<Duration>,
    /// The region that the store says the bucket is in.
    pub(crate) region: Option<String>,
}

impl fmt::Display for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}", self.status)?;
        if let Some(code) = &self.code {
            write!(f, ", {code}")?;
        }
        if let Some(message) = &self.message {
            write!(f, ": {message}")?;
        }
        match &self.request_id {
            Some(id) => write!(f, " (request {id})"),
            None => Ok(()),
        }
    }
}

impl StdError for Answered {}

/// The bucket is in another region than the one that requests are signed for and sent to.
#[derive(Debug, thiserror::Error)]
#[error("the bucket is in the region {region:?}: set `region` to it")]
pub(super) struct WrongRegion {
    pub(super) region: String,
    pub(super) source: Box<dyn StdError + Send + Sync>,
}

/// Whether an answer is of the kind that sends a client to another region.
pub(super) fn names_a_region(status: u16, code: Option<&str>) -> bool {
    matches!(status, 301 | 307 | 308) || code == Some("AuthorizationHeaderMalformed")
}

/// The wait that a `Retry-After` header names, in whole seconds. Dates are not understood.
pub(crate) fn retry_after(value: &str) -> Option<Duration> {
    value.trim().parse().ok().map(Duration::from_secs)
}

/// The contract's error of an answer, which it keeps as its source.
pub(crate) fn answered(operation: &'static str, resource: &str, mut answer: Answered) -> Error {
    let kind = of_code(answer.code.as_deref(), answer.status, operation);
    let error = finish(kind, answer.retry_after, operation, resource.to_owned());
    match answer.region.take_if(|_| names_a_region(answer.status, answer.code.as_deref())) {
        Some(region) => error.with_source(WrongRegion { region, source: Box::new(answer) }),
        None => {
            let why = explanation(kind, answer.code.as_deref(), answer.message.as_deref(), operation);
            explained(error, why, answer)
        }
    }
}
