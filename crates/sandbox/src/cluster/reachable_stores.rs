//! What a pod reaches of the object stores, by what its deployment says of its bucket.

#[cfg(feature = "gcs")]
use std::sync::Weak;

use super::Storage;
use super::served_bucket::{BucketOf, ServedBucket};
#[cfg(feature = "gcs")]
use crate::gcs::GcsServer;
use crate::s3::BucketHandle;

/// The servers that there are.
pub(super) struct ReachableStores {
    /// A bucket of the only S3 server.
    pub(super) s3: BucketHandle,
    /// `host:port` of that server.
    pub(super) s3_address: String,
    /// Access key and secret that it takes.
    pub(super) s3_keys: (String, String),
    /// Cloud Storage, if there is one.
    #[cfg(feature = "gcs")]
    pub(super) google: Option<Weak<GcsServer>>,
}

impl ReachableStores {
    /// The bucket of a deployment, by its backend and the values of its storage secret; `None` while they don't fit a server, as
    /// a pachd that can't reach its bucket does not start.
    pub(super) fn bucket_of(
        &self,
        namespace: &str,
        backend: &str,
        value: impl Fn(&str) -> Option<String>,
    ) -> Option<ServedBucket> {
        let reversed = || value("reverse").as_deref() == Some("true");
        match backend {
            "MINIO" => self.s3_bucket(namespace, &Storage::Minio, "minio", &value("minio-endpoint")?, value),
            "AMAZON" if reversed() => {
                self.s3_bucket(namespace, &Storage::AmazonReversed, "amazon", &value("custom-endpoint")?, value)
            }
            "AMAZON" => self.s3_bucket(namespace, &Storage::Amazon, "amazon", &value("custom-endpoint")?, value),
            #[cfg(feature = "gcs")]
            "GOOGLE" => self.google_bucket(namespace, value),
            _ => None,
        }
    }

    fn s3_bucket(
        &self,
        namespace: &str,
        storage: &Storage,
        prefix: &str,
        endpoint: &str,
        value: impl Fn(&str) -> Option<String>,
    ) -> Option<ServedBucket> {
        let keys = (value(&format!("{prefix}-id"))?, value(&format!("{prefix}-secret"))?);
        let host = endpoint.split_once("://").map_or(endpoint, |(_, host)| host);
        if host != self.s3_address || keys != self.s3_keys {
            tracing::warn!(namespace, endpoint, "pachd can't reach its bucket with what its secret says");
            return None;
        }
        let bucket = self.s3.beside(&value(&format!("{prefix}-bucket"))?);
        Some(ServedBucket::new(BucketOf::S3(bucket), storage))
    }

    /// Without credentials pachd is who the node says it is (workload identity); those that there are have to be of the only user
    /// whom the server knows.
    #[cfg(feature = "gcs")]
    fn google_bucket(&self, namespace: &str, value: impl Fn(&str) -> Option<String>) -> Option<ServedBucket> {
        let server = self.google.as_ref()?.upgrade()?;
        let credentials = value("google-cred").unwrap_or_default();
        let known = || {
            serde_json::from_str(&credentials).is_ok_and(|given: serde_json::Value| given == server.user_credentials())
        };
        if !credentials.is_empty() && !known() {
            tracing::warn!(namespace, "pachd can't reach its bucket with the credentials in its secret");
            return None;
        }
        let bucket = server.bucket(&value("google-bucket")?);
        Some(ServedBucket::new(BucketOf::Google(bucket), &Storage::Google))
    }
}
