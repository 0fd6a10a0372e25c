//! What every call has in common: who pays, how long it may take, and what its errors become.

use std::time::Duration;

use google_cloud_gax::error::Error as SdkError;
use google_cloud_gax::options::RequestOptionsBuilder;
use provider::{Error, ErrorKind, Result};

use super::GcsBucket;
use crate::error::{from_sdk, refused};

/// Added to the SDK's own limit of an attempt, which does not cover the wait for a token.
const FOR_A_TOKEN: Duration = Duration::from_secs(30);

impl GcsBucket {
    /// A call of gRPC with the limit of one attempt, billed to whom the configuration names.
    pub(super) fn on_terms<B: RequestOptionsBuilder>(&self, call: B, limit: Duration) -> B {
        let call = call.with_attempt_timeout(limit);
        match &self.inner.terms.user_project {
            Some(project) => call.with_quota_project(project),
            None => call,
        }
    }
}

/// The answer of a call. `unmet` is what a failed precondition means.
pub(super) async fn answer<T>(
    operation: &'static str,
    resource: &impl Fn() -> String,
    limit: Duration,
    unmet: ErrorKind,
    call: impl Future<Output = Result<T, SdkError>>,
) -> Result<T> {
    match tokio::time::timeout(limit + FOR_A_TOKEN, call).await {
        Ok(answer) => answer.map_err(|error| from_sdk(operation, resource(), unmet, error)),
        Err(_) => Err(late(operation, resource(), limit)),
    }
}

/// Nothing came in time.
pub(super) fn late(operation: &'static str, resource: String, limit: Duration) -> Error {
    refused(ErrorKind::Timeout, operation, resource, format!("no answer within {} s", limit.as_secs()))
}
