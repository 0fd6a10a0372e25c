//! One place that makes the contract's errors of Compute Engine's: of answers and of operations that are done with an error.
//!
//! From "Troubleshooting API errors" and "Handling API responses" of Compute Engine's documentation. Refusals have a reason
//! (`quotaExceeded`), operations a code (`QUOTA_EXCEEDED`); both are looked up here.

use google_cloud_compute_v1::model::Operation;
use google_cloud_compute_v1::model::operation::Status;
use google_cloud_gax::error::Error as SdkError;
use google_cloud_gax::error::rpc::StatusDetails;
use provider::{Error, ErrorKind, Result, Retry};

use super::problem::{PdProblem, PdRefusal};

const RATE_OF_DISK: &str = "Compute Engine makes at most one snapshot of a disk in 10 minutes, and 6 in an hour";
const QUOTA: &str = "ask for more of this quota, or delete what counts against it";

/// The contract's error of an SDK error, which it keeps as its source.
pub(super) fn of_sdk(operation: &'static str, resource: String, error: SdkError) -> Error {
    let status = error.http_status_code().unwrap_or_default();
    let details = error.status().map(|status| status.details.as_slice()).unwrap_or_default();
    let reason = details.iter().find_map(|detail| match detail {
        StatusDetails::ErrorInfo(info) if !info.reason.is_empty() => Some(info.reason.clone()),
        _ => None,
    });
    let Some((code, status_of_answer)) = reason.zip(Some(status).filter(|status| *status > 0)) else {
        return of_transport(operation, resource, error);
    };
    let message = error.status().map(|status| status.message.clone()).unwrap_or_default();
    told(operation, resource, code, message, status_of_answer, Some(error))
}

/// The contract's error of what is no answer of Compute Engine: no answer at all, or a load balancer's.
fn of_transport(operation: &'static str, resource: String, error: SdkError) -> Error {
    let kind = match error.http_status_code() {
        _ if error.is_authentication() => ErrorKind::Unauthenticated,
        Some(status) => of_status(status),
        None if error.is_timeout() => ErrorKind::Timeout,
        None if error.is_io() || error.is_connect() || error.is_transport() => ErrorKind::Unavailable,
        None if error.is_deserialization() => ErrorKind::Corrupt,
        None if error.is_serialization() || error.is_binding() => ErrorKind::Invalid,
        None => ErrorKind::Other,
    };
    Error::new(kind, operation, resource).with_source(error)
}

/// Whether an operation is done.
///
/// # Errors
/// When it is done with an error: the SDK itself answers such an operation as a success.
pub(super) fn is_done(operation: &'static str, resource: &str, answer: &Operation) -> Result<bool> {
    if answer.status != Some(Status::Done) {
        return Ok(false);
    }
    let first = answer.error.as_ref().and_then(|error| error.errors.first());
    let status = answer.http_error_status_code.and_then(|status| u16::try_from(status).ok());
    if first.is_none() && answer.error.is_none() && status.is_none_or(|status| status < 400) {
        return Ok(true);
    }
    let code = first.and_then(|error| error.code.clone()).unwrap_or_else(|| "OPERATION_FAILED".to_owned());
    let message = first.and_then(|error| error.message.clone()).or_else(|| answer.http_error_message.clone());
    let message = message.unwrap_or_else(|| "Compute Engine gives no reason".to_owned());
    Err(told(operation, resource.to_owned(), code, message, status.unwrap_or(400), None))
}

/// An error that this crate finds itself.
pub(super) fn own(kind: ErrorKind, operation: &'static str, resource: impl Into<String>, problem: PdProblem) -> Error {
    Error::new(kind, operation, resource).with_source(problem)
}

/// Whether nothing is known about the outcome of the request that this is the error of.
pub(super) fn is_lost(error: &Error) -> bool {
    let unknown = matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Unavailable | ErrorKind::Corrupt);
    let refusal = std::error::Error::source(error).and_then(|source| source.downcast_ref::<PdRefusal>());
    unknown && error.retry() != Retry::Never && refusal.is_none_or(|refusal| refusal.status >= 500)
}

fn told(
    operation: &'static str,
    resource: String,
    code: String,
    message: String,
    status: u16,
    cause: Option<SdkError>,
) -> Error {
    let (kind, retry, advice) = judged(&code, &message, status);
    let permission = (kind == ErrorKind::Denied).then(|| permission_in(&message)).flatten();
    let key = key_in(&message);
    let cause = cause.map(|cause| Box::new(cause) as Box<dyn std::error::Error + Send + Sync>);
    let refusal = PdRefusal { code, message, permission, status, advice, cause };
    let error = Error::new(kind, operation, resource).with_retry(retry);
    match key {
        Some(key) => error.with_source(PdProblem::KeyUnusable { key, refusal }),
        None => error.with_source(refusal),
    }
}

/// Kind, retry class and advice of a reason or code.
fn judged(code: &str, message: &str, status: u16) -> (ErrorKind, Retry, Option<&'static str>) {
    if key_in(message).is_some() {
        return (ErrorKind::Denied, Retry::Never, None);
    }
    let plain: String = code.chars().filter(|letter| *letter != '_').collect::<String>().to_ascii_lowercase();
    let slower = Retry::Slower { after: None };
    match plain.as_str() {
        "notfound" | "resourcenotfound" => (ErrorKind::NotFound, Retry::Never, None),
        "alreadyexists" | "resourcealreadyexists" => (ErrorKind::AlreadyExists, Retry::Never, None),
        "ratelimitexceeded" | "userratelimitexceeded" => (ErrorKind::Throttled, slower, None),
        "resourceoperationrateexceeded" | "operationrateexceeded" => (ErrorKind::Throttled, slower, Some(RATE_OF_DISK)),
        "quotaexceeded" | "limitexceeded" | "dailylimitexceeded" => (ErrorKind::Exhausted, Retry::Never, Some(QUOTA)),
        "zoneresourcepoolexhausted" | "zoneresourcepoolexhaustedwithdetails" => {
            (ErrorKind::Exhausted, Retry::Never, Some("the zone has no more disks of this type now"))
        }
        // Nothing was done, and soon it may be.
        "resourceinuse"
        | "resourceinusebyanotherresource"
        | "resourcenotready"
        | "resourceupdateinprogress"
        | "operationcanceledbyuser" => (ErrorKind::Unavailable, Retry::Again, None),
        "autherror" | "required" if status == 401 => (ErrorKind::Unauthenticated, Retry::Never, None),
        "forbidden" | "accessnotconfigured" | "permissionserror" | "insufficientpermissions" => {
            (ErrorKind::Denied, Retry::Never, None)
        }
        "resourceisencryptedwithcustomerencryptionkey" => (ErrorKind::Unsupported, Retry::Never, None),
        "conditionnotmet" => (ErrorKind::Changed, Retry::Never, None),
        "internalerror" | "backenderror" => (ErrorKind::Unavailable, Retry::Again, None),
        _ => {
            let kind = of_status(status);
            (kind, kind.default_retry(), None)
        }
    }
}

fn of_status(status: u16) -> ErrorKind {
    match status {
        401 => ErrorKind::Unauthenticated,
        403 => ErrorKind::Denied,
        404 => ErrorKind::NotFound,
        408 => ErrorKind::Timeout,
        409 => ErrorKind::AlreadyExists,
        412 => ErrorKind::Changed,
        429 => ErrorKind::Throttled,
        300..=499 => ErrorKind::Invalid,
        500..=599 => ErrorKind::Unavailable,
        _ => ErrorKind::Other,
    }
}

/// The permission in `Required 'compute.disks.get' permission for 'projects/…'`.
fn permission_in(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("Required '")?;
    let (permission, _) = rest.split_once("' permission")?;
    Some(permission.to_owned())
}

/// The key in `Cloud KMS error when using key projects/…/cryptoKeys/k: …`.
fn key_in(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("Cloud KMS error when using key ")?;
    Some(rest.split([':', ' ']).next()?.to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use google_cloud_compute_v1::model::operation::Error as Failure;
    use google_cloud_compute_v1::model::operation::error::Errors;

    use super::*;

    fn failed(code: &str, status: i32, message: &str) -> Error {
        let errors = Failure::new().set_errors([Errors::new().set_code(code).set_message(message)]);
        let operation = Operation::new().set_status(Status::Done).set_error(errors).set_http_error_status_code(status);
        is_done("disks.createSnapshot", "disk d", &operation).unwrap_err()
    }

    #[test]
    fn codes_of_operations_have_their_kinds_and_retry_classes() {
        let slower = Retry::Slower { after: None };
        for (code, status, kind, retry) in [
            ("QUOTA_EXCEEDED", 403, ErrorKind::Exhausted, Retry::Never),
            ("RESOURCE_OPERATION_RATE_EXCEEDED", 400, ErrorKind::Throttled, slower),
            ("RESOURCE_IN_USE_BY_ANOTHER_RESOURCE", 400, ErrorKind::Unavailable, Retry::Again),
            ("RESOURCE_NOT_READY", 400, ErrorKind::Unavailable, Retry::Again),
            ("RESOURCE_NOT_FOUND", 404, ErrorKind::NotFound, Retry::Never),
            ("RESOURCE_ALREADY_EXISTS", 409, ErrorKind::AlreadyExists, Retry::Never),
            ("PERMISSIONS_ERROR", 403, ErrorKind::Denied, Retry::Never),
            ("INTERNAL_ERROR", 500, ErrorKind::Unavailable, Retry::Again),
            ("SOMETHING_NEW", 400, ErrorKind::Invalid, Retry::Never),
        ] {
            let error = failed(code, status, "no");
            assert_eq!((error.kind(), error.retry()), (kind, retry), "{code}");
            assert_eq!(is_lost(&error), code == "INTERNAL_ERROR", "{code}");
        }
    }

    #[test]
    fn done_without_an_error_is_done_and_nothing_else_is() {
        let done = |operation: &Operation| is_done("o", "r", operation);
        assert!(done(&Operation::new().set_status(Status::Done)).unwrap());
        assert!(!done(&Operation::new().set_status(Status::Running)).unwrap());
        assert!(!done(&Operation::new()).unwrap());
        assert!(done(&Operation::new().set_status(Status::Done).set_http_error_status_code(503)).is_err());
        assert!(done(&Operation::new().set_status(Status::Done).set_error(Failure::new())).is_err());
    }

    #[test]
    fn a_missing_permission_and_a_key_are_named() {
        let error = failed("PERMISSIONS_ERROR", 403, "Required 'compute.snapshots.create' permission for 'projects/p'");
        let words = std::error::Error::source(&error).unwrap().to_string();
        assert!(words.contains("lack the permission compute.snapshots.create"), "{words}");
        let error = failed("X", 400, "Cloud KMS error when using key projects/p/k: projects/p/k is not enabled");
        let words = std::error::Error::source(&error).unwrap().to_string();
        assert!(error.kind() == ErrorKind::Denied && words.contains("key projects/p/k can't"), "{words}");
    }
}
