//! The Kubernetes API in the contract's words: one function for each kind of call, errors mapped.

use std::fmt::Debug;
use std::time::Duration;

use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Resource};
use provider::{Error, ErrorKind, Result, Retry};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Longest wait for one answer.
const ANSWER: Duration = Duration::from_secs(30);

/// What objects must be to be asked for.
pub(crate) trait Object: Resource + Clone + Debug + DeserializeOwned + Serialize + Send + Sync {}

impl<K: Resource + Clone + Debug + DeserializeOwned + Serialize + Send + Sync> Object for K {}

/// The objects of one kind.
#[derive(Clone)]
pub(crate) struct Objects<K> {
    api: Api<K>,
    plural: &'static str,
}

impl<K: Object> Objects<K> {
    /// Objects reached by `api`; messages call them by `plural`.
    pub(crate) fn new(api: Api<K>, plural: &'static str) -> Self {
        Self { api, plural }
    }

    /// One object; `None` when it isn't there.
    pub(crate) async fn get(&self, name: &str) -> Result<Option<K>> {
        self.answer("get", name, self.api.get_opt(name)).await
    }

    /// Every object, of those that the selector fits.
    pub(crate) async fn list(&self, selector: &str) -> Result<Vec<K>> {
        let parameters = ListParams::default().labels(selector);
        Ok(self.answer("list", selector, self.api.list(&parameters)).await?.items)
    }

    /// Makes an object; `AlreadyExists` when its name is taken.
    pub(crate) async fn create(&self, object: &K) -> Result<K> {
        let name = object.meta().name.clone().unwrap_or_default();
        self.answer("create", &name, self.api.create(&PostParams::default(), object)).await
    }

    /// Changes fields of an object.
    pub(crate) async fn merge(&self, name: &str, patch: &Value) -> Result<K> {
        self.answer("patch", name, self.api.patch(name, &PatchParams::default(), &Patch::Merge(patch))).await
    }

    /// Asks for an object to be deleted. Answers whether it was still there.
    pub(crate) async fn delete(&self, name: &str) -> Result<bool> {
        match self.answer("delete", name, self.api.delete(name, &DeleteParams::default())).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn answer<T>(
        &self,
        verb: &'static str,
        name: &str,
        call: impl Future<Output = kube::Result<T>>,
    ) -> Result<T> {
        let resource = || format!("{} {name}", self.plural);
        match tokio::time::timeout(ANSWER, call).await {
            Ok(answer) => answer.map_err(|cause| error_of(verb, resource(), cause)),
            Err(elapsed) => Err(Error::new(ErrorKind::Timeout, verb, resource()).with_source(elapsed)),
        }
    }
}

impl<K> Debug for Objects<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Objects").field("plural", &self.plural).finish_non_exhaustive()
    }
}

/// An error of the Kubernetes API in the contract's words.
fn error_of(verb: &'static str, resource: String, cause: kube::Error) -> Error {
    let (kind, retry) = match &cause {
        kube::Error::Api(status) => {
            let after = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
            kind_of(status.code, &status.reason, &status.message, u64::from(after))
        }
        kube::Error::Auth(_) => (ErrorKind::Unauthenticated, None),
        kube::Error::HyperError(_) | kube::Error::Service(_) => (ErrorKind::Unavailable, None),
        _ => (ErrorKind::Other, None),
    };
    let error = Error::new(kind, verb, resource).with_source(cause);
    match retry {
        Some(retry) => error.with_retry(retry),
        None => error,
    }
}

/// What a status of the API server means, and the retry class where it isn't the kind's own.
fn kind_of(code: u16, reason: &str, message: &str, after: u64) -> (ErrorKind, Option<Retry>) {
    match code {
        401 => (ErrorKind::Unauthenticated, None),
        403 if message.contains("exceeded quota") => (ErrorKind::Exhausted, None),
        403 => (ErrorKind::Denied, None),
        404 => (ErrorKind::NotFound, None),
        409 if reason == "AlreadyExists" => (ErrorKind::AlreadyExists, None),
        // Somebody else changed the object meanwhile, or the list is too old: asked anew, it may succeed.
        409 | 410 => (ErrorKind::Changed, Some(Retry::Again)),
        429 => {
            let after = (after > 0).then(|| Duration::from_secs(after));
            (ErrorKind::Throttled, Some(Retry::Slower { after }))
        }
        504 => (ErrorKind::Timeout, None),
        500..=599 => (ErrorKind::Unavailable, None),
        400..=499 => (ErrorKind::Invalid, None),
        _ => (ErrorKind::Other, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_its_kind_and_retry_class() {
        let slower = Retry::Slower { after: Some(Duration::from_secs(1)) };
        for (code, reason, message, kind, retry) in [
            (400, "BadRequest", "", ErrorKind::Invalid, Retry::Never),
            (401, "Unauthorized", "", ErrorKind::Unauthenticated, Retry::Never),
            (403, "Forbidden", "secrets is forbidden", ErrorKind::Denied, Retry::Never),
            (403, "Forbidden", "exceeded quota: q", ErrorKind::Exhausted, Retry::Never),
            (404, "NotFound", "", ErrorKind::NotFound, Retry::Never),
            (409, "AlreadyExists", "", ErrorKind::AlreadyExists, Retry::Never),
            (409, "Conflict", "", ErrorKind::Changed, Retry::Again),
            (410, "Expired", "", ErrorKind::Changed, Retry::Again),
            (413, "RequestEntityTooLarge", "", ErrorKind::Invalid, Retry::Never),
            (422, "Invalid", "", ErrorKind::Invalid, Retry::Never),
            (429, "TooManyRequests", "", ErrorKind::Throttled, slower),
            (500, "InternalError", "", ErrorKind::Unavailable, Retry::Again),
            (503, "ServiceUnavailable", "", ErrorKind::Unavailable, Retry::Again),
            (504, "Timeout", "", ErrorKind::Timeout, Retry::Again),
        ] {
            let (found, found_retry) = kind_of(code, reason, message, 1);
            assert_eq!((found, found_retry.unwrap_or(found.default_retry())), (kind, retry), "{code} {reason}");
        }
    }
}
