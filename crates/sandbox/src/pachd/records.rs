//! Records of pachd's collections inside a transaction of etcd.

use pachyderm::proto::pfs::{Commit, Repo};
use pachyderm::proto::pps::{CreateJobRequest, EtcdJobInfo, Job};
use prost::Message;

use super::etcd::mvcc::Transaction;
use super::specification::new_id;
use super::state::State;

/// Repos, by name.
pub(super) const REPOS: &str = "pachyderm_pfs/repos";
/// Branches, by `repo/branch`.
pub(super) const BRANCHES: &str = "pachyderm_pfs/branches";
/// Commits, by `repo/id`.
pub(super) const COMMITS: &str = "pachyderm_pfs/commits";
/// Commits that are not finished, by id.
pub(super) const OPEN_COMMITS: &str = "pachyderm_pfs/openCommits";
/// Jobs, by id.
pub(super) const JOBS: &str = "pachyderm_pps/jobs";
/// Pipelines, by name.
pub(super) const PIPELINES: &str = "pachyderm_pps/pipelines";

/// One record, as the transaction sees it; `None` if there is none or its bytes are another message.
pub(super) fn read<M: Message + Default>(transaction: &Transaction<'_>, collection: &str, name: &str) -> Option<M> {
    transaction.get(&State::key(collection, name)).and_then(|kv| M::decode(kv.value).ok())
}

/// Writes a record.
pub(super) fn write(transaction: &mut Transaction<'_>, collection: &str, name: &str, record: &impl Message) {
    transaction.put(State::key(collection, name), record.encode_to_vec());
}

/// The name of a repo that a message may lack.
pub(super) fn repo_name(repo: Option<&Repo>) -> &str {
    repo.map_or("", |repo| repo.name.as_str())
}

/// The name of a commit's record: `repo/id`.
pub(super) fn commit_name(commit: &Commit) -> String {
    format!("{}/{}", repo_name(commit.repo.as_ref()), commit.id)
}

/// The record of a job as it was requested, under a new id.
pub(super) fn job_record(request: CreateJobRequest) -> EtcdJobInfo {
    EtcdJobInfo {
        job: Some(Job { id: new_id() }),
        pipeline: request.pipeline,
        output_commit: request.output_commit,
        restart: request.restart,
        data_processed: request.data_processed,
        data_skipped: request.data_skipped,
        data_total: request.data_total,
        data_failed: request.data_failed,
        data_recovered: request.data_recovered,
        stats: request.stats,
        stats_commit: request.stats_commit,
        state: request.state,
        reason: request.reason,
        started: request.started,
        finished: request.finished,
    }
}
