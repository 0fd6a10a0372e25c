//! Refusals in Google's words: one value, told as a gRPC status or as a JSON document.
//!
//! The codes and reasons are those of the public pages "HTTP status and error codes for JSON" and of `google.rpc.Code`.

use std::fmt::Display;

use http::StatusCode;
use serde_json::json;
use tonic::Code;

use super::fault::Fault;

/// Why a call is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) status: StatusCode,
    pub(super) code: Code,
    /// The `reason` in the JSON document.
    pub(super) reason: &'static str,
    pub(super) message: String,
    /// Seconds in `Retry-After`.
    pub(super) retry_after: Option<u32>,
}

impl Failure {
    fn new(status: StatusCode, code: Code, reason: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, reason, message: message.into(), retry_after: None }
    }

    pub(super) fn no_bucket() -> Self {
        Self::new(StatusCode::NOT_FOUND, Code::NotFound, "notFound", "The specified bucket does not exist.")
    }

    pub(super) fn no_object(bucket: &str, key: &str) -> Self {
        let message = format!("No such object: {bucket}/{key}");
        Self::new(StatusCode::NOT_FOUND, Code::NotFound, "notFound", message)
    }

    /// Something else that isn't there.
    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, Code::NotFound, "notFound", message)
    }

    pub(super) fn bucket_exists() -> Self {
        let message = "Your previous request to create the named bucket succeeded and you already own it.";
        Self::new(StatusCode::CONFLICT, Code::AlreadyExists, "conflict", message)
    }

    pub(super) fn bucket_not_empty() -> Self {
        let message = "The bucket you tried to delete is not empty.";
        Self::new(StatusCode::CONFLICT, Code::FailedPrecondition, "conflict", message)
    }

    pub(super) fn precondition() -> Self {
        let message = "At least one of the pre-conditions you specified did not hold.";
        Self::new(StatusCode::PRECONDITION_FAILED, Code::FailedPrecondition, "conditionNotMet", message)
    }

    /// A read whose `if…NotMatch` did not hold.
    pub(super) fn not_modified() -> Self {
        let message = "The object has the generation that was not wanted.";
        Self::new(StatusCode::NOT_MODIFIED, Code::Aborted, "notModified", message)
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Code::InvalidArgument, "invalid", message)
    }

    pub(super) fn range() -> Self {
        let message = "Request range not satisfiable";
        let status = StatusCode::RANGE_NOT_SATISFIABLE;
        Self::new(status, Code::OutOfRange, "requestedRangeNotSatisfiable", message)
    }

    /// What the sandbox doesn't play.
    pub(super) fn unimplemented(what: impl Display) -> Self {
        let message = format!("the sandbox does not play {what}");
        Self::new(StatusCode::NOT_IMPLEMENTED, Code::Unimplemented, "notImplemented", message)
    }

    /// A call without a token where one is needed.
    pub(super) fn no_token() -> Self {
        let message = "Anonymous caller does not have access: the request has no credentials.";
        Self::new(StatusCode::UNAUTHORIZED, Code::Unauthenticated, "required", message)
    }

    /// A token that is unknown or over.
    pub(super) fn wrong_token() -> Self {
        let message = "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or \
                       other valid authentication credential. See \
                       https://developers.google.com/identity/sign-in/web/devconsole-project.";
        Self::new(StatusCode::UNAUTHORIZED, Code::Unauthenticated, "authError", message)
    }

    /// `kind` is `bucket` or `object`.
    pub(super) fn denied(account: &str, permission: &str, kind: &str) -> Self {
        let message = format!(
            "{account} does not have {permission} access to the Google Cloud Storage {kind}. Permission '{permission}' \
             denied on resource (or it may not exist)."
        );
        Self::new(StatusCode::FORBIDDEN, Code::PermissionDenied, "forbidden", message)
    }

    pub(super) fn no_user_project() -> Self {
        let message = "Bucket is a requester pays bucket but no user project provided.";
        Self::new(StatusCode::BAD_REQUEST, Code::InvalidArgument, "required", message)
    }

    pub(super) fn retained(bucket: &str, key: &str, until: impl Display) -> Self {
        let message = format!(
            "Object '{bucket}/{key}' is subject to bucket's retention policy or object retention and cannot be deleted, \
             overwritten or archived until {until}"
        );
        Self::new(StatusCode::FORBIDDEN, Code::PermissionDenied, "retentionPolicyNotMet", message)
    }

    /// `kind` is `Temporary` or `Event-Based`.
    pub(super) fn held(bucket: &str, key: &str, kind: &str) -> Self {
        let message = format!(
            "Object '{bucket}/{key}' is under active {kind} hold and cannot be deleted, overwritten or archived until \
             hold is removed."
        );
        Self::new(StatusCode::FORBIDDEN, Code::PermissionDenied, "objectUnderActiveHold", message)
    }

    /// A call for an object with a customer-supplied key that doesn't bring it.
    pub(super) fn customer_key() -> Self {
        let message = "The target object is encrypted by a customer-supplied encryption key.";
        let reason = "resourceIsEncryptedWithCustomerEncryptionKey";
        Self::new(StatusCode::BAD_REQUEST, Code::InvalidArgument, reason, message)
    }

    /// What a fault answers, if it is an error.
    pub(super) fn ordered(fault: &Fault) -> Option<Self> {
        let Fault::Error { status, reason, retry_after } = fault else { return None };
        let code = match status {
            400 => Code::InvalidArgument,
            401 => Code::Unauthenticated,
            403 => Code::PermissionDenied,
            404 => Code::NotFound,
            409 => Code::Aborted,
            412 => Code::FailedPrecondition,
            429 => Code::ResourceExhausted,
            499 => Code::Cancelled,
            501 => Code::Unimplemented,
            502 | 503 => Code::Unavailable,
            408 | 504 => Code::DeadlineExceeded,
            500..600 => Code::Internal,
            _ => Code::Unknown,
        };
        let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let failure = Self::new(status, code, reason, "ordered by the fault script");
        Some(Self { retry_after: *retry_after, ..failure })
    }

    /// The error document of the JSON API.
    pub(super) fn document(&self) -> String {
        let error = json!({"message": self.message, "domain": "global", "reason": self.reason});
        json!({"error": {"code": self.status.as_u16(), "message": self.message, "errors": [error]}}).to_string()
    }
}

impl From<Failure> for tonic::Status {
    fn from(failure: Failure) -> Self {
        Self::new(failure.code, failure.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_a_document_and_a_status() {
        let failure = Failure::no_object("b", "/k");
        assert_eq!(
            failure.document(),
            r#"{"error":{"code":404,"message":"No such object: b//k","errors":[{"message":"No such object: b//k","domain":"global","reason":"notFound"}]}}"#
        );
        let status = tonic::Status::from(failure);
        assert_eq!((status.code(), status.message()), (Code::NotFound, "No such object: b//k"));
        let slow = Failure::ordered(&Fault::slow_down()).expect("an error");
        assert_eq!((slow.status.as_u16(), slow.code), (429, Code::ResourceExhausted));
        assert_eq!(Failure::ordered(&Fault::DropAfter), None);
    }
}
