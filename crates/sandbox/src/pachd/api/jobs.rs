//! The jobs of `pps.API`.

use std::collections::{BTreeMap, HashSet};

use pachyderm::proto::pfs::{Commit, CommitInfo, Repo};
use pachyderm::proto::pps::{
    EtcdJobInfo, Input, InspectJobRequest, Job, JobInfo, JobState, ListJobRequest, PipelineInfo,
};
use prost::Message;
use tonic::Status;

use super::pfs_lists::newest_first;
use super::{PachdService, errors};
use crate::pachd::grpc::plain;
use crate::pachd::state::{SPEC_REPO, State};

const JOBS: &str = "pachyderm_pps/jobs";

fn repo_of(commit: &Commit) -> &str {
    commit.repo.as_ref().map_or("", |repo| repo.name.as_str())
}

impl PachdService {
    /// Jobs newest first; `history` counts versions of the specification before the current one.
    pub(super) fn list_jobs(&self, request: &ListJobRequest) -> Result<Vec<JobInfo>, Status> {
        if !request.jq_filter.is_empty() {
            return Err(errors::no_jq());
        }
        let wanted = request.pipeline.as_ref().map(|pipeline| pipeline.name.as_str());
        if let Some(name) = wanted.filter(|name| !name.is_empty()) {
            self.stored_pipeline(name)?;
        }
        let output = request.output_commit.as_ref().map(|commit| self.resolve(commit)).transpose()?;
        let output = output.and_then(|info| info.commit);
        let inputs: Result<Vec<_>, _> = request.input_commit.iter().map(|commit| self.resolve(commit)).collect();
        let inputs: Vec<_> = inputs?.into_iter().filter_map(|info| info.commit).collect();
        self.forget_stale_jobs();
        let pipelines: BTreeMap<_, _> =
            self.state.pipelines().into_iter().map(|record| (record.name, record.value)).collect();
        let specifications: HashSet<String> = pipelines
            .values()
            .flat_map(|stored| self.specification_commits(stored, request.history))
            .map(|commit| commit.id)
            .collect();
        let mut jobs = Vec::new();
        for record in newest_first(self.state.jobs()) {
            let job = record.value;
            let name = job.pipeline.as_ref().map_or("", |pipeline| pipeline.name.as_str());
            if wanted.is_some_and(|wanted| !wanted.is_empty() && wanted != name)
                || output.as_ref().is_some_and(|output| job.output_commit.as_ref() != Some(output))
            {
                continue;
            }
            let Some(commit) = self.output_of(&job) else { continue };
            let has = |input: &Commit| commit.provenance.iter().any(|one| one.commit.as_ref() == Some(input));
            if !inputs.iter().all(has) {
                continue;
            }
            let info = self.job_info(job, &commit, request.full)?;
            if info.spec_commit.as_ref().is_some_and(|spec| specifications.contains(&spec.id)) {
                jobs.push(info);
            }
        }
        Ok(jobs)
    }

    /// One job, after it ended if `block_state` asks for that.
    pub(super) async fn inspect_job(&self, request: InspectJobRequest) -> Result<JobInfo, Status> {
        let ended = [JobState::Success as i32, JobState::Failure as i32, JobState::Killed as i32];
        let id = match (request.job, request.output_commit) {
            (Some(Job { id }), _) => id,
            (None, Some(commit)) => {
                let commit = self.resolve(&commit)?.commit;
                let job = self.state.jobs().into_iter().find(|job| job.value.output_commit == commit);
                job.map(|job| job.name).ok_or_else(|| plain("job with output commit not found"))?
            }
            (None, None) => return Err(plain("must specify either a Job or an OutputCommit")),
        };
        let mut revisions = self.state.store.revisions();
        loop {
            revisions.mark_unchanged();
            let job: EtcdJobInfo = self.state.record(JOBS, &id).ok_or_else(|| errors::job_not_found(&id))?;
            if !request.block_state || ended.contains(&job.state) {
                let commit = self.output_of(&job).ok_or_else(|| errors::job_not_found(&id))?;
                return self.job_info(job, &commit, request.full);
            }
            revisions.changed().await.map_err(|_| Status::unavailable("etcd is gone"))?;
        }
    }

    fn output_of(&self, job: &EtcdJobInfo) -> Option<CommitInfo> {
        let commit = job.output_commit.as_ref()?;
        self.state.commit(repo_of(commit), &commit.id)
    }

    /// Deletes records of jobs whose output commit is gone, as every listing of jobs does.
    pub(super) fn forget_stale_jobs(&self) {
        let jobs = self.state.jobs().into_iter();
        let stale: Vec<_> = jobs.filter(|job| self.output_of(&job.value).is_none()).collect();
        if stale.is_empty() {
            return;
        }
        self.state.store.write(|transaction| {
            for job in &stale {
                transaction.delete(&State::key(JOBS, &job.name));
                let pipeline = job.value.pipeline.clone().unwrap_or_default().encode_to_vec();
                let output = job.value.output_commit.clone().unwrap_or_default().encode_to_vec();
                for (index, value) in [("Pipeline", pipeline), ("OutputCommit", output)] {
                    let start = State::key(&format!("{JOBS}__index_{index}"), "");
                    let key = [&start[..], &value, b"/", job.name.as_bytes()].concat();
                    transaction.delete(&key);
                }
            }
        });
    }

    fn job_info(&self, job: EtcdJobInfo, output: &CommitInfo, full: bool) -> Result<JobInfo, Status> {
        let pipeline = job.pipeline.clone().unwrap_or_default();
        let spec_commit = output.provenance.iter().find_map(|one| {
            let commit = one.commit.as_ref().filter(|commit| repo_of(commit) == SPEC_REPO)?;
            (one.branch.as_ref()?.name == pipeline.name).then(|| commit.clone())
        });
        let spec_commit = spec_commit.ok_or_else(|| plain("couldn't find spec commit for job"))?;
        let info = JobInfo {
            job: job.job,
            output_repo: Some(Repo { name: pipeline.name.clone() }),
            pipeline: job.pipeline,
            output_commit: job.output_commit,
            restart: job.restart,
            data_processed: job.data_processed,
            data_skipped: job.data_skipped,
            data_total: job.data_total,
            data_failed: job.data_failed,
            data_recovered: job.data_recovered,
            stats: job.stats,
            stats_commit: job.stats_commit,
            state: job.state,
            reason: job.reason,
            started: job.started,
            finished: job.finished,
            spec_commit: Some(spec_commit.clone()),
            ..Default::default()
        };
        if !full {
            return Ok(info);
        }
        let stored = self.state.pipeline(&pipeline.name).unwrap_or_default();
        let specification = self.pipeline_of(&pipeline.name, &stored, &spec_commit, false)?;
        Ok(with_specification(info, specification, output))
    }
}

/// What a full answer adds.
fn with_specification(info: JobInfo, specification: PipelineInfo, output: &CommitInfo) -> JobInfo {
    let mut input = specification.input;
    if let Some(input) = &mut input {
        name_commits(input, output);
    }
    JobInfo {
        transform: specification.transform,
        parallelism_spec: specification.parallelism_spec,
        pipeline_version: specification.version,
        service: specification.service,
        egress: specification.egress,
        output_branch: specification.output_branch,
        resource_requests: specification.resource_requests,
        resource_limits: specification.resource_limits,
        sidecar_resource_limits: specification.sidecar_resource_limits,
        input,
        enable_stats: specification.enable_stats,
        salt: specification.salt,
        chunk_spec: specification.chunk_spec,
        datum_timeout: specification.datum_timeout,
        job_timeout: specification.job_timeout,
        datum_tries: specification.datum_tries,
        scheduling_spec: specification.scheduling_spec,
        pod_spec: specification.pod_spec,
        pod_patch: specification.pod_patch,
        spout: specification.spout,
        ..info
    }
}

/// Writes into an input the commits that the output commit was made from.
fn name_commits(input: &mut Input, output: &CommitInfo) {
    let commit_of = |repo: &str, branch: &str| {
        let mut provenance = output.provenance.iter();
        provenance.find_map(|one| {
            let of = one.branch.as_ref()?;
            let same = of.name == branch && of.repo.as_ref().is_some_and(|of| of.name == repo);
            if same { one.commit.as_ref().map(|commit| commit.id.clone()) } else { None }
        })
    };
    if let Some(pfs) = &mut input.pfs {
        pfs.commit = commit_of(&pfs.repo, &pfs.branch).unwrap_or_default();
    }
    if let Some(cron) = &mut input.cron {
        cron.commit = commit_of(&cron.repo, "master").unwrap_or_default();
    }
    if let Some(git) = &mut input.git {
        git.commit = commit_of(&git.name, &git.branch).unwrap_or_default();
    }
    for nested in [&mut input.cross, &mut input.union, &mut input.join, &mut input.group] {
        nested.iter_mut().for_each(|input| name_commits(input, output));
    }
}
