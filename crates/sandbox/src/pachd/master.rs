//! The pipeline master: what the wish to stop or start a pipeline leads to, one state of one pipeline at a time.
//!
//! A real master polls one pipeline after another. It sees that a pipeline's controller is of an older specification, replaces
//! it by one without replicas and says RESTARTING; when the turn comes again, the pipeline goes to PAUSED, or its controller
//! gets replicas and it goes to RUNNING. The recorded timelines of stopping and of starting all pipelines show that.

use std::sync::Arc;
use std::time::Duration;

use pachyderm::proto::pps::{EtcdPipelineInfo, PipelineInfo, PipelineState};

use super::outputs::Work;
use super::pipelines::{Pipelines, lock};
use super::records::{PIPELINES, read, write};

/// A controller that is to be made, and what the pipeline is when that is done.
struct Next {
    specification: PipelineInfo,
    spec_commit: String,
    replicas: usize,
    /// The state; `None` leaves it as it is.
    state: Option<PipelineState>,
}

fn spec_commit_of(record: &EtcdPipelineInfo) -> String {
    record.spec_commit.as_ref().map(|commit| commit.id.clone()).unwrap_or_default()
}

impl Pipelines {
    /// One turn: the pipeline that waited longest goes one state further. Nothing happens when all are settled.
    fn turn(&self) {
        let Some(name) = lock(&self.unsettled).pop_front() else { return };
        let is_frozen = lock(&self.frozen).contains(&name);
        if is_frozen || !self.advance(&name) {
            self.unsettle(&name);
        }
    }

    /// Takes a pipeline one state further. Tells whether it is settled.
    fn advance(&self, name: &str) -> bool {
        let next = match self.next(name) {
            Ok(next) => next,
            Err(settled) => return settled,
        };
        // Kubernetes may be away, and whoever calls pachd meanwhile does not wait for it.
        self.workers.replace(name, next.specification.version, &next.spec_commit, next.replicas);
        let _transaction = lock(&self.transaction);
        let is_same = self.read(name).is_ok_and(|(record, _)| spec_commit_of(&record) == next.spec_commit);
        if !is_same {
            return false;
        }
        let Some(state) = next.state else { return false };
        let is_running = [PipelineState::Running, PipelineState::Standby].contains(&state);
        let left = is_running && self.work(name, &next.specification, &next.spec_commit).begin();
        self.set_state(name, state);
        state != PipelineState::Restarting && !left
    }

    /// What a pipeline has to become, if that is more than records; else does that, and tells whether it is settled.
    fn next(&self, name: &str) -> Result<Next, bool> {
        let _transaction = lock(&self.transaction);
        let Ok((record, specification)) = self.read(name) else {
            // What a pipeline without a readable specification ends in; nothing but an update leads out of it.
            self.set_state(name, PipelineState::Failure);
            return Err(true);
        };
        if record.state == PipelineState::Failure as i32 {
            return Err(true);
        }
        let spec_commit = spec_commit_of(&record);
        let made_for = lock(&self.controllers).insert(name.to_owned(), spec_commit.clone());
        let next = |state, replicas| Next {
            specification: specification.clone(),
            spec_commit: spec_commit.clone(),
            replicas,
            state,
        };
        if made_for.as_ref() != Some(&spec_commit) {
            return Ok(next(made_for.map(|_| PipelineState::Restarting), 0));
        }
        if specification.stopped {
            return Ok(next(Some(PipelineState::Paused), 0));
        }
        let running = if specification.standby { PipelineState::Standby } else { PipelineState::Running };
        if record.state != running as i32 {
            return Ok(next(Some(running), usize::from(running == PipelineState::Running)));
        }
        let work = self.work(name, &specification, &spec_commit);
        Err(!work.begin() || work.end())
    }

    fn work<'a>(&'a self, pipeline: &'a str, specification: &'a PipelineInfo, spec_commit: &'a str) -> Work<'a> {
        Work { state: &self.state, pipeline, specification, spec_commit }
    }

    /// Writes a state, unless it is the present one.
    fn set_state(&self, name: &str, state: PipelineState) {
        self.state.store.write(|transaction| {
            let record: Option<EtcdPipelineInfo> = read(transaction, PIPELINES, name);
            if let Some(record) = record.filter(|record| record.state != state as i32) {
                write(transaction, PIPELINES, name, &EtcdPipelineInfo { state: state as i32, ..record });
            }
        });
    }

    /// Takes a turn every `interval`, for as long as the pipelines are there.
    pub(super) async fn run(self: Arc<Self>, interval: Duration) {
        let pipelines = Arc::downgrade(&self);
        drop(self);
        loop {
            tokio::time::sleep(interval).await;
            match pipelines.upgrade() {
                Some(pipelines) => pipelines.turn(),
                None => return,
            }
        }
    }
}
