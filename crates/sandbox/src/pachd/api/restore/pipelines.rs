//! Pipelines and jobs of a restore.

use pachyderm::proto::pfs::{Branch, Repo, RepoInfo};
use pachyderm::proto::pps::{
    CreateJobRequest, CreatePipelineRequest, EtcdPipelineInfo, Input, JobState, PipelineInfo, PipelineState,
};
use tonic::Status;

use super::super::{PachdService, errors, now};
use crate::pachd::grpc::plain;
use crate::pachd::outputs::write_job;
use crate::pachd::pipelines::output_branch;
use crate::pachd::records::{PIPELINES, REPOS, job_record, read, write};
use crate::pachd::specification::{self, new_id};
use crate::pachd::{provenance, state::State};

impl PachdService {
    /// CreatePipeline: the record, the output branch with its provenance, and with that a new output commit. With a
    /// specification commit nothing is read from the bucket; without one a specification is written.
    pub(super) fn create_pipeline(&self, request: CreatePipelineRequest) -> Result<(), Status> {
        let name = request.pipeline.clone().ok_or_else(errors::nil_pipeline)?.name;
        if request.transform.is_none() {
            return Err(plain("pipeline must specify a transform"));
        }
        if self.state.pipeline(&name).is_some() {
            return Err(plain(format!("pipeline \"{name}\" already exists")));
        }
        let spec_commit = request.spec_commit.clone();
        let parallelism = request.parallelism_spec.as_ref().map_or(1, |parallelism| parallelism.constant.max(1));
        let info = described(request);
        for repo in std::iter::once(name.clone()).chain(repos_of_crons(info.input.as_ref())) {
            create_missing_repo(&self.state, &repo);
        }
        let spec_commit = spec_commit.unwrap_or_else(|| specification::write(&self.state, &name, &info));
        let record = EtcdPipelineInfo {
            state: PipelineState::Starting as i32,
            spec_commit: Some(spec_commit),
            parallelism,
            ..EtcdPipelineInfo::default()
        };
        self.state.store.write(|transaction| write(transaction, PIPELINES, &name, &record));
        let output = Branch::named(&name, output_branch(&info));
        if info.enable_stats {
            self.declare_branch(&Branch::named(&name, "stats"), None, vec![output.clone()])?;
        }
        self.declare_branch(&output, None, provenance::of_running(&info))?;
        self.pipelines.created(&name);
        Ok(())
    }

    /// CreateJob: always a new id. A job that had ended is said to have ended now.
    pub(super) fn create_job(&self, request: CreateJobRequest) -> Result<(), Status> {
        let name = request.pipeline.clone().unwrap_or_default().name;
        let ended = [JobState::Success as i32, JobState::Failure as i32, JobState::Killed as i32];
        let mut job = job_record(request);
        if ended.contains(&job.state) {
            job.finished = Some(now());
        }
        self.state.store.write(|transaction| {
            let mut pipeline: EtcdPipelineInfo = read(transaction, PIPELINES, &name)
                .ok_or_else(|| errors::record_not_found("pachyderm_pps/pipelines", &name))?;
            *pipeline.job_counts.entry(job.state).or_default() += 1;
            pipeline.last_job_state = job.state;
            write(transaction, PIPELINES, &name, &pipeline);
            write_job(transaction, &job);
            Ok(())
        })
    }
}

fn create_missing_repo(state: &State, name: &str) {
    state.store.write(|transaction| {
        if read::<RepoInfo>(transaction, REPOS, name).is_none() {
            let info =
                RepoInfo { repo: Some(Repo { name: name.to_owned() }), created: Some(now()), ..RepoInfo::default() };
            write(transaction, REPOS, name, &info);
        }
    });
}

/// The repos that the clocks of a pipeline's inputs write to.
fn repos_of_crons(input: Option<&Input>) -> Vec<String> {
    let Some(input) = input else { return Vec::new() };
    let nested = [&input.cross, &input.union, &input.join, &input.group].into_iter().flatten();
    let own = input.cron.iter().map(|cron| cron.repo.clone());
    own.chain(nested.flat_map(|input| repos_of_crons(Some(input)))).collect()
}

/// The pipeline that a request describes, in its first version.
fn described(request: CreatePipelineRequest) -> PipelineInfo {
    PipelineInfo {
        pipeline: request.pipeline,
        transform: request.transform,
        created_at: Some(now()),
        parallelism_spec: request.parallelism_spec,
        version: 1,
        egress: request.egress,
        output_branch: if request.output_branch.is_empty() { "master".to_owned() } else { request.output_branch },
        resource_requests: request.resource_requests,
        resource_limits: request.resource_limits,
        sidecar_resource_limits: request.sidecar_resource_limits,
        input: request.input,
        description: request.description,
        cache_size: request.cache_size,
        enable_stats: request.enable_stats,
        salt: if request.salt.is_empty() { new_id() } else { request.salt },
        max_queue_size: request.max_queue_size,
        service: request.service,
        chunk_spec: request.chunk_spec,
        datum_timeout: request.datum_timeout,
        job_timeout: request.job_timeout,
        standby: request.standby,
        datum_tries: request.datum_tries,
        scheduling_spec: request.scheduling_spec,
        pod_spec: request.pod_spec,
        pod_patch: request.pod_patch,
        hashtree_spec: request.hashtree_spec,
        spout: request.spout,
        tf_job: request.tf_job,
        s3_out: request.s3_out,
        metadata: request.metadata,
        autoscaling: request.autoscaling,
        reprocess_spec: request.reprocess_spec,
        ..PipelineInfo::default()
    }
}
