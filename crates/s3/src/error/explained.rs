//! What an operator can do about a refusal that its code alone doesn't say.

use std::error::Error as StdError;

use provider::{Error, ErrorKind};

/// A refusal, and what would help.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
struct Explained {
    why: String,
    source: Box<dyn StdError + Send + Sync>,
}

/// The contract's error with its source, and before it what would help, if that is known.
pub(super) fn explained(told: Error, why: Option<String>, source: impl StdError + Send + Sync + 'static) -> Error {
    match why {
        Some(why) => told.with_source(Explained { why, source: Box::new(source) }),
        None => told.with_source(source),
    }
}

/// What would help against a refusal; `None` where the store's own words are all there is.
pub(super) fn explanation(
    kind: ErrorKind,
    code: Option<&str>,
    message: Option<&str>,
    operation: &str,
) -> Option<String> {
    match code {
        Some("InvalidObjectState") => {
            let why = "the object is archived, so it can neither be read nor copied: bring it back first (`aws s3api \
                       restore-object`), and end the rule that archives";
            return Some(why.to_owned());
        }
        None | Some("AccessDenied" | "Forbidden") if kind == ErrorKind::Denied => {}
        _ => return None,
    }
    // AWS often names what is missing, a key's rights among it.
    if let Some((_, named)) = message.and_then(|message| message.split_once("not authorized to perform: ")) {
        let action = named.split([' ', ',']).next().unwrap_or_default();
        if action.contains(':') {
            return Some(format!("the right {action} is missing"));
        }
    }
    let action = action(operation)?;
    Some(format!("the right {action} is missing, or a policy of the bucket, its owner or a key forbids the call"))
}

/// The IAM action of a call, from the service authorization reference ("Actions, resources, and condition keys for Amazon S3").
fn action(operation: &str) -> Option<&'static str> {
    Some(match operation {
        "ListObjectsV2" | "HeadBucket" => "s3:ListBucket",
        "GetObject" | "HeadObject" => "s3:GetObject (s3:ListBucket, if there is no such object)",
        "GetObjectTagging" => "s3:GetObjectTagging",
        "CopyObject" | "UploadPartCopy" => {
            "s3:PutObject, or s3:GetObject on what is copied (with tags s3:GetObjectTagging and s3:PutObjectTagging),"
        }
        "PutObject" | "CreateMultipartUpload" | "UploadPart" | "CompleteMultipartUpload" => "s3:PutObject",
        "DeleteObjects" | "DeleteObject" => "s3:DeleteObject",
        "AbortMultipartUpload" => "s3:AbortMultipartUpload",
        "ListMultipartUploads" => "s3:ListBucketMultipartUploads",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_denied_names_the_iam_action() {
        let told =
            |code, message, operation| explanation(ErrorKind::Denied, code, message, operation).unwrap_or_default();
        assert!(told(Some("AccessDenied"), None, "PutObject").contains("s3:PutObject"));
        assert!(told(None, None, "HeadObject").contains("s3:GetObject"));
        assert_eq!(told(Some("ObjectLocked"), None, "DeleteObjects"), "");
        assert_eq!(told(Some("AccessDenied"), None, "GetBucketAcl"), "");
        let said =
            "User: arn:aws:iam::1:user/x is not authorized to perform: kms:GenerateDataKey on resource: arn:aws:kms:x";
        assert_eq!(told(Some("AccessDenied"), Some(said), "PutObject"), "the right kms:GenerateDataKey is missing");
        let archived = explanation(ErrorKind::Invalid, Some("InvalidObjectState"), None, "CopyObject");
        assert!(archived.is_some_and(|why| why.contains("archived")));
    }
}
