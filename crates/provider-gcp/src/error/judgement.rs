//! What an error of the SDK means: its kind, and whether a retry helps.
//!
//! From the public pages "HTTP status and error codes for JSON" and "Retry strategy" of Cloud Storage, and from `google.rpc.Code`.

use std::time::Duration;

use google_cloud_gax::error::rpc::{Code, Status, StatusDetails};
use google_cloud_gax::error::{CredentialsError, Error as SdkError};
use provider::{ErrorKind, Retry};

const LOGIN: &str = "check the configured credentials; without any, run `gcloud auth application-default login`, set \
                     GOOGLE_APPLICATION_CREDENTIALS to a credential file, or give this workload a service account";
const PAYER: &str = "the bucket's requesters pay: name the project to bill in the configuration (user_project)";
const RIGHT: &str = "give the account a role with this permission";
const LOCKED: &str = "a hold or a retention policy protects the object";

/// What an error means.
#[derive(Debug, PartialEq)]
pub(super) struct Judgement {
    pub(super) kind: ErrorKind,
    pub(super) retry: Retry,
    pub(super) code: String,
    pub(super) message: String,
    pub(super) reason: Option<String>,
    pub(super) advice: Option<&'static str>,
}

pub(super) fn of(error: &SdkError, unmet: ErrorKind) -> Judgement {
    let (kind, code, message, advice) = match (error.status(), error.http_status_code()) {
        (Some(status), http) => {
            // An answer over HTTP has both, and its status is the one that is documented.
            let kind = http.map_or_else(|| of_code(status.code, unmet), |http| of_http(http, unmet));
            let code = http.map_or_else(|| status.code.name().to_owned(), |http| http.to_string());
            (kind, code, status.message.clone(), None)
        }
        (None, Some(http)) => (of_http(http, unmet), http.to_string(), "the answer has no message".to_owned(), None),
        (None, None) => on_the_way(error),
    };
    let reason = error.status().and_then(reason_of);
    let (kind, found) = refined(kind, reason.as_deref(), &message);
    let retry = match kind.default_retry() {
        Retry::Slower { .. } => Retry::Slower { after: wait_of(error) },
        retry => retry,
    };
    Judgement { kind, retry, code, message, reason, advice: advice.or(found) }
}

fn of_code(code: Code, unmet: ErrorKind) -> ErrorKind {
    match code {
        Code::NotFound => ErrorKind::NotFound,
        Code::AlreadyExists => ErrorKind::AlreadyExists,
        Code::FailedPrecondition => unmet,
        Code::PermissionDenied => ErrorKind::Denied,
        Code::Unauthenticated => ErrorKind::Unauthenticated,
        Code::ResourceExhausted => ErrorKind::Throttled,
        Code::InvalidArgument | Code::OutOfRange => ErrorKind::Invalid,
        Code::Unimplemented => ErrorKind::Unsupported,
        Code::DeadlineExceeded => ErrorKind::Timeout,
        Code::DataLoss => ErrorKind::Corrupt,
        // `ABORTED` is a conflict of two requests, of which one may come again.
        Code::Unavailable | Code::Internal | Code::Aborted | Code::Cancelled | Code::Unknown => ErrorKind::Unavailable,
        _ => ErrorKind::Other,
    }
}

fn of_http(status: u16, unmet: ErrorKind) -> ErrorKind {
    match status {
        304 => ErrorKind::Changed,
        401 => ErrorKind::Unauthenticated,
        403 => ErrorKind::Denied,
        404 => ErrorKind::NotFound,
        408 | 504 => ErrorKind::Timeout,
        // A conflict of two requests, and an upload that Google has forgotten: it may be begun again.
        409 | 410 | 499 => ErrorKind::Unavailable,
        412 => unmet,
        429 => ErrorKind::Throttled,
        300..=499 => ErrorKind::Invalid,
        501 => ErrorKind::Unsupported,
        500..=599 => ErrorKind::Unavailable,
        _ => ErrorKind::Other,
    }
}

/// An error without an answer: of the credentials, the connection or the SDK itself.
fn on_the_way(error: &SdkError) -> (ErrorKind, String, String, Option<&'static str>) {
    let told = |kind, code: &str, advice| (kind, code.to_owned(), error.to_string(), advice);
    if error.is_authentication() {
        if credentials_may_come(error) {
            return told(ErrorKind::Unavailable, "credentials", None);
        }
        return told(ErrorKind::Unauthenticated, "credentials", Some(LOGIN));
    }
    if error.is_timeout() {
        return told(ErrorKind::Timeout, "timeout", None);
    }
    if error.is_deserialization() {
        return told(ErrorKind::Corrupt, "answer", None);
    }
    if error.is_binding() || error.is_serialization() {
        return told(ErrorKind::Invalid, "request", None);
    }
    told(ErrorKind::Unavailable, "connection", None)
}

/// Whether the error of the credentials passes by itself.
fn credentials_may_come(error: &SdkError) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(found) = cause {
        if let Some(credentials) = found.downcast_ref::<CredentialsError>() {
            return credentials.is_transient();
        }
        cause = found.source();
    }
    false
}

/// A refusal whose reason says more than its status.
fn refined(kind: ErrorKind, reason: Option<&str>, message: &str) -> (ErrorKind, Option<&'static str>) {
    let plain = |text: &str| -> String {
        text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
    };
    // Over HTTP the SDK drops the reasons, which these words then stand for.
    let (reason, words) = (reason.map(plain).unwrap_or_default(), plain(message));
    match kind {
        ErrorKind::Denied => {
            if reason.ends_with("ratelimitexceeded") || words.contains("ratelimitexceeded") {
                return (ErrorKind::Throttled, None);
            }
            if reason.ends_with("quotaexceeded") || words.contains("quotaexceeded") {
                return (ErrorKind::Exhausted, None);
            }
            if words.contains("hold") || words.contains("retentionpolicy") {
                return (kind, Some(LOCKED));
            }
            (kind, Some(RIGHT))
        }
        ErrorKind::Invalid if words.contains("requesterpays") => (kind, Some(PAYER)),
        ErrorKind::Unauthenticated => (kind, Some(LOGIN)),
        _ => (kind, None),
    }
}

fn reason_of(status: &Status) -> Option<String> {
    status.details.iter().find_map(|detail| match detail {
        StatusDetails::ErrorInfo(info) => Some(info.reason.clone()).filter(|reason| !reason.is_empty()),
        _ => None,
    })
}

/// The least time to wait that the answer names.
fn wait_of(error: &SdkError) -> Option<Duration> {
    let told = error.status().and_then(|status| {
        status.details.iter().find_map(|detail| match detail {
            StatusDetails::RetryInfo(info) => info.retry_delay,
            _ => None,
        })
    });
    if let Some(delay) = told {
        let seconds = u64::try_from(delay.seconds()).ok()?;
        return Some(Duration::new(seconds, u32::try_from(delay.nanos()).unwrap_or(0)));
    }
    let header = error.http_headers()?.get(http::header::RETRY_AFTER)?;
    header.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use google_cloud_wkt::Any;
    use http::HeaderMap;
    use serde_json::json;

    use super::*;

    fn rpc(code: Code, message: &str) -> SdkError {
        SdkError::service(Status::default().set_code(code).set_message(message))
    }

    fn with_detail(code: Code, detail: serde_json::Value) -> SdkError {
        let any: Any = serde_json::from_value(detail).unwrap();
        SdkError::service(Status::default().set_code(code).set_message("no").set_details([any]))
    }

    fn judged(error: &SdkError) -> (ErrorKind, Retry) {
        let judgement = of(error, ErrorKind::Changed);
        (judgement.kind, judgement.retry)
    }

    #[test]
    fn codes_have_their_kinds_and_retry_classes() {
        let slower = Retry::Slower { after: None };
        for (code, kind, retry) in [
            (Code::NotFound, ErrorKind::NotFound, Retry::Never),
            (Code::FailedPrecondition, ErrorKind::Changed, Retry::Never),
            (Code::PermissionDenied, ErrorKind::Denied, Retry::Never),
            (Code::Unauthenticated, ErrorKind::Unauthenticated, Retry::Never),
            (Code::ResourceExhausted, ErrorKind::Throttled, slower),
            (Code::Unavailable, ErrorKind::Unavailable, Retry::Again),
            (Code::Internal, ErrorKind::Unavailable, Retry::Again),
            (Code::Aborted, ErrorKind::Unavailable, Retry::Again),
            (Code::DeadlineExceeded, ErrorKind::Timeout, Retry::Again),
            (Code::OutOfRange, ErrorKind::Invalid, Retry::Never),
            (Code::Unimplemented, ErrorKind::Unsupported, Retry::Never),
            (Code::DataLoss, ErrorKind::Corrupt, Retry::Again),
        ] {
            assert_eq!(judged(&rpc(code, "no")), (kind, retry), "{code:?}");
        }
        assert_eq!(of(&rpc(Code::FailedPrecondition, ""), ErrorKind::AlreadyExists).kind, ErrorKind::AlreadyExists);
    }

    #[test]
    fn statuses_have_their_kinds_and_say_how_long_to_wait() {
        let http = |status: u16| {
            let headers = HeaderMap::from_iter([(http::header::RETRY_AFTER, "3".parse().unwrap())]);
            SdkError::http(status, headers, bytes::Bytes::new())
        };
        let slower = Retry::Slower { after: Some(Duration::from_secs(3)) };
        for (status, kind, retry) in [
            (400, ErrorKind::Invalid, Retry::Never),
            (401, ErrorKind::Unauthenticated, Retry::Never),
            (403, ErrorKind::Denied, Retry::Never),
            (404, ErrorKind::NotFound, Retry::Never),
            (408, ErrorKind::Timeout, Retry::Again),
            (409, ErrorKind::Unavailable, Retry::Again),
            (412, ErrorKind::Changed, Retry::Never),
            (416, ErrorKind::Invalid, Retry::Never),
            (429, ErrorKind::Throttled, slower),
            (500, ErrorKind::Unavailable, Retry::Again),
            (503, ErrorKind::Unavailable, Retry::Again),
            (504, ErrorKind::Timeout, Retry::Again),
        ] {
            assert_eq!(judged(&http(status)), (kind, retry), "{status}");
        }
    }

    #[test]
    fn reasons_say_more_than_the_status() {
        let slower = Retry::Slower { after: None };
        let info = |reason: &str| {
            let kind = "type.googleapis.com/google.rpc.ErrorInfo";
            with_detail(Code::PermissionDenied, json!({"@type": kind, "reason": reason, "domain": "googleapis.com"}))
        };
        assert_eq!(judged(&info("rateLimitExceeded")), (ErrorKind::Throttled, slower));
        assert_eq!(judged(&info("RATE_LIMIT_EXCEEDED")), (ErrorKind::Throttled, slower));
        assert_eq!(judged(&info("quotaExceeded")), (ErrorKind::Exhausted, Retry::Never));
        assert_eq!(judged(&info("forbidden")), (ErrorKind::Denied, Retry::Never));
        let words = rpc(Code::PermissionDenied, "Rate Limit Exceeded");
        assert_eq!(judged(&words), (ErrorKind::Throttled, slower));
        let delay = json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.5s"});
        let after = Some(Duration::from_millis(1500));
        let told = judged(&with_detail(Code::ResourceExhausted, delay));
        assert_eq!(told, (ErrorKind::Throttled, Retry::Slower { after }));
    }

    #[test]
    fn advice_goes_with_what_somebody_can_change() {
        let payer = rpc(Code::InvalidArgument, "Bucket is a requester pays bucket but no user project provided.");
        assert_eq!(of(&payer, ErrorKind::Invalid).advice, Some(PAYER));
        let held = rpc(Code::PermissionDenied, "Object 'b/k' is under active Temporary hold and cannot be deleted");
        assert_eq!(of(&held, ErrorKind::Invalid).advice, Some(LOCKED));
        assert_eq!(of(&rpc(Code::Unauthenticated, "no"), ErrorKind::Invalid).advice, Some(LOGIN));
    }

    #[test]
    fn credentials_that_may_come_are_waited_for() {
        let error = |transient| SdkError::authentication(CredentialsError::from_msg(transient, "no token"));
        assert_eq!(judged(&error(true)), (ErrorKind::Unavailable, Retry::Again));
        assert_eq!(judged(&error(false)), (ErrorKind::Unauthenticated, Retry::Never));
    }
}
