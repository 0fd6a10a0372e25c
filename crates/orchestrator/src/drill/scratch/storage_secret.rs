//! The Secret that tells pachd its bucket. Source of its keys: what `pachctl deploy` writes.

use pachyderm::layout::{Backend, Layout};
use serde_json::{Map, Value, json};

use crate::cluster::{AccessKey, BucketPlace};
use crate::error::{Error, ErrorKind, Result};

/// Its name in every deployment.
pub(super) const NAME: &str = "pachyderm-storage-secret";

/// The Secret for a scratch bucket.
///
/// # Errors
/// `Configuration` for a place that a scratch cluster can't use.
pub(super) fn object(place: &BucketPlace, layout: &Layout) -> Result<Value> {
    let BucketPlace::S3 { bucket, endpoint, region, credentials } = place else {
        return Err(Error::new(ErrorKind::Configuration, "the bucket of a drill has to be in an S3 store"));
    };
    let insecure = endpoint.as_deref().is_some_and(|endpoint| endpoint.starts_with("http://"));
    let (id, key, token) = match credentials {
        Some(AccessKey { id, secret, session_token }) => {
            (id.as_str(), secret.as_str(), session_token.as_deref().unwrap_or_default())
        }
        // The nodes' own role, or the account's.
        None => ("", "", ""),
    };
    let endpoint = endpoint.as_deref().unwrap_or_default();
    let yes_or_no = |yes: bool| if yes { "true" } else { "false" };
    let pairs: Vec<(&str, &str)> = match layout.backend {
        Backend::Minio => vec![
            ("minio-bucket", bucket),
            ("minio-id", id),
            ("minio-secret", key),
            ("minio-endpoint", endpoint.split_once("://").map_or(endpoint, |(_, host)| host)),
            ("minio-secure", if insecure { "0" } else { "1" }),
            ("minio-signature", "0"),
        ],
        _ => vec![
            ("amazon-region", region.as_deref().unwrap_or("us-east-1")),
            ("amazon-bucket", bucket),
            ("amazon-id", id),
            ("amazon-secret", key),
            ("amazon-token", token),
            ("amazon-distribution", ""),
            ("custom-endpoint", endpoint),
            ("retries", "10"),
            ("timeout", "5m"),
            ("upload-acl", "bucket-owner-full-control"),
            ("reverse", yes_or_no(layout.is_reversed())),
            ("part-size", "5242880"),
            ("max-upload-parts", "10000"),
            ("disable-ssl", yes_or_no(insecure)),
            ("no-verify-ssl", "false"),
            ("log-options", ""),
        ],
    };
    let data: Map<String, Value> = pairs.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
    let metadata = json!({"name": NAME, "labels": {"app": NAME, "suite": "pachyderm"}});
    Ok(json!({"metadata": metadata, "type": "Opaque", "stringData": data}))
}

/// pachd's variables, and the Secret's keys that they come from, for the stores that a scratch cluster can have.
pub(super) const VARIABLES: &[(&str, &str)] = &[
    ("MINIO_BUCKET", "minio-bucket"),
    ("MINIO_ENDPOINT", "minio-endpoint"),
    ("MINIO_ID", "minio-id"),
    ("MINIO_SECRET", "minio-secret"),
    ("MINIO_SECURE", "minio-secure"),
    ("MINIO_SIGNATURE", "minio-signature"),
    ("AMAZON_REGION", "amazon-region"),
    ("AMAZON_BUCKET", "amazon-bucket"),
    ("AMAZON_ID", "amazon-id"),
    ("AMAZON_SECRET", "amazon-secret"),
    ("AMAZON_TOKEN", "amazon-token"),
    ("AMAZON_DISTRIBUTION", "amazon-distribution"),
    ("CUSTOM_ENDPOINT", "custom-endpoint"),
    ("RETRIES", "retries"),
    ("TIMEOUT", "timeout"),
    ("UPLOAD_ACL", "upload-acl"),
    ("REVERSE", "reverse"),
    ("PART_SIZE", "part-size"),
    ("MAX_UPLOAD_PARTS", "max-upload-parts"),
    ("DISABLE_SSL", "disable-ssl"),
    ("NO_VERIFY_SSL", "no-verify-ssl"),
    ("OBJ_LOG_OPTS", "log-options"),
];
