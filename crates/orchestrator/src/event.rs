//! What a run tells while it goes: facts, in one order. A terminal, a log and a stream of JSON lines consume the
//! same events; the library prints nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clone::{CloneReport, Survey};

/// One fact about a run. Carries no secret value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// When, by this machine's clock.
    pub time: Timestamp,
    /// Seconds since the run began.
    pub elapsed: f64,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// The steps of the workflows, in the order of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Reading the cluster.
    Discover,
    /// Checking what could go wrong before anything changes.
    Preflight,
    /// Filling the clone while the cluster runs.
    PreCopy,
    /// Writing down what has to be put back.
    UndoRecord,
    /// Pausing external loaders.
    Loaders,
    /// Keeping new traffic out.
    Fence,
    /// Waiting for running work.
    Drain,
    /// Stopping pipelines.
    Stop,
    /// Fixing the content of every artifact.
    Capture,
    /// Checking that the bucket's clone holds what the metadata names.
    Gate,
    /// Putting the cluster back.
    Resume,
    /// Writing the parts to the vault.
    Store,
    /// Holding the metadata stream against etcd's snapshot.
    Compare,
    /// Waiting until the snapshots can be used.
    Await,
    /// Reading back what was written.
    ReadBack,
    /// Writing the manifest.
    Commit,
    /// Checking a recovery point.
    Verify,
    /// Counting what a clone would take.
    Survey,
    /// Bringing a clone up to date.
    Clone,
    /// Filling the bucket of a cluster that is restored.
    FillBucket,
    /// Holding that bucket against the recovery point.
    CheckBucket,
    /// Stopping the pachd of a cluster that is restored.
    StopPachd,
    /// Stopping its etcd.
    StopEtcd,
    /// Putting another volume under it.
    ReplaceVolume,
    /// Starting it on that.
    StartEtcd,
    /// Putting keys into its etcd.
    FillEtcd,
    /// Holding its etcd against the snapshot, key by key.
    CheckEtcd,
    /// Starting its pachd.
    StartPachd,
    /// Replaying the metadata stream.
    Replay,
    /// Holding what came back against what the recovery point says.
    CheckTarget,
    /// Starting the pipelines that ran at the source.
    Pipelines,
    /// Making the scratch cluster of a drill.
    ScratchCluster,
    /// Holding what came back against the source itself.
    CompareSource,
    /// Taking the scratch cluster away.
    TearDown,
}

impl Step {
    /// The step's name, in kebab case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Discover => "discover",
            Self::Preflight => "preflight",
            Self::PreCopy => "pre-copy",
            Self::UndoRecord => "undo-record",
            Self::Loaders => "loaders",
            Self::Fence => "fence",
            Self::Drain => "drain",
            Self::Stop => "stop",
            Self::Capture => "capture",
            Self::Gate => "gate",
            Self::Resume => "resume",
            Self::Store => "store",
            Self::Compare => "compare",
            Self::Await => "await",
            Self::ReadBack => "read-back",
            Self::Commit => "commit",
            Self::Verify => "verify",
            Self::Survey => "survey",
            Self::Clone => "clone",
            Self::FillBucket => "fill-bucket",
            Self::CheckBucket => "check-bucket",
            Self::StopPachd => "stop-pachd",
            Self::StopEtcd => "stop-etcd",
            Self::ReplaceVolume => "replace-volume",
            Self::StartEtcd => "start-etcd",
            Self::FillEtcd => "fill-etcd",
            Self::CheckEtcd => "check-etcd",
            Self::StartPachd => "start-pachd",
            Self::Replay => "replay",
            Self::CheckTarget => "check-target",
            Self::Pipelines => "pipelines",
            Self::ScratchCluster => "scratch-cluster",
            Self::CompareSource => "compare-source",
            Self::TearDown => "tear-down",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The artifacts of the parallel phase, each with a progress of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Artifact {
    /// Snapshot of the volume under etcd.
    Volume,
    /// etcd's own snapshot; progress in bytes.
    Etcd,
    /// Clone of the bucket; progress in objects.
    Bucket,
    /// Metadata stream; progress in ops.
    Metadata,
    /// Keys that are put into etcd; progress in keys.
    EtcdKeys,
}

impl Artifact {
    /// The artifact's name, in kebab case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Volume => "volume",
            Self::Etcd => "etcd",
            Self::Bucket => "bucket",
            Self::Metadata => "metadata",
            Self::EtcdKeys => "etcd-keys",
        }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum EventKind {
    /// A run began.
    RunStarted {
        /// Its id.
        run: String,
        /// Name of the cluster in the vault.
        cluster: String,
    },
    /// A step began.
    StepStarted {
        /// Which one.
        step: Step,
    },
    /// A step ended well.
    StepFinished {
        /// Which one.
        step: Step,
        /// How long it took.
        seconds: f64,
        /// What came out, in a few words.
        summary: String,
    },
    /// A step failed.
    StepFailed {
        /// Which one.
        step: Step,
        /// Why.
        error: String,
    },
    /// An artifact made progress.
    Progress {
        /// Which one.
        artifact: Artifact,
        /// Units done: bytes, objects or ops.
        done: u64,
        /// Units in all, if known.
        total: Option<u64>,
        /// Bytes done, where they are not the unit.
        bytes: Option<u64>,
    },
    /// The content of an artifact is fixed.
    ArtifactCaptured {
        /// Which one.
        artifact: Artifact,
        /// How long it took inside the pause.
        seconds: f64,
    },
    /// Something in the cluster or in the vault is about to be changed.
    Changing {
        /// What kind of change.
        action: String,
        /// What is changed.
        resource: String,
    },
    /// It was changed.
    Changed {
        /// What kind of change.
        action: String,
        /// What was changed.
        resource: String,
    },
    /// The pause window opened: the cluster is about to be fenced.
    PauseStarted,
    /// The pause window closed: everything is back.
    PauseEnded {
        /// Length of the window.
        seconds: f64,
    },
    /// The checkpoint for external loaders was taken.
    Checkpoint {
        /// The instant.
        at: Timestamp,
        /// Number of input branches with their head commits.
        branches: usize,
    },
    /// What a clone would take was counted.
    Surveyed {
        /// The counts.
        survey: Survey,
    },
    /// A clone is up to date.
    Cloned {
        /// What was done.
        report: CloneReport,
    },
    /// Something that a person should know; the run goes on.
    Warning {
        /// What.
        message: String,
    },
    /// Something worth a line in the log.
    Note {
        /// What.
        message: String,
    },
    /// A cluster was restored.
    Restored {
        /// What was restored: a run's id, or the SHA-256 of a stream.
        point: String,
        /// By which path.
        from: String,
    },
    /// The run ended.
    RunFinished {
        /// The manifest's URL, if there is a recovery point.
        manifest: Option<String>,
        /// Whether the cluster is as it was before the run.
        cluster_running: bool,
    },
}

/// Where events go.
///
/// Cloning is cheap; all clones share one clock. A consumer must not block: rendering belongs behind a channel.
#[derive(Clone)]
pub struct Events {
    started: Instant,
    consumer: Arc<dyn Fn(Event) + Send + Sync>,
    steps: Arc<Mutex<BTreeMap<Step, f64>>>,
}

impl Events {
    /// Events go to `consumer`, timed from now.
    pub fn to(consumer: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Self { started: Instant::now(), consumer: Arc::new(consumer), steps: Arc::default() }
    }

    /// Events go nowhere.
    #[must_use]
    pub fn nowhere() -> Self {
        Self::to(|_| {})
    }

    /// Tells one fact.
    pub fn emit(&self, kind: EventKind) {
        (self.consumer)(Event { time: Timestamp::now(), elapsed: seconds(self.started.elapsed()), kind });
    }

    /// Tells something that a person should know.
    pub fn warn(&self, message: impl Into<String>) {
        self.emit(EventKind::Warning { message: message.into() });
    }

    /// Tells something worth a line in the log.
    pub fn note(&self, message: impl Into<String>) {
        self.emit(EventKind::Note { message: message.into() });
    }

    /// Tells of one change, before and after it.
    ///
    /// # Errors
    /// Those of `change`; then only the announcement was told.
    pub async fn change<T, E>(
        &self,
        action: &str,
        resource: impl Into<String>,
        change: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let resource = resource.into();
        self.emit(EventKind::Changing { action: action.to_owned(), resource: resource.clone() });
        let value = change.await?;
        self.emit(EventKind::Changed { action: action.to_owned(), resource });
        Ok(value)
    }

    /// Runs one step and tells its beginning and end. The step answers with its value and a summary.
    ///
    /// # Errors
    /// Those of `work`.
    pub async fn step<T, E: std::error::Error>(
        &self,
        step: Step,
        work: impl Future<Output = Result<(T, String), E>>,
    ) -> Result<T, E> {
        self.emit(EventKind::StepStarted { step });
        let began = Instant::now();
        match work.await {
            Ok((value, summary)) => {
                let seconds = seconds(began.elapsed());
                self.steps.lock().unwrap_or_else(PoisonError::into_inner).insert(step, seconds);
                self.emit(EventKind::StepFinished { step, seconds, summary });
                Ok(value)
            }
            Err(error) => {
                self.emit(EventKind::StepFailed { step, error: error.to_string() });
                Err(error)
            }
        }
    }

    /// Seconds of each step that has ended well.
    #[must_use]
    pub fn steps(&self) -> BTreeMap<Step, f64> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Captures one artifact of the parallel phase and tells how long it took.
    ///
    /// # Errors
    /// Those of `work`.
    pub async fn artifact<T, E>(&self, artifact: Artifact, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let began = Instant::now();
        let content = work.await?;
        self.emit(EventKind::ArtifactCaptured { artifact, seconds: seconds(began.elapsed()) });
        Ok(content)
    }
}

/// Seconds to the microsecond: numbers that survive being written and read back.
pub(crate) fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e6
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}
