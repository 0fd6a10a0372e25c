//! What a workflow is asked to do: the values that the binary reads from file, environment and flags.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use provider::{Bucket, BucketFacts, VolumeId, VolumeSnapshots};
use serde::{Deserialize, Serialize};

use crate::clone::Writer;
use crate::cluster::BucketLocation;
use crate::error::Result;
use crate::manifest::EtcdVolumeRecord;

/// Where the cluster is and how to reach it.
#[derive(Clone)]
pub struct Target {
    /// Kubernetes client with the user's rights.
    pub kubernetes: kube::Client,
    /// Namespace of the deployment.
    pub namespace: String,
    /// Name of pachd's Deployment; found by itself when absent.
    pub pachd_deployment: Option<String>,
    /// How the ports of pods are reached.
    pub pod_access: PodAccess,
    /// Address of pachd (`host:port`) when it isn't to be reached through its pod.
    pub pachd_address: Option<String>,
    /// Address of etcd's client port when it isn't to be reached through its pod.
    pub etcd_address: Option<String>,
    /// Pachyderm auth token; needed when auth is active.
    pub token: Option<String>,
    /// Certificates in PEM that are believed where pachd's address speaks TLS; the machine's when absent.
    pub tls_ca: Option<Vec<u8>>,
    /// When the Kubernetes credentials end, where that is known and nothing renews them.
    pub access_ends: Option<Timestamp>,
}

/// How the ports of pods are reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PodAccess {
    /// Through the API server, from anywhere.
    #[default]
    PortForward,
    /// At the pod's own address, from inside of the cluster.
    PodAddress,
}

/// Opens stores. The binary implements it over the providers that it was built with.
pub trait Stores: Send + Sync {
    /// The bucket that a cluster keeps its data in, read with the credentials that the configuration chooses.
    ///
    /// # Errors
    /// `Configuration` when no provider of this binary can open it.
    fn open_data(&self, location: &BucketLocation) -> Result<Opened>;

    /// A vault or a clone by its URL (`s3://bucket/prefix`, `file:///folder`).
    ///
    /// # Errors
    /// `Configuration` when the URL is malformed or its scheme unknown.
    fn open_url(&self, url: &str) -> Result<Opened>;

    /// Whatever snapshots this volume of a cluster; `None` when no provider of this binary does.
    ///
    /// # Errors
    /// `Configuration` when the provider lacks something that the configuration has to say.
    fn open_volume(
        &self,
        kubernetes: &kube::Client,
        namespace: &str,
        volume: &EtcdVolumeRecord,
    ) -> Result<Option<OpenedVolume>>;
}

/// A volume, and the service that snapshots it.
#[derive(Clone)]
pub struct OpenedVolume {
    /// The service.
    pub snapshots: Arc<dyn VolumeSnapshots>,
    /// The service's name of the volume.
    pub volume: VolumeId,
    /// Where the service is.
    pub service: SnapshotService,
}

/// Where snapshots of a volume are asked for, and so whose rights they need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotService {
    /// The cluster's own VolumeSnapshot API.
    Cluster,
    /// The cloud that the volume is in.
    Cloud,
}

/// A store that was opened.
#[derive(Clone)]
pub struct Opened {
    /// Its objects.
    pub bucket: Arc<dyn Bucket>,
    /// Facts about it, where the store tells them.
    pub facts: Option<Arc<dyn BucketFacts>>,
    /// Stores with the same realm copy among each other by themselves: same service, same endpoint.
    pub realm: String,
}

/// What to do with open user commits. Their content is in no artifact but the volume and etcd's snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OpenCommits {
    /// End the run before anything changes.
    #[default]
    Refuse,
    /// Write them into the manifest and go on.
    Record,
}

/// How outside traffic is kept out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FenceMode {
    /// One extra selector label on each Service: all endpoints vanish, all port numbers stay allocated.
    #[default]
    Selector,
    /// Node ports are switched by port name; the freed numbers are held by a placeholder Service.
    Ports,
    /// Nothing is fenced: somebody else keeps the traffic out.
    None,
}

/// What to do about the disk under etcd.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VolumePolicy {
    /// Snapshot it where a provider can; else etcd's own snapshot stands for it, and a warning says so.
    #[default]
    Auto,
    /// Snapshot it, or end the run before anything changes.
    Require,
    /// Leave it: etcd's own snapshot stands for it.
    Skip,
}

/// How long the copies of volume snapshots may take once they are cut, and how often they are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadyLimits {
    /// Time between two questions.
    pub poll: Duration,
    /// Longest wait for one snapshot.
    pub longest: Duration,
}

/// How a captured run becomes a recovery point.
#[derive(Clone, Debug)]
pub struct FinishSettings {
    /// How long the copies of volume snapshots may take.
    pub ready: ReadyLimits,
    /// Folder for the parts between capture and vault; needs room for etcd's database and the stream.
    pub staging: PathBuf,
    /// Largest etcd snapshot, in bytes, that the metadata stream is compared with: the live keys are held in memory.
    pub largest_comparison: u64,
}

/// What to do when running work does not end in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DrainPolicy {
    /// Put everything back and end the run.
    #[default]
    Wait,
    /// Do not wait at all: stop pipelines under their running jobs, and record the jobs.
    Interrupt,
}

/// A loader outside Pachyderm that writes to it, to be paused with the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, tag = "kind")]
pub enum Loader {
    /// Scaled to zero and back.
    Deployment {
        /// Its namespace; the cluster's when absent.
        namespace: Option<String>,
        /// Its name.
        name: String,
    },
    /// Scaled to zero and back.
    StatefulSet {
        /// Its namespace; the cluster's when absent.
        namespace: Option<String>,
        /// Its name.
        name: String,
    },
    /// Suspended and resumed.
    CronJob {
        /// Its namespace; the cluster's when absent.
        namespace: Option<String>,
        /// Its name.
        name: String,
    },
    /// A program that pauses something, and one that puts it back. Both must be repeatable; their words are written into the
    /// cluster with the undo record, so they must hold no secret.
    Hook {
        /// What messages call it.
        name: String,
        /// Program and arguments to pause.
        pause: Vec<String>,
        /// Program and arguments to put back.
        resume: Vec<String>,
    },
}

/// What to do about a bucket that deletes or archives what is put into it, by a rule of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expiry {
    /// Put no recovery point there.
    #[default]
    Refuse,
    /// Say so.
    Accept,
}

/// Everything that decides how a snapshot runs.
#[derive(Clone, Debug)]
pub struct SnapshotSettings {
    /// Name of the cluster in the vault.
    pub cluster_name: String,
    /// URL of the vault.
    pub vault: String,
    /// URL under which each run's clone gets a prefix of its own.
    pub clone: String,
    /// How outside traffic is kept out.
    pub fence: FenceMode,
    /// Node ports to switch (from → to); empty means the documented numbers.
    pub port_map: BTreeMap<i32, i32>,
    /// What to do with open user commits.
    pub open_commits: OpenCommits,
    /// What to do about a place of recovery points that loses them by itself.
    pub lifecycle: Expiry,
    /// What to do about the disk under etcd.
    pub volume: VolumePolicy,
    /// What to do when running work does not end.
    pub drain: DrainPolicy,
    /// Longest wait for running work.
    pub drain_timeout: Duration,
    /// Longest time without any progress, in every phase of the pause: work drains, pipelines stop, content is captured,
    /// everything is put back.
    pub stall: Duration,
    /// Longest pause: when it passes, the capture is cancelled and the cluster resumed.
    pub max_pause: Duration,
    /// How many StopPipeline calls are under way at once.
    pub pipeline_parallelism: usize,
    /// How many object copies are under way at once.
    pub copy_parallelism: usize,
    /// Names of two clones that take turns, the older one updated in place; without it each recovery point has a fresh one.
    pub mirror: Option<[String; 2]>,
    /// This process, as the lock of a clone names it.
    pub writer: Writer,
    /// Loaders to pause with the cluster.
    pub loaders: Vec<Loader>,
    /// What follows the capture.
    pub finish: FinishSettings,
    /// How often the cluster is asked for its state while something is waited for.
    pub poll: Duration,
}
