//! Which IAM actions a call needs, as the service's authorization reference lists them.

use http::HeaderMap;

use super::Operation;
use super::operation::{Call, percent_decode};
use crate::iam::Policy;

/// The first action that a policy doesn't allow for a call; `None` when it may be made.
pub(super) fn missing(policy: &Policy, call: &Call, headers: &HeaderMap) -> Option<&'static str> {
    let bucket = format!("arn:aws:s3:::{}", call.bucket);
    let object = format!("{bucket}/{}", call.key);
    let check = |action: &'static str, resource: &str| (!policy.allows(action, resource)).then_some(action);
    let source = || {
        let source = headers.get("x-amz-copy-source").and_then(|source| source.to_str().ok()).unwrap_or_default();
        check("s3:GetObject", &format!("arn:aws:s3:::{}", percent_decode(source.trim_start_matches('/'))))
    };
    // What comes with an object needs a right of its own.
    let with = || {
        let header = |name: &str, action| headers.contains_key(name).then(|| check(action, &object)).flatten();
        header("x-amz-acl", "s3:PutObjectAcl").or_else(|| header("x-amz-tagging", "s3:PutObjectTagging"))
    };
    match call.operation {
        Operation::HeadBucket | Operation::ListObjects | Operation::ListObjectsV2 => check("s3:ListBucket", &bucket),
        Operation::GetBucketLocation => check("s3:GetBucketLocation", &bucket),
        Operation::GetBucketVersioning => check("s3:GetBucketVersioning", &bucket),
        Operation::GetObjectLockConfiguration => check("s3:GetBucketObjectLockConfiguration", &bucket),
        Operation::GetBucketLifecycleConfiguration => check("s3:GetLifecycleConfiguration", &bucket),
        Operation::GetBucketEncryption => check("s3:GetEncryptionConfiguration", &bucket),
        Operation::GetPublicAccessBlock => check("s3:GetBucketPublicAccessBlock", &bucket),
        Operation::GetBucketPolicyStatus => check("s3:GetBucketPolicyStatus", &bucket),
        Operation::GetBucketPolicy => check("s3:GetBucketPolicy", &bucket),
        Operation::GetBucketAcl => check("s3:GetBucketAcl", &bucket),
        Operation::GetBucketRequestPayment => check("s3:GetBucketRequestPayment", &bucket),
        Operation::ListMultipartUploads => check("s3:ListBucketMultipartUploads", &bucket),
        Operation::HeadObject | Operation::GetObject => check("s3:GetObject", &object),
        Operation::GetObjectTagging => check("s3:GetObjectTagging", &object),
        Operation::UploadPart | Operation::CompleteMultipartUpload => check("s3:PutObject", &object),
        Operation::PutObject | Operation::CreateMultipartUpload => check("s3:PutObject", &object).or_else(with),
        Operation::UploadPartCopy => check("s3:PutObject", &object).or_else(source),
        Operation::CopyObject => check("s3:PutObject", &object).or_else(with).or_else(source),
        Operation::DeleteObject => check("s3:DeleteObject", &object),
        // Its keys are in its body: allowed below some prefix of the bucket is enough here.
        Operation::DeleteObjects => {
            (!policy.allows_below("s3:DeleteObject", &format!("{bucket}/"))).then_some("s3:DeleteObject")
        }
        Operation::AbortMultipartUpload => check("s3:AbortMultipartUpload", &object),
        Operation::ListParts => check("s3:ListMultipartUploadParts", &object),
        Operation::CreateBucket => check("s3:CreateBucket", &bucket),
        Operation::DeleteBucket => check("s3:DeleteBucket", &bucket),
        Operation::ListBuckets => check("s3:ListAllMyBuckets", "*"),
        Operation::Other => None,
    }
}
