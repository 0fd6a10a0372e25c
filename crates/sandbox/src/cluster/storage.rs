//! What a deployment keeps its objects in.

use std::path::PathBuf;

use pachyderm::layout::{self, Layout};

use crate::kubernetes::Backend;

/// The account of a deployment on Azure.
const ACCOUNT: &str = "pachydermdata";

/// What a deployment keeps its objects in, and with that how it names them. The sandbox's S3 server holds all but those of
/// [`Self::Local`], and of [`Self::Google`] where the feature `gcs` is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storage {
    /// MINIO: `pach/block/…`.
    Minio,
    /// AMAZON at an own endpoint, plain keys: `pach/block/…`.
    Amazon,
    /// AMAZON at an own endpoint, with pachctl's own default: keys with their characters in reverse order.
    AmazonReversed,
    /// GOOGLE, with workload identity: keys with a leading slash, `/pach/block/…`. With the feature `gcs` they are in a Cloud
    /// Storage server; without it, no server here speaks its protocol.
    Google,
    /// MICROSOFT: keys with a leading slash. No server here speaks its protocol.
    Microsoft,
    /// LOCAL: a folder, without a storage root in the keys.
    Local(PathBuf),
}

impl Storage {
    /// How its keys are made.
    pub fn layout(&self) -> Layout {
        match self {
            Self::Minio => Layout::new(layout::Backend::Minio, false),
            Self::Amazon => Layout::new(layout::Backend::Amazon, false),
            Self::AmazonReversed => Layout::new(layout::Backend::Amazon, true),
            Self::Google => Layout::new(layout::Backend::Google, false),
            Self::Microsoft => Layout::new(layout::Backend::Microsoft, false),
            Self::Local(_) => Layout::new(layout::Backend::Local, false),
        }
    }

    /// What the deployment's secret holds. The endpoint is that of the S3 server.
    pub(super) fn backend(&self, bucket: &str, endpoint: String, (id, secret): (String, String)) -> Backend {
        let bucket = bucket.to_owned();
        match self {
            Self::Minio => Backend::Minio { endpoint, bucket, id, secret, secure: false },
            Self::Amazon | Self::AmazonReversed => Backend::Amazon {
                bucket,
                region: "us-east-1".to_owned(),
                id,
                secret,
                custom_endpoint: format!("http://{endpoint}"),
                reverse: *self == Self::AmazonReversed,
            },
            Self::Google => Backend::Google { bucket, credentials: String::new() },
            Self::Microsoft => Backend::Microsoft { container: bucket, id: ACCOUNT.to_owned(), secret },
            Self::Local(folder) => Backend::Local { host_path: folder.display().to_string() },
        }
    }
}
