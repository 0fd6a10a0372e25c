//! Holding a cluster still, and putting it back exactly as it was.
//!
//! Order: undo record → loaders → fence → drain → stop. The record is written before the first change, so that any
//! machine with access to the cluster can put everything back, whatever happens to this one.

mod drain;
mod fence;
mod fence_ports;
mod hold;
mod lease_hold;
mod loaders;
mod patience;
mod pause_only;
mod put_back;
mod quiet;
mod quiet_proof;
mod record_store;
mod resume;
mod script;
mod stop;
mod undo;
mod undo_record;

pub use hold::Hold;
pub(crate) use lease_hold::LeaseHold;
pub(crate) use patience::Patience;
pub use pause_only::pause_only;
pub use quiet::{QuietWatch, Verdict, classify};
pub use quiet_proof::Quiet;
pub use resume::{ResumeOptions, Resumed, resume};
use undo::undo;
pub use undo::{UndoTools, Undone};
pub use undo_record::{FencedPort, LoaderBefore, PipelineBefore, ServiceBefore, UndoRecord};

use jiff::Timestamp;

use crate::cluster::{Cluster, Work, work};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{EventKind, Events, Step};
use crate::job::SnapshotSettings;
use crate::manifest::{BranchHead, Checkpoint};

/// The selector label that fences a Service. Its value is the run's id.
pub const FENCE_LABEL: &str = "pachsnap.io/fence";

/// Proof that a cluster was brought to rest: what capture asks for. Only [`pause`] makes one.
#[derive(Debug)]
pub struct Paused {
    /// When the first change was about to be sent.
    pub started: Timestamp,
    /// Unfinished work that is left, all of it recorded.
    pub work: Work,
    /// From where external loaders go on after a restore.
    pub checkpoint: Checkpoint,
    /// The proof that nothing writes, from before `work` and `checkpoint` were read.
    pub(crate) quiet: Quiet,
}

/// Which pipelines have to be at rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All that there are, also one that is made meanwhile.
    EveryPipeline,
    /// Those that the cluster was restricted to; others go on.
    Chosen,
}

/// Brings the cluster to rest: loaders, fence, drain, stop; then begins to prove that nothing writes. What it changes is in
/// the hold's record already, so the caller undoes it after success, failure and cancellation alike.
///
/// # Errors
/// `Deadline` when work does not end or pipelines do not settle, `Disturbed` when the hold was lost or something goes on
/// writing, and those of Kubernetes and pachd.
pub async fn pause(
    cluster: &Cluster,
    hold: &Hold,
    scope: Scope,
    settings: &SnapshotSettings,
    events: &Events,
) -> Result<Paused> {
    let started = Timestamp::now();
    events.emit(EventKind::PauseStarted);
    if !hold.record().loaders.is_empty() {
        events.step(Step::Loaders, loaders::pause(cluster, hold, settings, events)).await?;
    }
    events.step(Step::Fence, fence::raise(cluster, hold, events)).await?;
    let lasting = events.step(Step::Drain, drain::drain(cluster, settings, events)).await?;
    events.step(Step::Stop, stop::stop(cluster, hold, scope, settings, events)).await?;
    let quiet = Quiet::begin(cluster).await?;
    let work = stop::settled_work(cluster, lasting, settings).await?;
    let checkpoint = checkpoint(cluster).await?;
    events.emit(EventKind::Checkpoint { at: checkpoint.at, branches: checkpoint.heads.len() });
    Ok(Paused { started, work, checkpoint, quiet })
}

/// Head commits of every branch that only users write to.
async fn checkpoint(cluster: &Cluster) -> Result<Checkpoint> {
    let at = Timestamp::now();
    let mut heads: Vec<BranchHead> = work::branches(&cluster.pachd)
        .await?
        .into_iter()
        .filter(|info| info.direct_provenance.is_empty())
        .filter_map(|info| {
            let branch = info.branch?;
            let repo = branch.repo.map(|repo| repo.name).unwrap_or_default();
            let is_output = cluster.pipelines.iter().any(|pipeline| pipeline.name == repo);
            (repo != "__spec__" && !is_output).then_some(BranchHead {
                repo,
                branch: branch.name,
                commit: info.head.map(|head| head.id),
            })
        })
        .collect();
    heads.sort_by(|a, b| (&a.repo, &a.branch).cmp(&(&b.repo, &b.branch)));
    Ok(Checkpoint { at, heads })
}

/// The error of a hold that somebody else has taken over.
pub(crate) fn hold_lost(what: &str) -> Error {
    Error::new(ErrorKind::Disturbed, format!("{what}: somebody else has taken over this run"))
        .advise("nothing more was changed; see who holds the Lease `pachsnap` in the namespace")
}

pub(crate) use drain::describe as describe_work;
pub(crate) use fence::check as check_fence;
pub(crate) use fence_ports::check_possible as check_fence_is_possible;
pub(crate) use loaders::read as read_loaders;
pub(crate) use put_back::put_back;

/// The run whose undo record a namespace holds.
///
/// # Errors
/// Those of Kubernetes; `Damaged` for a record that can't be read.
pub(crate) async fn paused_by(kubernetes: &kube::Client, namespace: &str) -> Result<Option<String>> {
    let maps = kube::Api::namespaced(kubernetes.clone(), namespace);
    Ok(record_store::read(&maps).await?.map(|(record, _)| record.run))
}

/// Ends with `Busy` when the namespace holds an undo record.
pub(crate) async fn record_exists(maps: &kube::Api<k8s_openapi::api::core::v1::ConfigMap>) -> Result<()> {
    match maps.get_opt(record_store::NAME).await? {
        Some(_) => Err(record_store::exists()),
        None => Ok(()),
    }
}
