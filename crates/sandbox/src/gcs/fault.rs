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
        /// HTTP status; a gRPC call has the code that Google's API guide puts beside it (429 is `RESOURCE_EXHAUSTED`).
        status: u16,
        /// The `reason` in the JSON document.
        reason: &'static str,
        /// `Retry-After` in seconds, over HTTP.
        retry_after: Option<u32>,
    },
    /// Closes the connection before anything is done. Other calls on a connection of HTTP/2 lose theirs too.
    DropBefore,
    /// Does the work, then closes the connection: the reply is lost, as are those of other calls on it.
    DropAfter,
    /// Does the work and answers with a CRC32C that is not the object's.
    WrongChecksum,
    /// Sends the content in chunks, with a pause before each.
    SlowBody {
        /// Bytes in a chunk.
        chunk: usize,
        /// The pause.
        pause: Duration,
    },
    /// Sends so many bytes of the content, then closes the connection.
    TruncatedBody {
        /// Bytes sent.
        after: usize,
    },
    /// Flips the lowest bit of the first byte of the content.
    FlippedByte,
}

impl Fault {
    /// `RESOURCE_EXHAUSTED`, status 429: fewer requests are asked for.
    #[must_use]
    pub fn slow_down() -> Self {
        Self::error(429, "rateLimitExceeded")
    }

    /// `UNAVAILABLE`, status 503.
    #[must_use]
    pub fn unavailable() -> Self {
        Self::error(503, "backendError")
    }

    /// `INTERNAL`, status 500.
    #[must_use]
    pub fn internal_error() -> Self {
        Self::error(500, "internalError")
    }

    /// Any error.
    #[must_use]
    pub fn error(status: u16, reason: &'static str) -> Self {
        Self::Error { status, reason, retry_after: None }
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

    fn fits(&self, call: Call<'_>) -> bool {
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

    pub(super) fn next(&self, call: Call<'_>) -> Option<Fault> {
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
        script.add(FaultRule::new(Fault::DropAfter).on(Operation::RewriteObject).key_contains("tag/").skip(1).times(2));
        let rewrite = Call { operation: Operation::RewriteObject, key: "tag/a" };
        assert_eq!(script.next(Call { key: "block/a", ..rewrite }), None);
        assert_eq!(script.next(Call { operation: Operation::GetObject, ..rewrite }), None);
        let seen: Vec<_> = (0..4).map(|_| script.next(rewrite)).collect();
        assert_eq!(seen, [None, Some(Fault::DropAfter), Some(Fault::DropAfter), None]);
        assert_eq!(script.hits(), 2);
    }
}
