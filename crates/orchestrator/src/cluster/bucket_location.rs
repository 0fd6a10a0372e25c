//! Where a cluster keeps its data, and with which credentials it reads it.

use std::fmt;

use pachyderm::layout::{Backend, Layout};

/// The bucket of a cluster, as pachd's environment and the storage secret name it.
#[derive(Clone, Debug)]
pub struct BucketLocation {
    /// `STORAGE_BACKEND`.
    pub backend: Backend,
    /// How keys are written in it.
    pub layout: Layout,
    /// Where it is.
    pub place: BucketPlace,
}

/// Where a bucket is.
#[derive(Clone, Debug)]
pub enum BucketPlace {
    /// An S3 store: AMAZON and MINIO backends.
    S3 {
        /// Bucket name.
        bucket: String,
        /// Endpoint as a URL; none means AWS itself.
        endpoint: Option<String>,
        /// Region, if one is set.
        region: Option<String>,
        /// The cluster's own key, if it has one in its secret.
        credentials: Option<AccessKey>,
    },
    /// A Google Cloud Storage bucket.
    Google {
        /// Bucket name.
        bucket: String,
        /// The cluster's own key, if it has one in its secret: without, its pods have an identity.
        credentials: Option<ServiceAccountKey>,
    },
    /// An Azure Blob container.
    Microsoft {
        /// Container.
        container: String,
        /// Storage account.
        account: String,
    },
    /// A folder on the node (`STORAGE_HOST_PATH`): the storage root itself.
    Local {
        /// The folder as the node sees it.
        host_path: String,
    },
}

/// An access key of an S3 store. Its secret half never shows in `Debug`.
#[derive(Clone)]
pub struct AccessKey {
    /// Public half.
    pub id: String,
    /// Secret half.
    pub secret: String,
    /// Session token, for temporary keys.
    pub session_token: Option<String>,
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The JSON of a service account's key. Never shows in `Debug`.
#[derive(Clone)]
pub struct ServiceAccountKey(pub String);

impl fmt::Debug for ServiceAccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServiceAccountKey(…)")
    }
}

impl BucketLocation {
    /// The value of `STORAGE_BACKEND`.
    #[must_use]
    pub fn backend_name(&self) -> &'static str {
        match self.backend {
            Backend::Amazon => "AMAZON",
            Backend::Google => "GOOGLE",
            Backend::Microsoft => "MICROSOFT",
            Backend::Minio => "MINIO",
            Backend::Local => "LOCAL",
        }
    }

    /// The bucket in words, without credentials.
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.place {
            BucketPlace::S3 { bucket, endpoint: Some(endpoint), .. } => format!("s3://{bucket} at {endpoint}"),
            BucketPlace::S3 { bucket, .. } => format!("s3://{bucket}"),
            BucketPlace::Google { bucket, .. } => format!("gs://{bucket}"),
            BucketPlace::Microsoft { container, account } => format!("az://{account}/{container}"),
            BucketPlace::Local { host_path } => format!("file://{host_path} on the node"),
        }
    }
}
