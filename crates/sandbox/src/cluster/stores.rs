//! The object stores beside a recorded cluster.

use std::sync::Arc;

use super::reachable_stores::ReachableStores;
use super::served_bucket::{BucketOf, ServedBucket};
use super::{ClusterOptions, Load, StartError, Storage};
#[cfg(feature = "gcs")]
use crate::gcs::GcsServer;
use crate::pachd::folder::FolderObjects;
use crate::pachd::objects::ObjectStore;
use crate::pachd::recorded::Recorded;
use crate::s3::{S3Options, S3Server};

/// The servers that the options ask for, and the data bucket on one of them.
pub(super) struct Stores {
    pub(super) s3: S3Server,
    #[cfg(feature = "gcs")]
    pub(super) google: Option<Arc<GcsServer>>,
    /// `None` for a LOCAL deployment.
    pub(super) data: Option<BucketOf>,
}

impl Stores {
    /// Starts the servers, and loads the recorded cluster into the store that the options choose.
    pub(super) async fn start(options: &ClusterOptions, load: Load) -> Result<(Self, Recorded), StartError> {
        let (access_key, secret_key) = options.access_key.clone();
        let s3 = S3Server::start(S3Options { access_key, secret_key, ..S3Options::default() }).await?;
        #[cfg(feature = "gcs")]
        let google = match &options.google_of {
            Some(shared) => Some(Arc::clone(shared)),
            None if options.with_google || options.storage == Storage::Google => {
                Some(Arc::new(GcsServer::start(options.google.clone()).await?))
            }
            None => None,
        };
        let (objects, data): (Arc<dyn ObjectStore>, _) = match &options.storage {
            Storage::Local(folder) => (Arc::new(FolderObjects::new(folder.join("pachd"))), None),
            storage => {
                let bucket = BucketOf::S3(s3.bucket(&options.bucket));
                #[cfg(feature = "gcs")]
                let bucket = match (storage, &google) {
                    (Storage::Google, Some(google)) => BucketOf::Google(google.bucket(&options.bucket)),
                    _ => bucket,
                };
                (Arc::new(ServedBucket::new(bucket.clone(), storage)), Some(bucket))
            }
        };
        let recorded = load(objects, options.running)?;
        let stores = Self {
            s3,
            #[cfg(feature = "gcs")]
            google,
            data,
        };
        Ok((stores, recorded))
    }

    /// What pods reach of them.
    pub(super) fn reachable(&self, options: &ClusterOptions) -> ReachableStores {
        ReachableStores {
            s3: self.s3.bucket(&options.bucket),
            s3_address: self.s3.addr().to_string(),
            s3_keys: options.access_key.clone(),
            #[cfg(feature = "gcs")]
            google: self.google.as_ref().map(Arc::downgrade),
        }
    }
}
