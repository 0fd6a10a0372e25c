//! Service `pps.API`: pipelines. Half of a pipeline lies in etcd, the other in its specification file.

use pachyderm::proto::pfs::Commit;
use pachyderm::proto::pps::{
    EtcdPipelineInfo, GarbageCollectRequest, GarbageCollectResponse, InspectJobRequest, InspectPipelineRequest,
    JobInfos, ListJobRequest, ListPipelineRequest, Pipeline, PipelineInfo, PipelineInfos, PipelineState,
    StartPipelineRequest, StopPipelineRequest,
};
use rand::seq::SliceRandom;
use tonic::Status;

use super::{PachdService, errors};
use crate::pachd::grpc::{Answer, Call, many, one, plain, unknown_method};
use crate::pachd::state::SPEC_REPO;

impl PachdService {
    pub(super) async fn pps(&self, call: &mut Call) -> Result<Answer, Status> {
        match call.method.as_str() {
            "ListPipeline" => {
                let request: ListPipelineRequest = call.message().await?;
                one(&PipelineInfos { pipeline_info: self.list_pipelines(&request)? })
            }
            "InspectPipeline" => {
                let request: InspectPipelineRequest = call.message().await?;
                let name = request.pipeline.ok_or_else(errors::nil_pipeline)?.name;
                one(&self.inspect_pipeline(&name)?)
            }
            "StopPipeline" => {
                let request: StopPipelineRequest = call.message().await?;
                let name = request.pipeline.ok_or_else(errors::nil_pipeline)?.name;
                self.stored_pipeline(&name)?;
                self.pipelines.stop(&name)?;
                one(&())
            }
            "StartPipeline" => {
                let request: StartPipelineRequest = call.message().await?;
                let name = request.pipeline.ok_or_else(errors::nil_pipeline)?.name;
                self.stored_pipeline(&name)?;
                self.pipelines.start(&name)?;
                one(&())
            }
            "ListJob" => {
                let request: ListJobRequest = call.message().await?;
                one(&JobInfos { job_info: self.list_jobs(&request)? })
            }
            "ListJobStream" => {
                let request: ListJobRequest = call.message().await?;
                Ok(many(self.list_jobs(&request)?))
            }
            "InspectJob" => {
                let request: InspectJobRequest = call.message().await?;
                one(&self.inspect_job(request).await?)
            }
            "GarbageCollect" => {
                let _: GarbageCollectRequest = call.message().await?;
                self.collect_garbage()
            }
            _ => Err(unknown_method(&call.service, &call.method)),
        }
    }

    pub(super) fn stored_pipeline(&self, name: &str) -> Result<EtcdPipelineInfo, Status> {
        self.state.pipeline(name).ok_or_else(|| errors::pipeline_not_found(name))
    }

    /// A pipeline as it is now. Without `allow_incomplete` its specification must be readable.
    pub(super) fn current_pipeline(&self, name: &str, allow_incomplete: bool) -> Result<PipelineInfo, Status> {
        let stored = self.stored_pipeline(name)?;
        let spec_commit = stored.spec_commit.clone().unwrap_or_default();
        self.pipeline_of(name, &stored, &spec_commit, allow_incomplete)
    }

    /// A version of a pipeline: its specification file, and what etcd knows of the pipeline now.
    pub(super) fn pipeline_of(
        &self,
        name: &str,
        stored: &EtcdPipelineInfo,
        spec_commit: &Commit,
        allow_incomplete: bool,
    ) -> Result<PipelineInfo, Status> {
        let specification = match self.state.specification(spec_commit) {
            Some(specification) => specification,
            None if allow_incomplete => {
                PipelineInfo { pipeline: Some(Pipeline { name: name.to_owned() }), ..Default::default() }
            }
            None => return Err(errors::unreadable_specification(name)),
        };
        Ok(PipelineInfo {
            state: stored.state,
            reason: stored.reason.clone(),
            job_counts: stored.job_counts.clone(),
            last_job_state: stored.last_job_state,
            spec_commit: Some(spec_commit.clone()),
            ..specification
        })
    }

    /// The commits of a pipeline's specifications: the current one, and `history` older ones (-1: all), newest first.
    pub(super) fn specification_commits(&self, stored: &EtcdPipelineInfo, history: i64) -> Vec<Commit> {
        let most = usize::try_from(history).map_or(usize::MAX, |history| history.saturating_add(1));
        let parent = |commit: &Commit| self.state.commit(SPEC_REPO, &commit.id)?.parent_commit;
        std::iter::successors(stored.spec_commit.clone(), parent).take(most).collect()
    }

    fn list_pipelines(&self, request: &ListPipelineRequest) -> Result<Vec<PipelineInfo>, Status> {
        if !request.jq_filter.is_empty() {
            return Err(errors::no_jq());
        }
        let pipelines: Vec<_> = match &request.pipeline {
            Some(pipeline) => vec![(pipeline.name.clone(), self.stored_pipeline(&pipeline.name)?)],
            None => self.state.pipelines().into_iter().map(|record| (record.name, record.value)).collect(),
        };
        let mut infos = Vec::new();
        for (name, stored) in pipelines {
            for commit in self.specification_commits(&stored, request.history) {
                infos.push(self.pipeline_of(&name, &stored, &commit, request.allow_incomplete)?);
            }
        }
        // pachd reads the files with twenty readers at once, and answers in the order in which they are done.
        infos.shuffle(&mut rand::rng());
        Ok(infos)
    }

    fn inspect_pipeline(&self, name: &str) -> Result<PipelineInfo, Status> {
        let stored = self.stored_pipeline(name)?;
        let info = self.current_pipeline(name, false)?;
        let workers = |number| i64::try_from(number).unwrap_or(i64::MAX);
        Ok(PipelineInfo {
            workers_requested: workers(stored.parallelism),
            workers_available: workers(self.workers_available(name, &stored)),
            ..info
        })
    }

    fn workers_available(&self, name: &str, stored: &EtcdPipelineInfo) -> u64 {
        let by_state = if stored.state == PipelineState::Running as i32 { stored.parallelism } else { 0 };
        self.pipelines.workers_available(name).unwrap_or(by_state)
    }

    /// Refuses as pachd does. When it would run it marks a new generation, but deletes nothing: what is still in use is not
    /// computed here.
    fn collect_garbage(&self) -> Result<Answer, Status> {
        let pipelines = self.state.pipelines();
        let still = [PipelineState::Paused as i32, PipelineState::Failure as i32];
        if let Some(pipeline) = pipelines.iter().find(|pipeline| !still.contains(&pipeline.value.state)) {
            return Err(plain(format!(
                "all pipelines must be stopped to run garbage collection, pipeline: {} is not",
                pipeline.name
            )));
        }
        if let Some(busy) = pipelines.iter().find(|one| self.workers_available(&one.name, &one.value) > 0) {
            return Err(plain(format!("pipeline {} is paused, but still has running workers", busy.name)));
        }
        let generation = self.state.store.get(b"gc-generation").map(|kv| kv.value).unwrap_or_default();
        let generation: i64 = String::from_utf8_lossy(&generation).parse().unwrap_or(0);
        self.state.store.put("gc-generation", (generation + 1).to_string());
        one(&GarbageCollectResponse {})
    }
}
