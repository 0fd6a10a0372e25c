//! One place that makes the contract's errors of the SDK's.

mod code;
mod problem;

use std::error::Error as StdError;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_ec2::config::http::HttpResponse;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::operation::RequestId;
use provider::{Error, ErrorKind};

pub use problem::{EbsProblem, Refusal};

/// The contract's error of an SDK error, which it keeps as its source.
pub(crate) fn from_sdk<E>(operation: &'static str, resource: String, error: SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    if s3::is_untrusted(&error) {
        let source = EbsProblem::Untrusted(Box::new(error));
        return Error::new(ErrorKind::Unavailable, operation, resource)
            .with_retry(provider::Retry::Never)
            .with_source(source);
    }
    let kind = match &error {
        _ if has_cause::<CredentialsError>(&error) => ErrorKind::Unauthenticated,
        SdkError::ConstructionFailure(_) => ErrorKind::Invalid,
        SdkError::TimeoutError(_) => ErrorKind::Timeout,
        SdkError::DispatchFailure(failure) if failure.is_timeout() => ErrorKind::Timeout,
        SdkError::DispatchFailure(failure) if failure.is_user() => ErrorKind::Invalid,
        SdkError::DispatchFailure(_) => ErrorKind::Unavailable,
        SdkError::ResponseError(answer) if answer.raw().status().as_u16() < 300 => ErrorKind::Corrupt,
        SdkError::ResponseError(answer) => code::kind_of(None, answer.raw().status().as_u16()),
        SdkError::ServiceError(answer) => code::kind_of(answer.err().code(), answer.raw().status().as_u16()),
        _ => ErrorKind::Other,
    };
    let told = Error::new(kind, operation, resource);
    let Some(code) = error.as_service_error().and_then(ProvideErrorMetadata::code) else {
        return told.with_source(error);
    };
    let message = error.as_service_error().and_then(ProvideErrorMetadata::message).unwrap_or_default().to_owned();
    let lacks_right = kind == ErrorKind::Denied && code::is_about_rights(code);
    told.with_source(Refusal {
        code: code.to_owned(),
        action: lacks_right.then(|| code::action(operation, &message)),
        request: error.request_id().map(str::to_owned),
        message,
        source: Box::new(error),
    })
}

/// An error that this crate finds itself.
pub(crate) fn own(kind: ErrorKind, operation: &'static str, resource: String, problem: EbsProblem) -> Error {
    Error::new(kind, operation, resource).with_source(problem)
}

/// Whether an error of this type is in the chain, the error itself included.
fn has_cause<T: StdError + 'static>(error: &(dyn StdError + 'static)) -> bool {
    let mut at = Some(error);
    while let Some(error) = at {
        if error.is::<T>() {
            return true;
        }
        at = error.source();
    }
    false
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use aws_sdk_ec2::error::{ConnectorError, ErrorMetadata};
    use aws_smithy_types::body::SdkBody;
    use provider::Retry;

    use super::*;

    fn code_of(error: &Error) -> Option<&str> {
        let refusal: Option<&Refusal> = StdError::source(error)?.downcast_ref();
        refusal.map(|refusal| refusal.code.as_str())
    }

    fn answered(operation: &'static str, status: u16, code: Option<&str>, message: &str) -> Error {
        let mut metadata = ErrorMetadata::builder().message(message);
        if let Some(code) = code {
            metadata = metadata.code(code);
        }
        let raw = HttpResponse::new(status.try_into().unwrap(), SdkBody::empty());
        from_sdk(operation, "volume vol-1 in us-east-1".into(), SdkError::service_error(metadata.build(), raw))
    }

    #[test]
    fn codes_and_statuses_have_their_kinds_and_retry_classes() {
        let slower = Retry::Slower { after: None };
        for (status, code, kind, retry) in [
            (503, Some("RequestLimitExceeded"), ErrorKind::Throttled, slower),
            (400, Some("Throttling"), ErrorKind::Throttled, slower),
            (400, Some("SnapshotCreationPerVolumeRateExceeded"), ErrorKind::Throttled, slower),
            (429, None, ErrorKind::Throttled, slower),
            (400, Some("ConcurrentSnapshotLimitExceeded"), ErrorKind::Exhausted, Retry::Never),
            (400, Some("SnapshotLimitExceeded"), ErrorKind::Exhausted, Retry::Never),
            (400, Some("VolumeLimitExceeded"), ErrorKind::Exhausted, Retry::Never),
            (400, Some("InvalidVolume.NotFound"), ErrorKind::NotFound, Retry::Never),
            (400, Some("InvalidSnapshot.NotFound"), ErrorKind::NotFound, Retry::Never),
            (403, Some("UnauthorizedOperation"), ErrorKind::Denied, Retry::Never),
            (400, Some("InvalidSnapshot.InUse"), ErrorKind::Denied, Retry::Never),
            (400, Some("OperationNotPermitted"), ErrorKind::Denied, Retry::Never),
            (401, Some("AuthFailure"), ErrorKind::Unauthenticated, Retry::Never),
            (400, Some("RequestExpired"), ErrorKind::Unauthenticated, Retry::Never),
            (400, Some("ExpiredToken"), ErrorKind::Unauthenticated, Retry::Never),
            (400, Some("InvalidVolumeID.Malformed"), ErrorKind::Invalid, Retry::Never),
            (400, Some("InvalidParameterValue"), ErrorKind::Invalid, Retry::Never),
            (400, Some("IncorrectState"), ErrorKind::Invalid, Retry::Never),
            (400, Some("IdempotentParameterMismatch"), ErrorKind::AlreadyExists, Retry::Never),
            (400, Some("UnsupportedOperation"), ErrorKind::Unsupported, Retry::Never),
            (500, Some("InternalError"), ErrorKind::Unavailable, Retry::Again),
            (503, Some("Unavailable"), ErrorKind::Unavailable, Retry::Again),
            (503, None, ErrorKind::Unavailable, Retry::Again),
            (502, None, ErrorKind::Unavailable, Retry::Again),
            (400, Some("SomethingNew"), ErrorKind::Invalid, Retry::Never),
            (403, None, ErrorKind::Denied, Retry::Never),
        ] {
            let error = answered("CreateSnapshot", status, code, "no");
            assert_eq!((error.kind(), error.retry()), (kind, retry), "{status} {code:?}");
            assert_eq!((error.operation(), error.resource()), ("CreateSnapshot", "volume vol-1 in us-east-1"));
            assert_eq!(code_of(&error), code);
            assert!(StdError::source(&error).is_some(), "{code:?} keeps its cause");
        }
    }

    #[test]
    fn what_is_denied_names_the_iam_action() {
        let told = |message| {
            let error = answered("CreateSnapshot", 403, Some("UnauthorizedOperation"), message);
            StdError::source(&error).unwrap().to_string()
        };
        let plain = told("You are not authorized to perform this operation.");
        assert!(plain.contains("lack the right ec2:CreateSnapshot"), "{plain}");
        let named = told("User: arn:aws:iam::1:user/u is not authorized to perform: ec2:CreateTags on resource: x");
        assert!(named.contains("lack the right ec2:CreateTags"), "{named}");
        let error = answered("DeleteSnapshot", 400, Some("InvalidSnapshot.InUse"), "in use by ami-1");
        let in_use = StdError::source(&error).unwrap().to_string();
        assert!(in_use.contains("in use by ami-1") && !in_use.contains("lack"), "{in_use}");
    }

    #[test]
    fn requests_without_an_answer_have_their_kinds() {
        type Failure = SdkError<ErrorMetadata, HttpResponse>;
        let io = || Box::new(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
        let no_credentials = Box::new(CredentialsError::not_loaded("no credentials"));
        let cases: [(Failure, ErrorKind); 6] = [
            (SdkError::timeout_error(io()), ErrorKind::Timeout),
            (SdkError::dispatch_failure(ConnectorError::timeout(io())), ErrorKind::Timeout),
            (SdkError::dispatch_failure(ConnectorError::io(io())), ErrorKind::Unavailable),
            (SdkError::dispatch_failure(ConnectorError::user(io())), ErrorKind::Invalid),
            (SdkError::construction_failure(io()), ErrorKind::Invalid),
            (SdkError::dispatch_failure(ConnectorError::other(no_credentials, None)), ErrorKind::Unauthenticated),
        ];
        for (failure, kind) in cases {
            let shown = format!("{failure:?}");
            assert_eq!(from_sdk("CreateSnapshot", "x".into(), failure).kind(), kind, "{shown}");
        }
    }
}
