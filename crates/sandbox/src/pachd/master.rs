//! The pipeline master: what the wish to stop or start a pipeline leads to, one state of one pipeline at a time.
//!
//! A real master polls one pipeline after another. It sees that a pipeline's controller is of an older specification, replaces
//! it by one without replicas and says RESTARTING; when the turn comes again, the pipeline goes to PAUSED, or its controller
//! gets replicas and it goes to RUNNING. The recorded timelines of stopping and of starting all pipelines show that.

use std::sync::Arc;
use std::time::Duration;

use pachyderm::proto::pps::{EtcdPipelineInfo, PipelineState};

use super::outputs::Work;
use super::pipelines::{Pipelines, lock};
use super::records::{PIPELINES, read, write};

impl Pipelines {
    /// One turn: the pipeline that waited longest goes one state further. Nothing happens when all are settled.
    fn turn(&self) {
        let _transaction = lock(&self.transaction);
        let Some(name) = lock(&self.unsettled).pop_front() else { return };
        let is_frozen = lock(&self.frozen).contains(&name);
        if is_frozen || !self.advance(&name) {
            self.unsettle(&name);
        }
    }

    /// Takes a pipeline one state further. Tells whether it is settled.
    fn advance(&self, name: &str) -> bool {
        let (record, specification) = match self.read(name) {
            Ok(read) => read,
            Err(_) => {
                // What a pipeline without a readable specification ends in; nothing but an update leads out of it.
                self.set_state(name, PipelineState::Failure);
                return true;
            }
        };
        let spec_commit = record.spec_commit.as_ref().map(|commit| commit.id.clone()).unwrap_or_default();
        if record.state == PipelineState::Failure as i32 {
            return true;
        }
        let made_for = lock(&self.controllers).insert(name.to_owned(), spec_commit.clone());
        if made_for.as_ref() != Some(&spec_commit) {
            self.workers.replace(name, specification.version, &spec_commit, 0);
            if made_for.is_some() {
                self.set_state(name, PipelineState::Restarting);
            }
            return false;
        }
        if specification.stopped {
            self.workers.replace(name, specification.version, &spec_commit, 0);
            self.set_state(name, PipelineState::Paused);
            return true;
        }
        let work =
            Work { state: &self.state, pipeline: name, specification: &specification, spec_commit: &spec_commit };
        let running = if specification.standby { PipelineState::Standby } else { PipelineState::Running };
        if record.state != running as i32 {
            let replicas = usize::from(running == PipelineState::Running);
            self.workers.replace(name, specification.version, &spec_commit, replicas);
            let left = work.begin();
            self.set_state(name, running);
            return !left;
        }
        !work.begin() || work.end()
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
