//! Loading a cluster of which only the stream and the bucket were recorded: its records in etcd are written from the
//! operations, as they were at the extract. Unlike a restore this makes no new commits, and jobs end when they ended.
//!
//! What a stream does not hold is not there: when repos were made, which branch a commit was made on, ids of jobs.

use std::collections::BTreeMap;
use std::sync::Arc;

use pachyderm::proto::admin::{Op, OpBody};
use pachyderm::proto::pfs::{BranchInfo, BuildCommitRequest, Commit, CommitInfo, CreateBranchRequest, RepoInfo};
use pachyderm::proto::pps::{CreateJobRequest, CreatePipelineRequest, EtcdPipelineInfo, PipelineState};
use pachyderm::stream::Reader;
use prost::Message;

use super::objects::ObjectStore;
use super::outputs::{record_subvenance, write_job};
use super::provenance;
use super::recorded::{self, LoadError, Recorded};
use super::records::{BRANCHES, COMMITS, PIPELINES, REPOS, commit_name, job_record, read, repo_name, write};
use super::specification::now;
use super::state::State;

/// An etcd that pachd has just started on.
static EMPTY_ETCD: &[u8] = include_bytes!("../../../../tests/data/etcd/gamma.snapshot.db");

/// Loads a stream over a filled bucket. With `running`, its stopped pipelines run again. All commits count as finished, since
/// a stream gives those that were open the time of the extract.
///
/// # Errors
/// The stream is damaged.
pub fn load(stream: &[u8], bucket: Arc<dyn ObjectStore>, running: bool) -> Result<Recorded, LoadError> {
    let state = recorded::load(EMPTY_ETCD, Arc::clone(&bucket), None)?.state;
    let mut declared = Vec::new();
    for op in Reader::new(stream) {
        let body = Op::decode(op?.bytes).map_err(std::io::Error::other)?.body().cloned().unwrap_or_default();
        match body {
            OpBody { repo: Some(request), .. } => {
                let name = request.repo.as_ref().map(|repo| repo.name.clone()).unwrap_or_default();
                let info = RepoInfo {
                    repo: request.repo,
                    created: Some(now()),
                    description: request.description,
                    ..RepoInfo::default()
                };
                state.store.write(|transaction| write(transaction, REPOS, &name, &info));
            }
            OpBody { commit: Some(request), .. } => commit(&state, *request),
            OpBody { branch: Some(request), .. } => {
                branch(&state, &request);
                declared.push(*request);
            }
            OpBody { pipeline: Some(request), .. } => pipeline(&state, *request),
            OpBody { job: Some(request), .. } => job(&state, *request),
            _ => {}
        }
    }
    // Only now is every branch there that another one depends on.
    for request in declared {
        let branch = request.branch.unwrap_or_default();
        let repo = repo_name(branch.repo.as_ref()).to_owned();
        provenance::set(&state, &repo, &branch.name, request.provenance, &BTreeMap::new());
    }
    Ok(recorded::from_keys(state.live(), bucket, running.then_some(&[])))
}

fn commit(state: &State, request: BuildCommitRequest) {
    let parent = request.parent.unwrap_or_default();
    let commit = Commit { repo: parent.repo.clone(), id: request.id };
    let parent = (!parent.id.is_empty()).then_some(parent);
    state.store.write(|transaction| {
        if let Some((parent, mut info)) = parent
            .as_ref()
            .and_then(|parent| Some((parent, read::<CommitInfo>(transaction, COMMITS, &commit_name(parent))?)))
        {
            info.child_commits.push(commit.clone());
            write(transaction, COMMITS, &commit_name(parent), &info);
        }
        record_subvenance(transaction, &request.provenance, &commit, parent.as_ref());
        let info = CommitInfo {
            commit: Some(commit.clone()),
            parent_commit: parent,
            started: request.started,
            finished: request.finished,
            size_bytes: request.size_bytes,
            tree: request.tree,
            trees: request.trees,
            datums: request.datums,
            provenance: request.provenance,
            origin: request.origin,
            ..CommitInfo::default()
        };
        write(transaction, COMMITS, &commit_name(&commit), &info);
    });
}

fn branch(state: &State, request: &CreateBranchRequest) {
    let branch = request.branch.clone().unwrap_or_default();
    let repo = repo_name(branch.repo.as_ref()).to_owned();
    let head = request.head.clone().filter(|head| !head.id.is_empty());
    state.store.write(|transaction| {
        if let Some(mut info) = read::<RepoInfo>(transaction, REPOS, &repo) {
            if branch.name == "master" {
                let head = head.as_ref().and_then(|head| read::<CommitInfo>(transaction, COMMITS, &commit_name(head)));
                info.size_bytes = head.map_or(0, |head| head.size_bytes);
            }
            info.branches.push(branch.clone());
            write(transaction, REPOS, &repo, &info);
        }
        let info =
            BranchInfo { name: branch.name.clone(), branch: Some(branch.clone()), head, ..BranchInfo::default() };
        write(transaction, BRANCHES, &format!("{repo}/{}", branch.name), &info);
    });
}

fn pipeline(state: &State, request: CreatePipelineRequest) {
    let name = request.pipeline.map(|pipeline| pipeline.name).unwrap_or_default();
    let specification = request.spec_commit.as_ref().and_then(|commit| state.specification(commit));
    let settled = match &specification {
        Some(specification) if specification.stopped => PipelineState::Paused,
        Some(specification) if specification.standby => PipelineState::Standby,
        _ => PipelineState::Running,
    };
    let record = EtcdPipelineInfo {
        state: settled as i32,
        spec_commit: request.spec_commit,
        parallelism: request.parallelism_spec.map_or(1, |parallelism| parallelism.constant.max(1)),
        ..EtcdPipelineInfo::default()
    };
    state.store.write(|transaction| write(transaction, PIPELINES, &name, &record));
}

fn job(state: &State, request: CreateJobRequest) {
    let name = request.pipeline.as_ref().map(|pipeline| pipeline.name.clone()).unwrap_or_default();
    let job = job_record(request);
    state.store.write(|transaction| {
        if let Some(mut pipeline) = read::<EtcdPipelineInfo>(transaction, PIPELINES, &name) {
            *pipeline.job_counts.entry(job.state).or_default() += 1;
            write(transaction, PIPELINES, &name, &pipeline);
        }
        write_job(transaction, &job);
    });
}
