//! One place that makes the contract's errors of the SDK's and of the lean client's.

mod answer;
mod certificate;
mod code;
mod explained;

use std::error::Error as StdError;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use provider::{Error, ErrorKind, Retry};

pub(crate) use answer::{Answered, answered, retry_after};
use answer::{WrongRegion, names_a_region};
pub(crate) use certificate::Untrusted;
pub use certificate::is_untrusted;
use code::of_code;
use explained::{explained, explanation};

/// The contract's error of an SDK error, which it keeps as its source.
pub(crate) fn from_sdk<E>(operation: &'static str, resource: String, error: SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let (mut after, mut region, mut why) = (None, None, None);
    let kind = match &error {
        _ if cause::<CredentialsError>(&error).is_some() => ErrorKind::Unauthenticated,
        SdkError::ConstructionFailure(_) => ErrorKind::Invalid,
        SdkError::TimeoutError(_) => ErrorKind::Timeout,
        SdkError::DispatchFailure(failure) if failure.is_timeout() => ErrorKind::Timeout,
        SdkError::DispatchFailure(failure) if failure.is_user() => ErrorKind::Invalid,
        SdkError::DispatchFailure(_) => ErrorKind::Unavailable,
        SdkError::ResponseError(response) => of_answer(&error, response.raw().status().as_u16()),
        SdkError::ServiceError(service) => {
            let (raw, code) = (service.raw(), service.err().code());
            let status = raw.status().as_u16();
            after = raw.headers().get("retry-after").and_then(retry_after);
            region = raw.headers().get("x-amz-bucket-region").filter(|_| names_a_region(status, code));
            let kind = of_code(code, status, operation);
            why = explanation(kind, code, service.err().message(), operation);
            kind
        }
        _ => ErrorKind::Other,
    };
    let region = region.map(str::to_owned);
    if is_untrusted(&error) {
        return untrusted(operation, resource, Untrusted(Box::new(error)));
    }
    let told = finish(kind, after, operation, resource);
    match region {
        Some(region) => told.with_source(WrongRegion { region, source: Box::new(error) }),
        None => explained(told, why, error),
    }
}

/// The contract's error of one key in a `DeleteObjects` answer.
pub(crate) fn of_key(operation: &'static str, resource: String, code: Option<&str>, message: Option<&str>) -> Error {
    let kind = of_code(code, 0, operation);
    let source =
        KeyError { code: code.unwrap_or_default().to_owned(), message: message.unwrap_or_default().to_owned() };
    let told = finish(kind, None, operation, resource);
    explained(told, explanation(kind, code, message, operation), source)
}

/// What the store said of one key.
#[derive(Debug, thiserror::Error)]
#[error("{code}: {message}")]
struct KeyError {
    code: String,
    message: String,
}

/// The contract's error of a body that broke off.
pub(crate) fn of_body(
    operation: &'static str,
    resource: String,
    error: impl StdError + Send + Sync + 'static,
) -> Error {
    Error::new(of_stream(&error), operation, resource).with_source(error)
}

/// An answer that can't be what the store means.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Contradiction(pub(crate) &'static str);

/// The contract's error of an answer that contradicts itself or the protocol.
pub(crate) fn contradiction(operation: &'static str, resource: String, what: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, operation, resource).with_source(Contradiction(what))
}

/// An error that this crate finds before or without asking the store.
pub(crate) fn refused(kind: ErrorKind, operation: &'static str, resource: String, why: &'static str) -> Error {
    Error::new(kind, operation, resource).with_source(Contradiction(why))
}

/// The contract's error of a store that is there and not believed.
pub(crate) fn untrusted(operation: &'static str, resource: impl Into<String>, error: Untrusted) -> Error {
    Error::new(ErrorKind::Unavailable, operation, resource).with_retry(Retry::Never).with_source(error)
}

fn finish(kind: ErrorKind, after: Option<Duration>, operation: &'static str, resource: String) -> Error {
    let error = Error::new(kind, operation, resource);
    match (kind, after) {
        (ErrorKind::Throttled, Some(_)) => error.with_retry(Retry::Slower { after }),
        _ => error,
    }
}

/// An answer arrived and its body could not be read or understood.
fn of_answer(error: &(dyn StdError + 'static), status: u16) -> ErrorKind {
    match of_stream(error) {
        ErrorKind::Unavailable
            if status < 300 && !names(error, "hyper") && cause::<std::io::Error>(error).is_none() =>
        {
            ErrorKind::Corrupt
        }
        ErrorKind::Unavailable if status >= 300 => of_code(None, status, ""),
        kind => kind,
    }
}

fn of_stream(error: &(dyn StdError + 'static)) -> ErrorKind {
    if names(error, "ThroughputBelowMinimum") || names(error, "minimum throughput") {
        ErrorKind::Timeout
    } else if names(error, "ChecksumMismatch") {
        ErrorKind::Corrupt
    } else {
        ErrorKind::Unavailable
    }
}

/// The first cause of this type, the error itself included.
fn cause<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut at = Some(error);
    while let Some(error) = at {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        at = error.source();
    }
    None
}

/// Whether an error in the chain is, or says that it is, of this name: the SDK's own types for it are private.
fn names(error: &(dyn StdError + 'static), name: &str) -> bool {
    format!("{error:?}").contains(name)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use aws_sdk_s3::error::{ConnectorError, ErrorMetadata};
    use aws_sdk_s3::primitives::SdkBody;

    use super::*;

    fn answered(operation: &'static str, status: u16, code: Option<&str>, retry_after: Option<&'static str>) -> Error {
        let mut metadata = ErrorMetadata::builder();
        if let Some(code) = code {
            metadata = metadata.code(code);
        }
        let mut raw = HttpResponse::new(status.try_into().unwrap(), SdkBody::empty());
        if let Some(after) = retry_after {
            raw.headers_mut().insert("retry-after", after);
        }
        from_sdk(operation, "s3://b/k".into(), SdkError::service_error(metadata.build(), raw))
    }

    #[test]
    fn codes_and_statuses_have_their_kinds() {
        let slower = Retry::Slower { after: None };
        let cases = [
            ("CopyObject", 503, Some("SlowDown"), ErrorKind::Throttled, slower),
            ("CopyObject", 503, Some("ServiceUnavailable"), ErrorKind::Throttled, slower),
            ("CopyObject", 503, None, ErrorKind::Throttled, slower),
            ("CopyObject", 429, None, ErrorKind::Throttled, slower),
            ("CopyObject", 503, Some("RequestLimitExceeded"), ErrorKind::Throttled, slower),
            ("CopyObject", 200, Some("SlowDown"), ErrorKind::Throttled, slower),
            ("CopyObject", 500, Some("InternalError"), ErrorKind::Unavailable, Retry::Again),
            ("CopyObject", 200, None, ErrorKind::Corrupt, Retry::Again),
            ("CopyObject", 200, Some("InternalError"), ErrorKind::Unavailable, Retry::Again),
            ("HeadObject", 502, None, ErrorKind::Unavailable, Retry::Again),
            ("PutObject", 400, Some("RequestTimeout"), ErrorKind::Timeout, Retry::Again),
            ("PutObject", 409, Some("ConditionalRequestConflict"), ErrorKind::Unavailable, Retry::Again),
            ("GetObject", 404, Some("NoSuchKey"), ErrorKind::NotFound, Retry::Never),
            ("ListObjectsV2", 404, Some("NoSuchBucket"), ErrorKind::NotFound, Retry::Never),
            ("HeadObject", 404, None, ErrorKind::NotFound, Retry::Never),
            ("CopyObject", 412, Some("PreconditionFailed"), ErrorKind::Changed, Retry::Never),
            ("UploadPartCopy", 412, Some("PreconditionFailed"), ErrorKind::Changed, Retry::Never),
            ("GetObject", 412, None, ErrorKind::Changed, Retry::Never),
            ("PutObject", 412, Some("PreconditionFailed"), ErrorKind::AlreadyExists, Retry::Never),
            ("CompleteMultipartUpload", 412, None, ErrorKind::AlreadyExists, Retry::Never),
            ("UploadPart", 404, Some("NoSuchUpload"), ErrorKind::Invalid, Retry::Never),
            ("GetObject", 403, Some("AccessDenied"), ErrorKind::Denied, Retry::Never),
            ("HeadObject", 403, None, ErrorKind::Denied, Retry::Never),
            ("GetObject", 403, Some("InvalidAccessKeyId"), ErrorKind::Unauthenticated, Retry::Never),
            ("GetObject", 403, Some("SignatureDoesNotMatch"), ErrorKind::Unauthenticated, Retry::Never),
            ("GetObject", 400, Some("ExpiredToken"), ErrorKind::Unauthenticated, Retry::Never),
            ("PutObject", 400, Some("BadDigest"), ErrorKind::Corrupt, Retry::Again),
            ("PutObject", 400, Some("EntityTooLarge"), ErrorKind::Invalid, Retry::Never),
            ("GetObject", 416, Some("InvalidRange"), ErrorKind::Invalid, Retry::Never),
            ("PutObject", 400, Some("KeyTooLongError"), ErrorKind::Invalid, Retry::Never),
            ("GetBucketAcl", 501, Some("NotImplemented"), ErrorKind::Unsupported, Retry::Never),
            ("PutObject", 507, Some("XMinioStorageFull"), ErrorKind::Exhausted, Retry::Never),
        ];
        for (operation, status, code, kind, retry) in cases {
            let error = answered(operation, status, code, None);
            assert_eq!((error.kind(), error.retry()), (kind, retry), "{operation} {status} {code:?}");
            assert_eq!((error.operation(), error.resource()), (operation, "s3://b/k"));
            assert!(StdError::source(&error).is_some(), "{operation} {code:?} keeps its cause");
        }
    }

    #[test]
    fn the_wait_that_a_store_names_is_kept() {
        let error = answered("CopyObject", 503, Some("SlowDown"), Some("7"));
        assert_eq!(error.retry(), Retry::Slower { after: Some(Duration::from_secs(7)) });
    }

    #[test]
    fn requests_without_an_answer_have_their_kinds() {
        type Failure = SdkError<ErrorMetadata, HttpResponse>;
        let io = || Box::new(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
        let cases: [(Failure, ErrorKind); 6] = [
            (SdkError::timeout_error(io()), ErrorKind::Timeout),
            (SdkError::dispatch_failure(ConnectorError::timeout(io())), ErrorKind::Timeout),
            (SdkError::dispatch_failure(ConnectorError::io(io())), ErrorKind::Unavailable),
            (SdkError::dispatch_failure(ConnectorError::user(io())), ErrorKind::Invalid),
            (SdkError::construction_failure(io()), ErrorKind::Invalid),
            (
                SdkError::dispatch_failure(ConnectorError::other(
                    Box::new(CredentialsError::not_loaded("no credentials")),
                    None,
                )),
                ErrorKind::Unauthenticated,
            ),
        ];
        for (failure, kind) in cases {
            let shown = format!("{failure:?}");
            assert_eq!(from_sdk("GetObject", "s3://b/k".into(), failure).kind(), kind, "{shown}");
        }
    }

    #[test]
    fn a_code_of_one_key_has_its_kind() {
        let error = of_key("DeleteObjects", "s3://b/k".into(), Some("AccessDenied"), Some("no"));
        assert_eq!(error.kind(), ErrorKind::Denied);
        let why = StdError::source(&error).unwrap();
        assert!(why.to_string().contains("s3:DeleteObject"), "{why}");
        assert_eq!(why.source().unwrap().to_string(), "AccessDenied: no");
    }
}
