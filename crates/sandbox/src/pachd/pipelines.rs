//! Stopping and starting pipelines, and the master that reacts to it: one pipeline after another, later.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use pachyderm::proto::pfs::{BranchInfo, Commit, CommitInfo, CommitOrigin, CommitProvenance, OriginKind};
use pachyderm::proto::pps::{EtcdJobInfo, EtcdPipelineInfo, Job, JobState, Pipeline, PipelineInfo, PipelineState};
use prost::Message;
use tonic::Status;

use super::api::PipelineControl;
use super::provenance;
use super::recorded::RecordedStop;
use super::specification::{self, new_id, now};
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
    state: State,
    workers: Arc<dyn Workers>,
    stops: Mutex<BTreeMap<String, RecordedStop>>,
    branches: BTreeMap<String, Bytes>,
    faults: Mutex<BTreeMap<String, Vec<StopFault>>>,
    unsettled: Mutex<BTreeSet<String>>,
    /// Held from the first read to the last write: pachd changes branches and records in transactions of etcd.
    transaction: Mutex<()>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
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
        for record in state.pipelines() {
            let Some(commit) = &record.value.spec_commit else { continue };
            let Some(specification) = state.specification(commit) else { continue };
            let replicas = usize::from(record.value.state == PipelineState::Running as i32);
            workers.replace(&record.name, specification.version, &commit.id, replicas);
        }
        Self {
            state,
            workers,
            stops: Mutex::new(stops),
            branches,
            faults: Mutex::default(),
            unsettled: Mutex::default(),
            transaction: Mutex::default(),
        }
    }

    /// The next stop of this pipeline goes wrong.
    pub fn add_fault(&self, pipeline: &str, fault: StopFault) {
        lock(&self.faults).entry(pipeline.to_owned()).or_default().push(fault);
    }

    fn read(&self, name: &str) -> Result<(EtcdPipelineInfo, PipelineInfo), Status> {
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
        lock(&self.unsettled).insert(name.to_owned());
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
        provenance::set(&self.state, name, output_branch(&specification), direct.clone(), &self.branches);
        if !direct.is_empty() {
            self.new_output(name, &specification);
        }
        lock(&self.unsettled).insert(name.to_owned());
        Ok(())
    }

    /// A new, open output commit over the present heads, and its job.
    fn new_output(&self, name: &str, specification: &PipelineInfo) {
        let branch_name = output_branch(specification).to_owned();
        let Some(branch) = self.state.branch(name, &branch_name) else { return };
        let provenance: Vec<CommitProvenance> = branch
            .provenance
            .iter()
            .filter_map(|on| {
                let repo = on.repo.as_ref()?.name.clone();
                let head = self.state.branch(&repo, &on.name)?.head?;
                Some(CommitProvenance { commit: Some(head), branch: Some(on.clone()) })
            })
            .collect();
        let commit = Commit::named(name, &new_id());
        let info = CommitInfo {
            commit: Some(commit.clone()),
            parent_commit: branch.head.clone(),
            started: Some(now()),
            branch: branch.branch.clone(),
            provenance,
            origin: Some(CommitOrigin { kind: OriginKind::Auto as i32 }),
            ..CommitInfo::default()
        };
        let job = EtcdJobInfo {
            job: Some(Job { id: new_id() }),
            pipeline: Some(Pipeline::named(name)),
            output_commit: Some(commit.clone()),
            state: JobState::Running as i32,
            started: Some(now()),
            ..EtcdJobInfo::default()
        };
        let job_id = job.job.as_ref().map(|job| job.id.clone()).unwrap_or_default();
        self.state.store.write(|transaction| {
            transaction
                .put(State::key("pachyderm_pfs/commits", &format!("{name}/{}", commit.id)), info.encode_to_vec());
            transaction.put(State::key("pachyderm_pfs/openCommits", &commit.id), commit.encode_to_vec());
            let moved = BranchInfo { head: Some(commit.clone()), ..branch };
            transaction
                .put(State::key("pachyderm_pfs/branches", &format!("{name}/{branch_name}")), moved.encode_to_vec());
            transaction.put(State::key("pachyderm_pps/jobs", &job_id), job.encode_to_vec());
            for (index, value) in
                [("Pipeline", Pipeline::named(name).encode_to_vec()), ("OutputCommit", commit.encode_to_vec())]
            {
                let mut key = State::key(&format!("pachyderm_pps/jobs__index_{index}"), "").to_vec();
                key.extend_from_slice(&value);
                key.push(b'/');
                key.extend_from_slice(job_id.as_bytes());
                transaction.put(key, job_id.clone().into_bytes());
            }
        });
    }

    /// One turn of the master: one pipeline goes one state further. Tells whether there was one.
    fn turn(&self) -> bool {
        let next = lock(&self.unsettled).iter().next().cloned();
        let Some(name) = next else { return false };
        let _transaction = lock(&self.transaction);
        let settled = self.advance(&name);
        if settled {
            lock(&self.unsettled).remove(&name);
        }
        true
    }

    fn advance(&self, name: &str) -> bool {
        let Ok((record, specification)) = self.read(name) else { return true };
        let spec_commit = record.spec_commit.as_ref().map(|commit| commit.id.clone()).unwrap_or_default();
        let is = |state: PipelineState| record.state == state as i32;
        if is(PipelineState::Failure) {
            return true;
        }
        if specification.stopped {
            if is(PipelineState::Paused) {
                return true;
            }
            if is(PipelineState::Restarting) {
                self.set_state(name, PipelineState::Paused);
                return true;
            }
            self.workers.replace(name, specification.version, &spec_commit, 0);
            self.set_state(name, PipelineState::Restarting);
            return false;
        }
        let running = if specification.standby { PipelineState::Standby } else { PipelineState::Running };
        if !is(running) {
            self.workers.replace(
                name,
                specification.version,
                &spec_commit,
                usize::from(running == PipelineState::Running),
            );
            self.set_state(name, running);
        }
        if specification.service.is_none() && specification.spout.is_none() {
            self.finish_outputs(name);
        }
        true
    }

    fn set_state(&self, name: &str, state: PipelineState) {
        if let Some(record) = self.state.pipeline(name) {
            let record = EtcdPipelineInfo { state: state as i32, ..record };
            self.state.store.put(State::key("pachyderm_pps/pipelines", name), record.encode_to_vec());
        }
    }

    /// The worker's part: every datum is skipped, so an output commit ends with its parent's trees.
    fn finish_outputs(&self, name: &str) {
        for job in self.state.jobs() {
            let of_pipeline = job.value.pipeline.as_ref().is_some_and(|pipeline| pipeline.name == name);
            if !of_pipeline || job.value.state != JobState::Running as i32 {
                continue;
            }
            let Some(commit) = job.value.output_commit.clone() else { continue };
            let Some(info) = self.state.commit(name, &commit.id).filter(|info| info.finished.is_none()) else {
                continue;
            };
            let parent = info.parent_commit.as_ref().and_then(|parent| self.state.commit(name, &parent.id));
            let (trees, datums, size) =
                parent.map(|parent| (parent.trees, parent.datums, parent.size_bytes)).unwrap_or_default();
            let info = CommitInfo { finished: Some(now()), trees, datums, size_bytes: size, ..info };
            let job_id = job.name.clone();
            let job = EtcdJobInfo { state: JobState::Success as i32, finished: Some(now()), ..job.value };
            self.state.store.write(|transaction| {
                transaction
                    .put(State::key("pachyderm_pfs/commits", &format!("{name}/{}", commit.id)), info.encode_to_vec());
                transaction.delete(&State::key("pachyderm_pfs/openCommits", &commit.id));
                transaction.put(State::key("pachyderm_pps/jobs", &job_id), job.encode_to_vec());
            });
        }
    }

    /// The master: takes a turn every `interval`, for as long as the pipelines are there.
    pub(super) async fn run(self: Arc<Self>, interval: Duration) {
        let pipelines = Arc::downgrade(&self);
        drop(self);
        loop {
            tokio::time::sleep(interval).await;
            match pipelines.upgrade() {
                Some(pipelines) => {
                    pipelines.turn();
                }
                None => return,
            }
        }
    }
}

fn output_branch(specification: &PipelineInfo) -> &str {
    if specification.output_branch.is_empty() { "master" } else { &specification.output_branch }
}

impl PipelineControl for Pipelines {
    fn stop(&self, name: &str) -> Result<(), Status> {
        Self::stop(self, name)
    }

    fn start(&self, name: &str) -> Result<(), Status> {
        Self::start(self, name)
    }
}
