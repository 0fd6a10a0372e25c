//! What EC2's error codes mean. From "Error codes for the Amazon EC2 API"; what isn't listed goes by its status.

use provider::ErrorKind;

/// The kind of an error code, or of a status where no code came.
pub(super) fn kind_of(code: Option<&str>, status: u16) -> ErrorKind {
    match code.unwrap_or_default() {
        "RequestLimitExceeded"
        | "Throttling"
        | "ThrottlingException"
        | "RequestThrottled"
        | "TooManyRequestsException"
        | "EC2ThrottledException"
        | "SnapshotCreationPerVolumeRateExceeded" => ErrorKind::Throttled,
        "ConcurrentSnapshotLimitExceeded"
        | "PendingSnapshotLimitExceeded"
        | "SnapshotLimitExceeded"
        | "VolumeLimitExceeded"
        | "MaxIOPSLimitExceeded"
        | "ResourceLimitExceeded"
        | "ResourceCountExceeded"
        | "TagLimitExceeded"
        | "InsufficientVolumeCapacity" => ErrorKind::Exhausted,
        "InvalidVolume.NotFound" | "InvalidSnapshot.NotFound" => ErrorKind::NotFound,
        "UnauthorizedOperation"
        | "AccessDenied"
        | "AccessDeniedException"
        | "OperationNotPermitted"
        | "OptInRequired"
        | "Blocked"
        | "PendingVerification"
        | "InvalidSnapshot.InUse"
        | "SnapshotLocked" => ErrorKind::Denied,
        "AuthFailure"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "IncompleteSignature"
        | "InvalidClientTokenId"
        | "MissingAuthenticationToken"
        | "RequestExpired"
        | "SignatureDoesNotMatch"
        | "UnrecognizedClientException" => ErrorKind::Unauthenticated,
        "InternalError" | "InternalFailure" | "ServerInternal" | "ServiceUnavailable" | "Unavailable" => {
            ErrorKind::Unavailable
        }
        "IdempotentParameterMismatch" => ErrorKind::AlreadyExists,
        "InvalidAction" | "Unsupported" | "UnsupportedOperation" => ErrorKind::Unsupported,
        _ => of_status(status),
    }
}

fn of_status(status: u16) -> ErrorKind {
    match status {
        200..=299 => ErrorKind::Corrupt,
        401 => ErrorKind::Unauthenticated,
        403 => ErrorKind::Denied,
        404 => ErrorKind::NotFound,
        408 => ErrorKind::Timeout,
        429 => ErrorKind::Throttled,
        300..=499 => ErrorKind::Invalid,
        500..=599 => ErrorKind::Unavailable,
        _ => ErrorKind::Other,
    }
}

/// Whether a code means that an IAM policy doesn't allow the call.
pub(super) fn is_about_rights(code: &str) -> bool {
    matches!(code, "UnauthorizedOperation" | "AccessDenied" | "AccessDeniedException")
}

/// The IAM action that was denied: EC2 names it where its message isn't encoded, and it is not always the call's own
/// (`CreateSnapshot` with tags needs `ec2:CreateTags`, an encrypted volume needs rights to its key).
pub(super) fn action(operation: &str, message: &str) -> String {
    let named = message.split_once("to perform: ").and_then(|(_, rest)| rest.split_whitespace().next());
    let is_action = |text: &&str| {
        text.split_once(':').is_some_and(|(service, action)| {
            let letters = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
            letters(service) && letters(action)
        })
    };
    named.filter(is_action).map_or_else(|| format!("ec2:{operation}"), str::to_owned)
}
