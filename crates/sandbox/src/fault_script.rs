//! Faults of a store that a test orders: what goes wrong, for which calls, how often.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Which requests have a fault.
#[derive(Clone, Debug)]
pub struct FaultRule<Fault, Operation> {
    fault: Fault,
    operation: Option<Operation>,
    key_part: Option<String>,
    skip: u64,
    times: u64,
    hits: u64,
}

impl<Fault, Operation: Copy + PartialEq> FaultRule<Fault, Operation> {
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

    fn fits(&self, operation: Operation, key: &str) -> bool {
        self.operation.is_none_or(|wanted| wanted == operation)
            && self.key_part.as_ref().is_none_or(|part| key.contains(part))
    }
}

/// The faults of one server. Clones share the script.
#[derive(Debug)]
pub struct FaultScript<Fault, Operation> {
    rules: Arc<Mutex<Vec<FaultRule<Fault, Operation>>>>,
}

impl<Fault, Operation> Clone for FaultScript<Fault, Operation> {
    fn clone(&self) -> Self {
        Self { rules: Arc::clone(&self.rules) }
    }
}

impl<Fault, Operation> Default for FaultScript<Fault, Operation> {
    fn default() -> Self {
        Self { rules: Arc::default() }
    }
}

impl<Fault: Clone, Operation: Copy + PartialEq> FaultScript<Fault, Operation> {
    /// Adds a rule. The first rule that fits a request and is not used up decides.
    pub fn add(&self, rule: FaultRule<Fault, Operation>) {
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

    pub(crate) fn next(&self, operation: Operation, key: &str) -> Option<Fault> {
        for rule in self.lock().iter_mut().filter(|rule| rule.hits < rule.times && rule.fits(operation, key)) {
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            rule.hits += 1;
            return Some(rule.fault.clone());
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, Vec<FaultRule<Fault, Operation>>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_for_its_calls_and_used_up() {
        let script = FaultScript::default();
        script.add(FaultRule::new("lost").on('c').key_contains("tag/").skip(1).times(2));
        assert_eq!(script.next('c', "block/a"), None);
        assert_eq!(script.next('p', "tag/a"), None);
        let seen: Vec<_> = (0..4).map(|_| script.next('c', "tag/a")).collect();
        assert_eq!(seen, [None, Some("lost"), Some("lost"), None]);
        assert_eq!(script.hits(), 2);
    }
}
