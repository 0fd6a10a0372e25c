//! A whole recorded cluster: pachd with its etcd, its bucket on an object store, and the Kubernetes API around it.

mod etcd_disk;
#[cfg(feature = "programs")]
mod etcd_on_node;
#[cfg(feature = "programs")]
mod kubernetes_workers;
#[cfg(feature = "programs")]
pub mod on_kubernetes;
mod options;
mod other_namespaces;
mod reachable_stores;
mod served_bucket;
mod storage;
mod stores;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use etcd_disk::{EtcdDisk, MountedDisk};
use other_namespaces::Nodes;
use served_bucket::BucketOf;
use stores::Stores;
use tokio_util::sync::DropGuard;

#[cfg(feature = "gcs")]
use crate::gcs::GcsServer;
use crate::kubernetes::{
    CSI_DRIVER, Etcd, EtcdVolume, ForwardTarget, KubernetesOptions, KubernetesServer, PachydermDeployment,
    WorkerControl,
};
use crate::pachd::etcd;
use crate::pachd::objects::ObjectStore;
use crate::pachd::pipelines::Workers;
use crate::pachd::recorded::{self, LoadError, Recorded};
use crate::pachd::{ExtractClock, PachdOptions, PachdServer};
use crate::s3::S3Server;

pub use options::ClusterOptions;
pub use storage::Storage;

/// Namespace of the deployment.
pub const NAMESPACE: &str = "pachyderm";
/// Name of the data bucket, unless [`ClusterOptions::bucket`] names another.
pub const BUCKET: &str = "pachyderm-data";
/// The `volumeHandle` of the volume of etcd's first member, with [`ClusterOptions::csi_etcd_volume`]; those of the others have
/// their number behind it, as in `etcd-volume-1`.
pub const ETCD_VOLUME: &str = "etcd-volume";
/// etcd's database in the folder of its volume, with [`ClusterOptions::csi_etcd_volume`].
pub const ETCD_DATABASE: &str = "member/snap/db";

/// Why a cluster could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A socket could not be opened.
    #[error("a socket could not be opened")]
    Socket(#[from] io::Error),
    /// The recorded data is damaged.
    #[error("the recorded cluster can't be loaded")]
    Load(#[from] LoadError),
    /// The Kubernetes API refused the deployment.
    #[error("the deployment was refused: {0}")]
    Deploy(String),
}

/// A recorded cluster that is being served. Everything stops when it is dropped. What is deployed in other namespaces of its
/// Kubernetes runs too: an empty pachd each, over a bucket of the same servers.
#[derive(Debug)]
pub struct RecordedCluster {
    /// The Kubernetes API.
    pub kubernetes: KubernetesServer,
    /// The store that holds the data bucket, unless that is elsewhere.
    pub s3: S3Server,
    /// Cloud Storage: for [`Storage::Google`] it holds the data bucket. `None` when the options ask for none.
    #[cfg(feature = "gcs")]
    pub google: Option<Arc<GcsServer>>,
    /// pachd and its etcd.
    pub pachd: PachdServer,
    storage: Storage,
    /// The data bucket; `None` for a LOCAL deployment.
    data: Option<BucketOf>,
    /// Runs what is deployed in other namespaces, and etcd on its disk.
    _nodes: Vec<DropGuard>,
}

impl RecordedCluster {
    /// Serves cluster *alpha*: 12 pipelines of every kind, with open commits.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn alpha(options: ClusterOptions) -> Result<Self, StartError> {
        let clock = ExtractClock::Recorded(recorded::alpha_clock()?);
        Self::serve(options, recorded::load_alpha, clock).await
    }

    /// Serves cluster *amazon*: one input and two pipelines, nothing open.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn amazon(options: ClusterOptions) -> Result<Self, StartError> {
        Self::serve(options, recorded::load_amazon, ExtractClock::Now).await
    }

    /// Serves cluster *gamma*: just installed, with nothing in it.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn gamma(options: ClusterOptions) -> Result<Self, StartError> {
        Self::serve(options, recorded::load_gamma, ExtractClock::Now).await
    }

    async fn serve(options: ClusterOptions, load: Load, clock: ExtractClock) -> Result<Self, StartError> {
        let (stores, recorded) = Stores::start(&options, load).await?;

        let kubernetes = KubernetesServer::start(KubernetesOptions {
            default_namespace: Some(NAMESPACE.to_owned()),
            csi: options.csi.clone(),
            ..KubernetesOptions::default()
        })
        .await?;
        let refused = |error: crate::kubernetes::StatusError| StartError::Deploy(error.message);
        kubernetes.create_namespace(NAMESPACE).map_err(refused)?;
        let endpoint = stores.s3.addr().to_string();
        let backend = options.storage.backend(&options.bucket, endpoint, options.access_key.clone());
        let mut deployment = PachydermDeployment::new(NAMESPACE, backend);
        deployment.storage_v2 = options.storage_v2;
        // A LOCAL deployment keeps etcd in a folder of its node.
        let csi_etcd_volume = options.csi_etcd_volume && !matches!(options.storage, Storage::Local(_));
        let members = if csi_etcd_volume { options.etcd_members.max(1) } else { 1 };
        // On a shared storage system names of volumes have to differ.
        let of = options.csi.as_ref().map(|_| uuid::Uuid::new_v4().simple().to_string());
        let volumes: Vec<String> = (0..members).map(|member| etcd_volume(member, of.as_deref())).collect();
        if csi_etcd_volume {
            let of_handle = |handle: &String| EtcdVolume::Csi { driver: CSI_DRIVER.to_owned(), handle: handle.clone() };
            deployment.etcd = match options.etcd_deployment {
                true => Etcd::Deployment(of_handle(&volumes[0])),
                false => Etcd::StatefulSet(volumes.iter().map(of_handle).collect()),
            };
        }
        if let (false, Some(volume)) = (csi_etcd_volume, &options.ebs_etcd_volume) {
            deployment.etcd = Etcd::StatefulSet(vec![EtcdVolume::AwsElasticBlockStore(volume.clone())]);
        }
        if let (false, Some(disk)) = (csi_etcd_volume, &options.pd_etcd_volume) {
            deployment.etcd = Etcd::StatefulSet(vec![disk.clone()]);
        }
        kubernetes.deploy(&deployment).map_err(refused)?;

        let pachd = PachdServer::start(
            recorded,
            PachdOptions {
                workers: Arc::new(ServedWorkers(kubernetes.worker_control(NAMESPACE))),
                master_interval: options.master_interval,
                clock,
                deployment_id: deployment.deployment_id.clone(),
                auth: options.auth.clone(),
                etcd_members: members,
            },
        )
        .await?;
        let mounted = Arc::new(Mutex::new(volumes[0].clone()));
        if csi_etcd_volume {
            let (etcd, membership) = (Arc::clone(&pachd.state().store), Arc::clone(pachd.etcd_membership()));
            let mounted = Arc::clone(&mounted);
            kubernetes.csi().on_cut(move |volume, folder| {
                let first = *mounted.lock().unwrap_or_else(PoisonError::into_inner) == volume;
                let others = volumes.iter().skip(1).position(|handle| handle == volume).map(|other| other + 1);
                match others.or(first.then_some(0)) {
                    Some(member) => write_database(&etcd, &membership.members()[member], &folder.join(ETCD_DATABASE)),
                    None => Ok(()),
                }
            });
        }
        kubernetes.set_forward_namespace(NAMESPACE);
        kubernetes.set_forward("app=pachd", 650, pachd.external());
        kubernetes.set_forward("app=pachd", 653, pachd.peer());
        // What follows etcd's only pod takes them away, and sets them again.
        kubernetes.set_forward(ForwardTarget::from("app=etcd").in_namespace(NAMESPACE), 2379, pachd.etcd());
        for (member, address) in pachd.etcd_members().into_iter().enumerate().skip(usize::from(members == 1)) {
            kubernetes.set_forward(format!("etcd-{member}").as_str(), 2379, address);
        }
        let nodes = Nodes {
            kubernetes: kubernetes.view(),
            csi: kubernetes.shared_csi(),
            stores: stores.reachable(&options),
            master_interval: options.master_interval,
        };
        let mut guards = vec![nodes.start()];
        if csi_etcd_volume && members == 1 {
            let disk = EtcdDisk {
                kubernetes: kubernetes.view(),
                namespace: NAMESPACE.to_owned(),
                csi: kubernetes.shared_csi(),
                address: pachd.etcd(),
                disk: MountedDisk { mounted, ..MountedDisk::of(&pachd) },
            };
            guards.push(disk.start());
        }
        Ok(Self {
            kubernetes,
            s3: stores.s3,
            #[cfg(feature = "gcs")]
            google: stores.google,
            pachd,
            storage: options.storage,
            data: stores.data,
            _nodes: guards,
        })
    }

    /// Where the deployment keeps its objects.
    #[must_use]
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// Every object of the data bucket, by its key, whichever server holds it; none for a LOCAL deployment.
    #[must_use]
    pub fn objects(&self) -> BTreeMap<String, Bytes> {
        self.data.as_ref().map(BucketOf::objects).unwrap_or_default()
    }
}

/// Loads a recorded cluster into a store, pipelines running or stopped.
type Load = fn(Arc<dyn ObjectStore>, bool) -> Result<Recorded, LoadError>;

/// The handle of the volume of a member of etcd; `of` tells clusters on one storage system apart.
fn etcd_volume(member: usize, of: Option<&str>) -> String {
    let name = of.map_or(ETCD_VOLUME.to_owned(), |of| format!("{ETCD_VOLUME}-of-{of}"));
    if member == 0 { name } else { format!("{name}-{member}") }
}

/// Writes what etcd holds now, as a member itself has it on its disk.
fn write_database(etcd: &etcd::Store, member: &etcd::Identity, file: &Path) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(file, etcd::snapshot::database(etcd, member)?)
}

/// pachd's workers are pods of the Kubernetes API.
#[derive(Debug)]
struct ServedWorkers(WorkerControl);

impl Workers for ServedWorkers {
    fn replace(&self, pipeline: &str, version: u64, spec_commit: &str, replicas: usize) {
        if let Err(error) = self.0.set_worker_rc(pipeline, version, spec_commit, replicas) {
            tracing::warn!(pipeline, error = error.message, "workers could not be replaced");
        }
    }

    fn any_left(&self, pipeline: &str) -> bool {
        self.0.workers(pipeline).pods > 0
    }
}
