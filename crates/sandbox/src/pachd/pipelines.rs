//! Stopping and starting pipelines. Both answer at once; the master reacts later.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use pachyderm::proto::pfs::{BranchInfo, Commit};
use pachyderm::proto::pps::{EtcdPipelineInfo, PipelineInfo, PipelineState};
use prost::Message;
use tonic::Status;

use super::api::PipelineControl;
use super::outputs;
use super::provenance;
use super::recorded::RecordedStop;
use super::specification;
use super::state::{SPEC_REPO, State};

/// Where the workers of pipelines run: the Kubernetes half.
pub trait Workers: Send + Sync + std::fmt::Debug {
    /// Replaces the workers' controller of a pipeline by one for this version and specification.
    fn replace(&self, pipeline: &str, version: u64, spec_commit: &str, replicas: usize);
    /// Whether a pod of the pipeline is left.
    fn any_left(&self, pipeline: &str) -> bool;
}

/// No Kubernetes: pipelines have no workers.
#[derive(Debug)]
pub struct NoWorkers;

impl Workers for NoWorkers {
    fn replace(&self, _: &str, _: u64, _: &str, _: usize) {}

    fn any_left(&self, _: &str) -> bool {
        false
    }
}

/// What can go wrong with a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopFault {
    /// The answer is OK, and the pipeline's record still names the old specification.
    OkButNotStopped,
    /// The branch's provenance is gone, then pachd dies.
    DiedAfterProvenance,
}

/// The pipelines of one cluster.
#[derive(Debug)]
pub struct Pipelines {
    pub(super) state: State,
    pub(super) workers: Arc<dyn Workers>,
    stops: Mutex<BTreeMap<String, RecordedStop>>,
    branches: BTreeMap<String, Bytes>,
    faults: Mutex<BTreeMap<String, Vec<StopFault>>>,
    /// Pipelines that the master leaves as they are.
    pub(super) frozen: Mutex<BTreeSet<String>>,
    /// Held from the first read to the last write: pachd changes branches and records in transactions of etcd.
    pub(super) transaction: Mutex<()>,
    /// Pipelines that the master still has to look at, in that order.
    pub(super) unsettled: Mutex<VecDeque<String>>,
    /// The specification commit that each pipeline's controller was made for.
    pub(super) controllers: Mutex<BTreeMap<String, String>>,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pipelines {
    /// The pipelines of a cluster, with the stops that are to be replayed and the branches as they were recorded.
    pub fn new(
        state: State,
        workers: Arc<dyn Workers>,
        stops: BTreeMap<String, RecordedStop>,
        branches: BTreeMap<String, Bytes>,
    ) -> Self {
        let mut controllers = BTreeMap::new();
        for record in state.pipelines() {
            let Some(commit) = &record.value.spec_commit else { continue };
            let Some(specification) = state.specification(commit) else { continue };
            let replicas = usize::from(record.value.state == PipelineState::Running as i32);
            workers.replace(&record.name, specification.version, &commit.id, replicas);
            controllers.insert(record.name.clone(), commit.id.clone());
        }
        Self {
            state,
            workers,
            stops: Mutex::new(stops),
            branches,
            faults: Mutex::default(),
            unsettled: Mutex::default(),
            frozen: Mutex::default(),
            transaction: Mutex::default(),
            controllers: Mutex::new(controllers),
        }
    }

    /// The master no longer moves this pipeline, as one that hangs on it does.
    pub fn freeze(&self, pipeline: &str) {
        lock(&self.frozen).insert(pipeline.to_owned());
    }

    /// The master moves all pipelines again.
    pub fn thaw(&self) {
        lock(&self.frozen).clear();
    }

    /// The next stop of this pipeline goes wrong.
    pub fn add_fault(&self, pipeline: &str, fault: StopFault) {
        lock(&self.faults).entry(pipeline.to_owned()).or_default().push(fault);
    }

    /// The master looks at a pipeline when all that wait have had their turn.
    pub(super) fn unsettle(&self, name: &str) {
        let mut unsettled = lock(&self.unsettled);
        if !unsettled.iter().any(|waiting| waiting == name) {
            unsettled.push_back(name.to_owned());
        }
    }

    pub(super) fn read(&self, name: &str) -> Result<(EtcdPipelineInfo, PipelineInfo), Status> {
        let record =
            self.state.pipeline(name).ok_or_else(|| Status::unknown(format!("pipeline \"{name}\" not found")))?;
        let specification = record.spec_commit.as_ref().and_then(|commit| self.state.specification(commit));
        let specification = specification.ok_or_else(|| {
            Status::unknown(format!(
                "could not retrieve pipeline spec file from PFS for pipeline '{name}', there may be a problem reaching object storage"
            ))
        })?;
        Ok((record, specification))
    }

    /// StopPipeline, in pachd's order: provenance, specification, record. Answers at once; the master reacts later.
    ///
    /// # Errors
    /// As pachd's: a missing pipeline, an unreadable specification.
    pub fn stop(&self, name: &str) -> Result<(), Status> {
        let _transaction = lock(&self.transaction);
        let (record, mut specification) = self.read(name)?;
        let fault = lock(&self.faults).get_mut(name).and_then(Vec::pop);
        provenance::set(&self.state, name, output_branch(&specification), Vec::new(), &self.branches);
        if fault == Some(StopFault::DiedAfterProvenance) {
            return Err(Status::unavailable("transport is closing"));
        }
        let replay = lock(&self.stops).remove(name);
        let commit = match replay {
            Some(stop) => self.replay(name, &stop),
            None => {
                specification.stopped = true;
                specification::write(&self.state, name, &specification)
            }
        };
        if fault != Some(StopFault::OkButNotStopped) {
            self.point_to(name, record, commit);
        }
        self.unsettle(name);
        Ok(())
    }

    /// Puts the recorded stop's commit back at the head of the specification's branch.
    fn replay(&self, name: &str, stop: &RecordedStop) -> Commit {
        let key = format!("{SPEC_REPO}/{name}");
        let head = self
            .state
            .branch(SPEC_REPO, name)
            .map(|branch| BranchInfo { head: Some(stop.spec_commit.clone()), ..branch });
        if let Some(info) = head {
            let bytes = match self.branches.get(&key) {
                Some(bytes) if BranchInfo::decode(bytes.clone()).is_ok_and(|old| provenance::same(&old, &info)) => {
                    bytes.clone()
                }
                _ => info.encode_to_vec().into(),
            };
            self.state.store.put(State::key("pachyderm_pfs/branches", &key), bytes);
        }
        stop.spec_commit.clone()
    }

    fn point_to(&self, name: &str, record: EtcdPipelineInfo, commit: Commit) {
        let record = EtcdPipelineInfo { spec_commit: Some(commit), ..record };
        self.state.store.put(State::key("pachyderm_pps/pipelines", name), record.encode_to_vec());
    }

    /// StartPipeline: a new specification, the record, provenance, and a new output commit with its job.
    ///
    /// # Errors
    /// As pachd's: a missing pipeline, an unreadable specification.
    pub fn start(&self, name: &str) -> Result<(), Status> {
        let _transaction = lock(&self.transaction);
        let (record, mut specification) = self.read(name)?;
        specification.stopped = false;
        let commit = specification::write(&self.state, name, &specification);
        self.point_to(name, record, commit);
        let direct = provenance::of_running(&specification);
        provenance::set(&self.state, name, output_branch(&specification), direct, &self.branches);
        // Also what depends on it gets new output commits, which its own workers finish.
        for repo in outputs::propagate(&self.state, name, output_branch(&specification)) {
            if repo != name && self.state.pipeline(&repo).is_some() {
                self.unsettle(&repo);
            }
        }
        self.unsettle(name);
        Ok(())
    }
}

/// The branch of its own repo that a pipeline writes to.
pub(super) fn output_branch(specification: &PipelineInfo) -> &str {
    if specification.output_branch.is_empty() { "master" } else { &specification.output_branch }
}

impl PipelineControl for Pipelines {
    fn stop(&self, name: &str) -> Result<(), Status> {
        Self::stop(self, name)
    }

    fn start(&self, name: &str) -> Result<(), Status> {
        Self::start(self, name)
    }

    fn created(&self, name: &str) {
        self.unsettle(name);
    }
}
