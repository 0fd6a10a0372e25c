//! Faults that a test orders: what goes wrong, for which calls, how often.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Operation;
use super::operation::Call;

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
#[derive(Clone, Debug)]
pub struct FaultRule {
    fault: Fault,
    operation: Option<Operation>,
    key_part: Option<String>,
    skip: u64,
    times: u64,
    hits: u64,
}

impl FaultRule {
    /// The next request of any kind has this fault.
    #[must_use]
    pub fn new(fault: Fault) -> Self {
        Self { fault, operation: None, key_part: None, skip: 0, times: 1, hits: 0 }
    }

    /// Only requests of this operation.
    #[must_use]
    pub fn on(mut self, operation: Operation) -> Self {
        self.operation = Some(operation);
        self
    }

    /// Only requests whose raw key contains this.
    #[must_use]
    pub fn key_contains(mut self, part: impl Into<String>) -> Self {
        self.key_part = Some(part.into());
        self
    }

    /// Lets so many fitting requests pass first.
    #[must_use]
    pub fn skip(mut self, skip: u64) -> Self {
        self.skip = skip;
        self
    }

    /// So many requests have it, instead of one.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = times;
        self
    }

    /// Every fitting request has it, until the script is cleared.
    #[must_use]
    pub fn always(self) -> Self {
        self.times(u64::MAX)
    }

    fn fits(&self, call: &Call) -> bool {
        self.operation.is_none_or(|operation| operation == call.operation)
            && self.key_part.as_ref().is_none_or(|part| call.key.contains(part))
    }
}

/// The faults of one server. Clones share the script.
#[derive(Clone, Debug, Default)]
pub struct FaultScript {
    rules: Arc<Mutex<Vec<FaultRule>>>,
}

impl FaultScript {
    /// Adds a rule. The first rule that fits a request and is not used up decides.
    pub fn add(&self, rule: FaultRule) {
        self.lock().push(rule);
    }

    /// Forgets every rule.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// How many requests had a fault so far, by the rules that are still in the script.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.lock().iter().map(|rule| rule.hits).sum()
    }

    pub(super) fn next(&self, call: &Call) -> Option<Fault> {
        for rule in self.lock().iter_mut().filter(|rule| rule.hits < rule.times && rule.fits(call)) {
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            rule.hits += 1;
            return Some(rule.fault.clone());
        }
        None
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<FaultRule>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_for_its_calls_and_used_up() {
        let script = FaultScript::default();
        script.add(FaultRule::new(Fault::DropAfter).on(Operation::CopyObject).key_contains("tag/").skip(1).times(2));
        let copy = Call { operation: Operation::CopyObject, bucket: "data".into(), key: "tag/a".into() };
        let other_key = Call { operation: Operation::CopyObject, bucket: "data".into(), key: "block/a".into() };
        let other_call = Call { operation: Operation::PutObject, bucket: "data".into(), key: "tag/a".into() };
        assert_eq!(script.next(&other_key), None);
        assert_eq!(script.next(&other_call), None);
        let seen: Vec<_> = (0..4).map(|_| script.next(&copy)).collect();
        assert_eq!(seen, [None, Some(Fault::DropAfter), Some(Fault::DropAfter), None]);
        assert_eq!(script.hits(), 2);
    }
}
