//! The objects that `pachctl deploy` of Pachyderm 1.13.4 makes.

mod access;
mod dash;
mod etcd;
mod pachd;
mod persistent_disk;
mod storage_secret;

use serde_json::{Value, json};

use super::csi::CSI_DRIVER;
pub(crate) use etcd::VOLUME_BYTES as ETCD_VOLUME_BYTES;
pub use persistent_disk::TopologyLabels;

/// Where the cluster keeps its objects, with what the storage secret holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Backend {
    /// `MINIO`: any S3 store that wants signature version 2 or plain HTTP.
    Minio {
        /// `host:port`, without a scheme.
        endpoint: String,
        /// The bucket.
        bucket: String,
        /// The access key.
        id: String,
        /// The secret key.
        secret: String,
        /// Whether it speaks TLS.
        secure: bool,
    },
    /// `AMAZON`.
    Amazon {
        /// The bucket.
        bucket: String,
        /// Its region.
        region: String,
        /// The access key; empty when the node's role is used.
        id: String,
        /// The secret key; empty when the node's role is used.
        secret: String,
        /// `http://host:port` of a store that is not Amazon's; empty otherwise.
        custom_endpoint: String,
        /// Whether keys are stored reversed. pachctl's own default is `true`.
        reverse: bool,
    },
    /// `GOOGLE`.
    Google {
        /// The bucket.
        bucket: String,
        /// A service account's JSON; empty with workload identity.
        credentials: String,
    },
    /// `MICROSOFT`.
    Microsoft {
        /// The container.
        container: String,
        /// The account's name.
        id: String,
        /// The account's key.
        secret: String,
    },
    /// `LOCAL`: a folder of the node.
    Local {
        /// The folder; pachd uses `pachd` in it, etcd `etcd`.
        host_path: String,
    },
}

/// How etcd is deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Etcd {
    /// StatefulSet `etcd` with a pod for each volume, and the claims `etcd-storage-etcd-0` and so on
    /// (`--dynamic-etcd-nodes`).
    StatefulSet(Vec<EtcdVolume>),
    /// Deployment `etcd` with the claim `etcd-storage` (`--static-etcd-volume`); with a host path no claim at all.
    Deployment(EtcdVolume),
}

/// What etcd's PersistentVolume points to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EtcdVolume {
    /// A folder of the node.
    HostPath(String),
    /// An in-tree EBS volume, as `aws://eu-west-1a/vol-0123`.
    AwsElasticBlockStore(String),
    /// An in-tree persistent disk.
    GcePersistentDisk {
        /// Its name.
        name: String,
        /// Its zone; those of a regional disk with `__` between them, as in the label: `us-central1-a__us-central1-b`.
        zone: String,
        /// How the PersistentVolume tells zone and region.
        labels: TopologyLabels,
    },
    /// An in-tree Azure disk, by its URI.
    AzureDisk(String),
    /// A volume of a CSI driver.
    Csi {
        /// The driver (`ebs.csi.aws.com`, `pd.csi.storage.gke.io`). The sandbox's own serves its volume: the deployment gets a StorageClass and a
        /// VolumeSnapshotClass for it.
        driver: String,
        /// The driver's own id of the volume.
        handle: String,
    },
}

/// A Pachyderm deployment to be put into the API by `KubernetesServer::deploy`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PachydermDeployment {
    /// The namespace of everything.
    pub namespace: String,
    /// The object store.
    pub backend: Backend,
    /// etcd.
    pub etcd: Etcd,
    /// pachd's version, also the tag of its images.
    pub pachd_version: String,
    /// Whether `STORAGE_V2` is on.
    pub storage_v2: bool,
    /// `CLUSTER_DEPLOYMENT_ID`.
    pub deployment_id: String,
    /// `PACH_ROOT`.
    pub storage_root: String,
    /// Whether dash is deployed too.
    pub dash: bool,
}

impl PachydermDeployment {
    /// A deployment of 1.13.4 with the dashboard. etcd is a StatefulSet over a host path, with a LOCAL backend a Deployment.
    pub fn new(namespace: &str, backend: Backend) -> Self {
        let etcd = match &backend {
            Backend::Local { host_path } => Etcd::Deployment(EtcdVolume::HostPath(format!("{host_path}/etcd"))),
            _ => Etcd::StatefulSet(vec![EtcdVolume::HostPath("/var/pachyderm/etcd".to_owned())]),
        };
        PachydermDeployment {
            namespace: namespace.to_owned(),
            backend,
            etcd,
            pachd_version: "1.13.4".to_owned(),
            storage_v2: false,
            deployment_id: uuid::Uuid::new_v4().simple().to_string(),
            storage_root: "/pach".to_owned(),
            dash: true,
        }
    }

    /// All objects, in the order in which they are created: Services that name their node ports come before etcd's, which gets
    /// a free one and might otherwise get one of theirs.
    #[must_use]
    pub fn objects(&self) -> Vec<Value> {
        let mut objects = access::objects(self);
        objects.push(storage_secret::object(self));
        objects.extend(pachd::objects(self));
        if self.dash {
            objects.extend(dash::objects(self));
        }
        objects.extend(etcd::objects(self));
        objects
    }

    /// The handles of those of etcd's volumes that are the sandbox's own CSI driver's.
    pub(crate) fn own_volumes(&self) -> Vec<&str> {
        let own = self.etcd_volumes().iter().filter_map(|volume| match volume {
            EtcdVolume::Csi { driver, handle } if driver == CSI_DRIVER => Some(handle.as_str()),
            _ => None,
        });
        own.collect()
    }

    fn etcd_volumes(&self) -> &[EtcdVolume] {
        match &self.etcd {
            Etcd::StatefulSet(volumes) => volumes,
            Etcd::Deployment(volume) => std::slice::from_ref(volume),
        }
    }

    /// Metadata of an object that belongs to `app`.
    fn metadata(&self, name: &str, app: &str) -> Value {
        json!({"name": name, "namespace": self.namespace, "labels": {"app": app, "suite": "pachyderm"}})
    }
}
