//! The manifest: the one file that ties the parts of a recovery point together. Written once, last, create-only.
//!
//! Reading it needs no access to the cluster. It carries no secret value.

mod schema;
mod seal;

use std::collections::BTreeMap;

use jiff::Timestamp;
use pachyderm::layout::{Backend, Layout};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::Step;
use crate::vault::Part;

pub use schema::{FORMAT, json_schema, read};
pub(crate) use seal::sealed;

/// A recovery point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Format of this file.
    pub format: FormatVersion,
    /// SHA-256 of this file, in hex, with these 64 digits as zeros.
    pub digest: String,
    /// Version of the tool that wrote it.
    pub tool: String,
    /// The run.
    pub run: String,
    /// Name of the cluster in the vault.
    pub cluster_name: String,
    /// When the run began.
    pub started: Timestamp,
    /// When the content of the last artifact was fixed.
    pub captured: Timestamp,
    /// When the manifest was written.
    pub committed: Timestamp,
    /// Seconds that each step took.
    pub steps: BTreeMap<Step, f64>,
    /// The cluster as it was found.
    pub cluster: ClusterRecord,
    /// How consistency was reached and proven.
    pub consistency: Consistency,
    /// Pipelines and their state before the pause.
    pub pipelines: Vec<PipelineRecord>,
    /// Open work that was found and accepted.
    pub open_work: OpenWork,
    /// For external loaders: from where to go on after a restore.
    pub checkpoint: Checkpoint,
    /// The parts.
    pub artifacts: Artifacts,
    /// What proves that the metadata stream is whole.
    pub witness: StreamWitness,
    /// Services as they were before the fence.
    pub services: Vec<ServiceRecord>,
    /// What a person should know about this recovery point.
    pub warnings: Vec<String>,
}

/// Version of a file format: readers refuse another `major`, and ignore nothing of a newer `minor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FormatVersion {
    /// Grows when an old reader would misread the file.
    pub major: u32,
    /// Grows when something was added.
    pub minor: u32,
}

/// The cluster as it was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClusterRecord {
    /// Namespace.
    pub namespace: String,
    /// UID of the namespace.
    pub namespace_uid: String,
    /// Pachyderm's cluster id (etcd root key `cluster-id`).
    pub cluster_id: String,
    /// Deployment id, from 1.10 on.
    pub deployment_id: Option<String>,
    /// Version of pachd.
    pub pachd_version: String,
    /// Version of the Kubernetes API server.
    pub kubernetes_version: String,
    /// `STORAGE_BACKEND`.
    pub backend: String,
    /// The bucket, without credentials.
    pub bucket: String,
    /// `PACH_ROOT`.
    pub root: String,
    /// Whether keys are stored with their characters reversed.
    pub reversed_keys: bool,
    /// etcd.
    pub etcd: Option<EtcdRecord>,
    /// Persistent volumes under etcd.
    pub etcd_volumes: Vec<EtcdVolumeRecord>,
}

impl ClusterRecord {
    /// How the cluster names its objects.
    ///
    /// # Errors
    /// A sentence that names the backend, if it is unknown.
    pub fn layout(&self) -> Result<Layout, String> {
        let backend = Backend::from_env_value(&self.backend);
        let backend = backend.ok_or_else(|| format!("backend {} is unknown", self.backend))?;
        Ok(Layout { root: self.root.clone(), backend, reversed: self.reversed_keys })
    }
}

/// etcd as it was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EtcdRecord {
    /// Version of the server.
    pub version: String,
    /// Container image, if known.
    pub image: Option<String>,
    /// Size of the database in bytes.
    pub db_size: u64,
    /// Number of members.
    pub members: usize,
    /// Root key `gc-generation`; absent before the first garbage collection.
    pub gc_generation: Option<String>,
}

/// A volume under etcd.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EtcdVolumeRecord {
    /// Pod of etcd that uses it.
    pub pod: String,
    /// Claim.
    pub claim: String,
    /// PersistentVolume.
    pub volume: String,
    /// Kind of volume source: `csi:<driver>`, `awsElasticBlockStore`, `hostPath`, …
    pub source: String,
    /// The provider's name of it.
    pub id: String,
    /// Capacity as Kubernetes writes it.
    pub capacity: Option<String>,
    /// Storage class.
    pub storage_class: Option<String>,
}

impl EtcdVolumeRecord {
    /// Whether a CSI driver serves it.
    #[must_use]
    pub fn is_csi(&self) -> bool {
        self.source.starts_with("csi:")
    }
}

/// How consistency was reached and proven.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Consistency {
    /// How it was reached.
    pub mode: ConsistencyMode,
    /// How it was proven that nothing was written.
    pub proof: QuietProof,
    /// When the first fence or stop was about to be sent.
    pub pause_started: Timestamp,
    /// When everything was back; absent while the cluster is still paused.
    pub pause_ended: Option<Timestamp>,
    /// Length of the pause in seconds.
    pub pause_seconds: Option<f64>,
    /// How outside traffic was kept out.
    pub fence: String,
}

/// How consistency was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ConsistencyMode {
    /// Nothing wrote between the cut and the listing.
    Paused,
}

/// How it was proven that nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "by")]
pub enum QuietProof {
    /// An etcd watch over all keys, from before the cut to the end of capture.
    EtcdWatch {
        /// Revision at the beginning.
        from_revision: i64,
        /// Revision at the end.
        to_revision: i64,
        /// Events that were seen and can't matter.
        harmless_events: u64,
    },
    /// Two equal polls of pachd: weaker, since etcd could not be reached.
    TwoPolls,
}

/// A pipeline before the pause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PipelineRecord {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u64,
    /// State before the pause, as `pachctl` shows it.
    pub state: String,
    /// Whether it had been stopped before.
    pub stopped: bool,
    /// Whether this run stopped it.
    pub stopped_by_run: bool,
    /// State after the resume, if it was read.
    pub state_after: Option<String>,
}

/// Open work that was found and accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenWork {
    /// Open commits of users: a restore of the metadata stream makes them finished and empty.
    pub user_commits: Vec<OpenCommit>,
    /// Open commits of service, spout and already stopped pipelines.
    pub pipeline_commits: Vec<OpenCommit>,
    /// Jobs that were not finished.
    pub jobs: Vec<OpenJob>,
}

/// A commit that was open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenCommit {
    /// Repo.
    pub repo: String,
    /// Commit id.
    pub id: String,
    /// Branch, if known.
    pub branch: Option<String>,
}

/// A job that was not finished.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenJob {
    /// Job id.
    pub id: String,
    /// Pipeline.
    pub pipeline: String,
    /// State as `pachctl` shows it.
    pub state: String,
}

/// From where external loaders go on after a restore: everything in these commits is in the recovery point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// The instant at which the heads were read, while paused.
    pub at: Timestamp,
    /// Head commit of every branch without provenance.
    pub heads: Vec<BranchHead>,
}

/// A branch and its head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BranchHead {
    /// Repo.
    pub repo: String,
    /// Branch.
    pub branch: String,
    /// Head commit; absent for an empty branch.
    pub commit: Option<String>,
}

/// The parts of a recovery point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Artifacts {
    /// Snapshots of the volumes under etcd; empty where there is no disk that a provider snapshots.
    pub volumes: Vec<VolumeArtifact>,
    /// etcd's own snapshot.
    pub etcd: Option<EtcdArtifact>,
    /// The clone of the bucket.
    pub bucket: BucketArtifact,
    /// The metadata stream.
    pub metadata: MetadataArtifact,
    /// The Kubernetes half, without secret values.
    pub cluster_objects: Part,
}

/// A snapshot of a volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VolumeArtifact {
    /// The volume.
    pub of: EtcdVolumeRecord,
    /// The provider's name of the snapshot.
    pub snapshot: String,
    /// The point in time.
    pub cut_at: Timestamp,
    /// Size of the volume in bytes.
    pub size: u64,
    /// What else the provider calls the snapshot, in its own words: for a restore without this tool, or elsewhere.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<String, String>,
}

/// etcd's own snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EtcdArtifact {
    /// The file.
    pub file: Part,
    /// Revision of its newest write.
    pub revision: i64,
    /// Number of live keys.
    pub keys: u64,
}

/// The clone of the bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BucketArtifact {
    /// Where it is.
    pub url: String,
    /// Objects in it.
    pub objects: u64,
    /// Bytes in it.
    pub bytes: u64,
    /// The list of every object, in parts sorted by key.
    pub inventory: Vec<Part>,
}

/// The metadata stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MetadataArtifact {
    /// The file: exactly what `pachctl restore` reads.
    pub file: Part,
    /// Version of the ops, such as `1.13`.
    pub op_version: Option<String>,
    /// Ops by kind.
    pub ops: BTreeMap<String, u64>,
    /// Largest op in bytes.
    pub largest_op: u64,
}

/// What proves that the metadata stream is whole: nothing in its own format does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "by")]
pub enum StreamWitness {
    /// The stream computed from etcd's snapshot and the clone has the same ops.
    Etcd {
        /// Ops that both have: all.
        ops: u64,
        /// Of these, commits that were open: they differ in when they are said to have been finished.
        open_commits: u64,
        /// Ops at which `pachctl restore` would stop, a child before its parent say; the first 20.
        defects: Vec<String>,
    },
    /// The number of ops of each kind is what pachd listed while it was paused: weaker, since etcd could not be reached.
    Recount,
    /// Nothing does.
    None {
        /// Why.
        reason: String,
    },
}

/// A Service before the fence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceRecord {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: String,
    /// Its ports: name, service port, node port.
    pub ports: Vec<ServicePortRecord>,
    /// Whether this run fenced it.
    pub fenced: bool,
}

/// A port of a Service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServicePortRecord {
    /// Its name.
    pub name: String,
    /// Service port.
    pub port: i32,
    /// Node port, if it has one.
    pub node_port: Option<i32>,
}
