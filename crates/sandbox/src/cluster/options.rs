//! How a recorded cluster is served.

use std::sync::Arc;
use std::time::Duration;

use super::{BUCKET, Storage};
#[cfg(feature = "gcs")]
use crate::gcs::{GcsOptions, GcsServer};
use crate::kubernetes::{CsiDriver, EtcdVolume, TopologyLabels};
use crate::pachd::AuthOptions;

/// Google's CSI driver for Persistent Disks.
const PD_DRIVER: &str = "pd.csi.storage.gke.io";
/// The zone of a Persistent Disk that names none.
const PD_ZONE: &str = "us-central1-a";

/// How a recorded cluster is served.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// Whether its pipelines run, as before the recording, or are stopped, as recorded.
    pub running: bool,
    /// How long the pipeline master takes for each state of each pipeline. The recorded one took about 1.3 s.
    pub master_interval: Duration,
    /// Access key and secret of the data bucket.
    pub access_key: (String, String),
    /// Whether the deployment is marked as one with other storage, which can't be backed up.
    pub storage_v2: bool,
    /// Where the deployment keeps its objects.
    pub storage: Storage,
    /// Name of the data bucket.
    pub bucket: String,
    /// Whether a Cloud Storage server is started for a deployment that keeps its objects elsewhere, too.
    #[cfg(feature = "gcs")]
    pub with_google: bool,
    /// How that server is started.
    #[cfg(feature = "gcs")]
    pub google: GcsOptions,
    /// The Cloud Storage of another cluster, to share: no other is started. The buckets' names should differ.
    #[cfg(feature = "gcs")]
    pub google_of: Option<Arc<GcsServer>>,
    /// Present when auth is on.
    pub auth: Option<AuthOptions>,
    /// Whether etcd's volume is one of the sandbox's CSI driver, so that VolumeSnapshots of it can be cut. What etcd holds
    /// at the cut is then the file [`ETCD_DATABASE`](super::ETCD_DATABASE) of the snapshot. Means nothing for a LOCAL deployment.
    pub csi_etcd_volume: bool,
    /// An in-tree EBS volume under etcd (`aws://us-east-1a/vol-0123`), without [`Self::csi_etcd_volume`]. Nothing is on it.
    pub ebs_etcd_volume: Option<String>,
    /// A Persistent Disk under etcd, without [`Self::csi_etcd_volume`]. Nothing is on it.
    pub pd_etcd_volume: Option<EtcdVolume>,
    /// Whether a Deployment runs etcd, not a StatefulSet; with [`Self::csi_etcd_volume`].
    pub etcd_deployment: bool,
    /// The CSI driver of another cluster on the same storage system.
    pub csi: Option<Arc<CsiDriver>>,
    /// How many members etcd has, each with a pod and a volume of its own; without [`Self::csi_etcd_volume`] always one.
    pub etcd_members: usize,
}

impl Default for ClusterOptions {
    fn default() -> Self {
        Self {
            running: true,
            master_interval: Duration::from_millis(20),
            access_key: ("sandbox".to_owned(), "sandbox-secret-key".to_owned()),
            storage_v2: false,
            storage: Storage::Minio,
            bucket: BUCKET.to_owned(),
            #[cfg(feature = "gcs")]
            with_google: false,
            #[cfg(feature = "gcs")]
            google: GcsOptions::default(),
            #[cfg(feature = "gcs")]
            google_of: None,
            auth: None,
            csi_etcd_volume: true,
            ebs_etcd_volume: None,
            pd_etcd_volume: None,
            etcd_deployment: false,
            csi: None,
            etcd_members: 1,
        }
    }
}

impl ClusterOptions {
    /// With an in-tree EBS volume under etcd, in the first zone of `us-east-1`.
    #[must_use]
    pub fn on_ebs(volume: &str) -> Self {
        let ebs_etcd_volume = Some(format!("aws://us-east-1a/{volume}"));
        Self { csi_etcd_volume: false, ebs_etcd_volume, ..Self::default() }
    }

    /// With an in-tree Persistent Disk under etcd, in the zone `us-central1-a`, labelled as Kubernetes does it now.
    #[must_use]
    pub fn on_persistent_disk(pd_name: &str) -> Self {
        Self::with_disk(EtcdVolume::GcePersistentDisk {
            name: pd_name.to_owned(),
            zone: PD_ZONE.to_owned(),
            labels: TopologyLabels::Stable,
        })
    }

    /// With a Persistent Disk of Google's CSI driver under etcd, by its handle: `projects/P/zones/Z/disks/D` or
    /// `projects/P/regions/R/disks/D`.
    #[must_use]
    pub fn on_csi_persistent_disk(handle: &str) -> Self {
        Self::with_disk(EtcdVolume::Csi { driver: PD_DRIVER.to_owned(), handle: handle.to_owned() })
    }

    fn with_disk(disk: EtcdVolume) -> Self {
        Self { csi_etcd_volume: false, pd_etcd_volume: Some(disk), ..Self::default() }
    }
}
