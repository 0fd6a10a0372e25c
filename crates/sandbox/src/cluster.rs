//! A whole recorded cluster: pachd with its etcd, its bucket on an S3 server, and the Kubernetes API around it.

mod etcd_disk;
#[cfg(feature = "programs")]
mod etcd_on_node;
#[cfg(feature = "programs")]
mod kubernetes_workers;
#[cfg(feature = "programs")]
pub mod on_kubernetes;
mod other_namespaces;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use etcd_disk::{EtcdDisk, MountedDisk};
use other_namespaces::Nodes;
use pachyderm::layout::{self, KeyMap, Layout, Mapped};
use tokio_util::sync::DropGuard;

use crate::kubernetes::{
    Backend, CSI_DRIVER, CsiDriver, Etcd, EtcdVolume, ForwardTarget, KubernetesOptions, KubernetesServer,
    PachydermDeployment, WorkerControl,
};
use crate::pachd::etcd;
use crate::pachd::folder::FolderObjects;
use crate::pachd::objects::ObjectStore;
use crate::pachd::pipelines::Workers;
use crate::pachd::recorded::{self, LoadError, Recorded};
use crate::pachd::{AuthOptions, ExtractClock, PachdOptions, PachdServer};
use crate::s3::{BucketHandle, S3Options, S3Server};

/// Namespace of the deployment.
pub const NAMESPACE: &str = "pachyderm";
/// Name of the data bucket.
pub const BUCKET: &str = "pachyderm-data";
/// The `volumeHandle` of the volume of etcd's first member, with [`ClusterOptions::csi_etcd_volume`]; those of the others have
/// their number behind it, as in `etcd-volume-1`.
pub const ETCD_VOLUME: &str = "etcd-volume";
/// etcd's database in the folder of its volume, with [`ClusterOptions::csi_etcd_volume`].
pub const ETCD_DATABASE: &str = "member/snap/db";
/// The account of a deployment on Azure.
const ACCOUNT: &str = "pachydermdata";

/// What a deployment keeps its objects in, and with that how it names them. The sandbox's S3 server holds all but the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storage {
    /// MINIO: `pach/block/…`.
    Minio,
    /// AMAZON at an own endpoint, plain keys: `pach/block/…`.
    Amazon,
    /// AMAZON at an own endpoint, with pachctl's own default: keys with their characters in reverse order.
    AmazonReversed,
    /// GOOGLE: keys with a leading slash, `/pach/block/…`. No server here speaks its protocol.
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

    /// What the deployment's secret holds.
    fn backend(&self, endpoint: String, (id, secret): (String, String)) -> Backend {
        let bucket = BUCKET.to_owned();
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
    /// Present when auth is on.
    pub auth: Option<AuthOptions>,
    /// Whether etcd's volume is one of the sandbox's CSI driver, so that VolumeSnapshots of it can be cut. What etcd holds
    /// at the cut is then the file [`ETCD_DATABASE`] of the snapshot. Means nothing for a LOCAL deployment.
    pub csi_etcd_volume: bool,
    /// An in-tree EBS volume under etcd (`aws://us-east-1a/vol-0123`), without [`Self::csi_etcd_volume`]. Nothing is on it.
    pub ebs_etcd_volume: Option<String>,
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
            auth: None,
            csi_etcd_volume: true,
            ebs_etcd_volume: None,
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
}

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
/// Kubernetes runs too: an empty pachd each, over a bucket of the same S3 server.
#[derive(Debug)]
pub struct RecordedCluster {
    /// The Kubernetes API.
    pub kubernetes: KubernetesServer,
    /// The store that holds the data bucket.
    pub s3: S3Server,
    /// pachd and its etcd.
    pub pachd: PachdServer,
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
        let (s3, recorded) = start_store(&options, load).await?;

        let kubernetes = KubernetesServer::start(KubernetesOptions {
            default_namespace: Some(NAMESPACE.to_owned()),
            csi: options.csi.clone(),
            ..KubernetesOptions::default()
        })
        .await?;
        let refused = |error: crate::kubernetes::StatusError| StartError::Deploy(error.message);
        kubernetes.create_namespace(NAMESPACE).map_err(refused)?;
        let backend = options.storage.backend(s3.addr().to_string(), options.access_key.clone());
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
        kubernetes.deploy(&deployment).map_err(refused)?;

        let pachd = PachdServer::start(
            recorded,
            PachdOptions {
                workers: Arc::new(ServedWorkers(kubernetes.worker_control(NAMESPACE))),
                master_interval: options.master_interval,
                clock,
                deployment_id: deployment.deployment_id.clone(),
                auth: options.auth,
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
            bucket: s3.bucket(BUCKET),
            store: s3.addr().to_string(),
            keys: options.access_key,
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
        Ok(Self { kubernetes, s3, pachd, _nodes: guards })
    }
}

/// Loads a recorded cluster into a store, pipelines running or stopped.
type Load = fn(Arc<dyn ObjectStore>, bool) -> Result<Recorded, LoadError>;

/// Starts the S3 server, and loads the recorded cluster into the store that the options choose.
async fn start_store(options: &ClusterOptions, load: Load) -> Result<(S3Server, Recorded), StartError> {
    let (access_key, secret_key) = options.access_key.clone();
    let s3 = S3Server::start(S3Options { access_key, secret_key, ..S3Options::default() }).await?;
    let objects: Arc<dyn ObjectStore> = match &options.storage {
        Storage::Local(folder) => Arc::new(FolderObjects::new(folder.join("pachd"))),
        storage => Arc::new(ServedBucket::new(s3.bucket(BUCKET), storage)),
    };
    let recorded = load(objects, options.running)?;
    Ok((s3, recorded))
}

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

/// pachd's bucket is the one that the S3 server serves. pachd's own names are those of a LOCAL deployment, without a root.
#[derive(Debug)]
struct ServedBucket {
    handle: BucketHandle,
    to_served: KeyMap,
    to_own: KeyMap,
}

impl ServedBucket {
    fn new(handle: BucketHandle, storage: &Storage) -> Self {
        let to_served = KeyMap::new(Layout::new(layout::Backend::Local, false), storage.layout());
        Self { handle, to_own: to_served.inverse(), to_served }
    }

    /// The key in the bucket. What is not Pachyderm's own, like the file of an extract to a URL, has its key as it is.
    fn served(&self, key: &str) -> String {
        match self.to_served.map(key) {
            Mapped::Key(key) => key,
            Mapped::NotCarried(_) | Mapped::Foreign => key.to_owned(),
        }
    }
}

impl ObjectStore for ServedBucket {
    fn get(&self, key: &str) -> Option<Bytes> {
        self.handle.get(&self.served(key)).map(|object| object.bytes)
    }

    fn put(&self, key: &str, value: Bytes) {
        self.handle.put(&self.served(key), value, None);
    }

    fn delete(&self, key: &str) {
        self.handle.remove(&self.served(key));
    }

    fn list(&self, prefix: &str) -> Vec<String> {
        let own = self.handle.keys().into_iter().filter_map(|key| match self.to_own.map(&key) {
            Mapped::Key(key) => Some(key),
            Mapped::NotCarried(_) | Mapped::Foreign => None,
        });
        let mut keys: Vec<String> = own.filter(|key| key.starts_with(prefix)).collect();
        keys.sort();
        keys
    }
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
