//! Faults that a test switches on while the server runs.

use super::answer::Refused;

use crate::request_faults::RequestFault;

/// What happens to a request that a [`Ec2Fault`] meets.
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
}

/// Which of the next requests go wrong, and how. Without other words: the next one, whatever it is.
pub type Ec2Fault = RequestFault<Effect>;

impl Ec2Fault {
    /// The request is refused with this status, code and message.
    #[must_use]
    pub fn refuse(status: u16, code: &str, message: &str) -> Self {
        Self::new(Effect::Refuse(Refused::new(status, code, message)))
    }

    /// Too many requests: `RequestLimitExceeded`.
    #[must_use]
    pub fn throttle() -> Self {
        Self::refuse(503, "RequestLimitExceeded", "Request limit exceeded.")
    }

    /// The answer has this status and a body that isn't EC2's, as from a broken load balancer.
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
}
