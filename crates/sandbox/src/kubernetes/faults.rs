//! Faults that a test switches on while the server runs.

use std::time::Duration;

use super::request::RequestInfo;

/// What happens to a request that a [`Fault`] meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultAction {
    /// Nothing is done; the answer has this status code (401, 409, 410, 429, 500, 503, 504).
    Status(u16),
    /// The request is served as usual, this much later.
    Delay(Duration),
    /// Nothing is done; the connection is closed without an answer.
    DropConnection,
    /// The request is carried out, then the connection is closed without an answer.
    LoseReply,
}

/// Which of the next requests go wrong, and how. Conditions that are not set match every request.
#[derive(Debug, Clone)]
pub struct Fault {
    verb: Option<String>,
    resource: Option<String>,
    subresource: Option<String>,
    name: Option<String>,
    user: Option<String>,
    skip: u64,
    times: u64,
    action: FaultAction,
}

impl Fault {
    /// A fault that meets the next request, whatever it is.
    pub fn new(action: FaultAction) -> Self {
        Fault { verb: None, resource: None, subresource: None, name: None, user: None, skip: 0, times: 1, action }
    }

    /// Only requests of this verb: `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`.
    #[must_use]
    pub fn verb(mut self, verb: &str) -> Self {
        self.verb = Some(verb.to_owned());
        self
    }

    /// Only requests for this kind, by plural name (`services`).
    #[must_use]
    pub fn resource(mut self, plural: &str) -> Self {
        self.resource = Some(plural.to_owned());
        self
    }

    /// Only requests for this part of an object (`scale`); the empty text means the object itself.
    #[must_use]
    pub fn subresource(mut self, subresource: &str) -> Self {
        self.subresource = Some(subresource.to_owned());
        self
    }

    /// Only requests for the object of this name. A `create` carries its name in the body and never matches.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// Only requests of this user.
    #[must_use]
    pub fn user(mut self, user: &str) -> Self {
        self.user = Some(user.to_owned());
        self
    }

    /// Lets this many matching requests pass first.
    #[must_use]
    pub fn after(mut self, requests: u64) -> Self {
        self.skip = requests;
        self
    }

    /// Meets this many requests instead of one.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = times;
        self
    }

    /// Meets every matching request until the faults are cleared.
    #[must_use]
    pub fn always(self) -> Self {
        self.times(u64::MAX)
    }

    fn matches(&self, request: &RequestInfo, user: &str) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|it| it == found);
        is(&self.verb, request.verb)
            && is(&self.resource, request.resource())
            && is(&self.subresource, request.subresource())
            && is(&self.name, request.name())
            && is(&self.user, user)
    }
}

/// The faults that are on, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    active: Vec<Fault>,
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.active.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.active.clear();
    }

    /// What happens to this request; the first fault that matches counts down.
    pub(crate) fn take(&mut self, request: &RequestInfo, user: &str) -> Option<FaultAction> {
        let place = self.active.iter().position(|fault| fault.matches(request, user))?;
        let fault = &mut self.active[place];
        if fault.skip > 0 {
            fault.skip -= 1;
            return None;
        }
        let action = fault.action;
        fault.times = fault.times.saturating_sub(1);
        if fault.times == 0 {
            self.active.remove(place);
        }
        Some(action)
    }
}
