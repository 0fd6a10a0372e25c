//! One table from the protocol's codes and statuses to the contract's kinds.

use provider::ErrorKind;

/// The kind of an error code, or of a status where no code came (answers to `HEAD` have no body).
pub(super) fn of_code(code: Option<&str>, status: u16, operation: &str) -> ErrorKind {
    let condition_failed = match operation {
        "PutObject" | "CompleteMultipartUpload" => ErrorKind::AlreadyExists,
        _ => ErrorKind::Changed,
    };
    match code.unwrap_or_default() {
        "SlowDown"
        | "SlowDownRead"
        | "SlowDownWrite"
        | "ServiceUnavailable"
        | "RequestLimitExceeded"
        | "Throttling"
        | "ThrottlingException"
        | "TooManyRequests"
        | "TooManyRequestsException"
        | "RequestThrottled"
        | "BandwidthLimitExceeded"
        | "TooMuchRequests"
        | "ThrottledException" => ErrorKind::Throttled,
        "InternalError"
        | "InternalFailure"
        | "OperationAborted"
        | "ConditionalRequestConflict"
        | "ServerNotInitialized"
        | "XMinioServerNotInitialized" => ErrorKind::Unavailable,
        "RequestTimeout" => ErrorKind::Timeout,
        "NoSuchKey" | "NoSuchBucket" | "NotFound" | "NoSuchVersion" => ErrorKind::NotFound,
        "NoSuchUpload" => ErrorKind::Invalid,
        "PreconditionFailed" => condition_failed,
        "AccessDenied" | "AllAccessDisabled" | "AccountProblem" | "ObjectLocked" => ErrorKind::Denied,
        "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "ExpiredToken"
        | "InvalidToken"
        | "TokenRefreshRequired"
        | "NotSignedUp"
        | "RequestTimeTooSkewed"
        | "RequestExpired"
        | "AuthorizationHeaderMalformed"
        | "InvalidSecurity" => ErrorKind::Unauthenticated,
        "BadDigest" | "XAmzContentSHA256Mismatch" | "XAmzContentChecksumMismatch" | "IncompleteBody" => {
            ErrorKind::Corrupt
        }
        "NotImplemented" | "MethodNotAllowed" => ErrorKind::Unsupported,
        "QuotaExceeded" | "XMinioAdminBucketQuotaExceeded" | "XMinioStorageFull" | "TooManyBuckets" => {
            ErrorKind::Exhausted
        }
        "EntityTooLarge"
        | "EntityTooSmall"
        | "InvalidRange"
        | "InvalidRequest"
        | "InvalidArgument"
        | "InvalidBucketName"
        | "InvalidDigest"
        | "InvalidPart"
        | "InvalidPartOrder"
        | "KeyTooLongError"
        | "MalformedXML"
        | "MetadataTooLarge"
        | "InvalidURI"
        | "InvalidStorageClass"
        | "InvalidObjectState"
        | "PermanentRedirect"
        | "TemporaryRedirect"
        | "IllegalLocationConstraintException"
        | "XMinioInvalidObjectName"
        | "XMinioParentIsObject"
        | "XMinioObjectExistsAsDirectory" => ErrorKind::Invalid,
        _ => of_status(status, condition_failed),
    }
}

fn of_status(status: u16, condition_failed: ErrorKind) -> ErrorKind {
    match status {
        // The store says that all went well, in a way that can't be read.
        200..=299 => ErrorKind::Corrupt,
        401 => ErrorKind::Unauthenticated,
        403 => ErrorKind::Denied,
        404 => ErrorKind::NotFound,
        408 => ErrorKind::Timeout,
        412 => condition_failed,
        429 | 503 => ErrorKind::Throttled,
        501 => ErrorKind::Unsupported,
        507 => ErrorKind::Exhausted,
        300..=399 | 400 | 405 | 411 | 413..=417 => ErrorKind::Invalid,
        500..=599 => ErrorKind::Unavailable,
        _ => ErrorKind::Other,
    }
}
