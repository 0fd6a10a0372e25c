//! Faults that a test switches on while the server runs.

use super::answer::Refused;

use crate::request_faults::RequestFault;

/// Why an operation fails that was accepted.
#[derive(Clone, Debug)]
pub struct OperationError {
    pub(super) code: String,
    pub(super) message: String,
    pub(super) status: u16,
}

/// What happens to a request that a [`ComputeFault`] meets.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Nothing is done; this is answered.
    Refuse(Refused),
    /// Nothing is done; the answer has this status and nothing that can be read.
    Status(u16),
    /// Nothing is done; the connection is closed without an answer.
    DropConnection,
    /// The request is carried out, then the connection is closed without an answer.
    LoseReply,
    /// The request is accepted, and its operation ends `DONE` with this error.
    FailOperation(OperationError),
}

/// Which of the next requests go wrong, and how. Without other words: the next one, whatever it is.
pub type ComputeFault = RequestFault<Effect>;

impl ComputeFault {
    /// The request is refused with this status, reason and message.
    #[must_use]
    pub fn refuse(status: u16, reason: &str, message: &str) -> Self {
        Self::new(Effect::Refuse(Refused::new(status, reason, message)))
    }

    /// Too many requests: 403 `rateLimitExceeded`.
    #[must_use]
    pub fn throttle() -> Self {
        Self::refuse(403, "rateLimitExceeded", "Rate Limit Exceeded")
    }

    /// The answer has this status and a body that isn't Google's, as from a broken load balancer.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::new(Effect::Status(status))
    }

    /// The connection is closed before the request is heard.
    #[must_use]
    pub fn drop_connection() -> Self {
        Self::new(Effect::DropConnection)
    }

    /// The request is carried out, and the connection closed without an answer.
    #[must_use]
    pub fn lose_reply() -> Self {
        Self::new(Effect::LoseReply)
    }

    /// The request is accepted, and its operation ends `DONE` with an error of this code (`RESOURCE_NOT_READY`) and status.
    #[must_use]
    pub fn fail_operation(code: &str, status: u16, message: &str) -> Self {
        let (code, message) = (code.to_owned(), message.to_owned());
        Self::new(Effect::FailOperation(OperationError { code, message, status }))
    }
}
