//! What the cluster is doing: pipelines, open commits, unfinished jobs, and which of them end by themselves.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use pachyderm::client::{Client, History, Unreadable};
use pachyderm::proto::pfs::{BranchInfo, CommitInfo, OriginKind};
use pachyderm::proto::pps::{JobInfo, JobState, PipelineInfo, PipelineState};

use crate::error::Result;
use crate::manifest::{OpenCommit, OpenJob, OpenWork};

/// A pipeline as it is at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pipeline {
    /// Its name.
    pub name: String,
    /// Counts updates.
    pub version: u64,
    /// Its state.
    pub state: i32,
    /// Whether it was stopped.
    pub stopped: bool,
    /// Whether its jobs end only when it is stopped: service and spout pipelines.
    pub endless: bool,
    /// Branch that its results go to.
    pub output_branch: String,
    /// Repos that it reads, itself not among them: pipelines of these names are upstream of it.
    pub upstream: Vec<String>,
}

impl Pipeline {
    fn of(info: &PipelineInfo) -> Self {
        let mut upstream = Vec::new();
        if let Some(input) = &info.input {
            collect_repos(input, &mut upstream);
        }
        Self {
            name: info.pipeline.as_ref().map(|pipeline| pipeline.name.clone()).unwrap_or_default(),
            version: info.version,
            state: info.state,
            stopped: info.stopped,
            endless: info.service.is_some() || info.spout.is_some(),
            output_branch: if info.output_branch.is_empty() { "master".to_owned() } else { info.output_branch.clone() },
            upstream,
        }
    }

    /// Whether nothing of it runs or will run: stopped and settled, or failed for good.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        (self.stopped && self.state == PipelineState::Paused as i32) || self.state == PipelineState::Failure as i32
    }

    /// Whether a snapshot has to stop it: it was not stopped before, and isn't failed for good.
    #[must_use]
    pub fn has_to_stop(&self) -> bool {
        !self.stopped && self.state != PipelineState::Failure as i32
    }

    /// Its state's name, as `pachctl` shows it.
    #[must_use]
    pub fn state_name(&self) -> String {
        pipeline_state_name(self.state)
    }
}

/// The name of a pipeline state as `pachctl` shows it; a newer server's state by its number.
#[must_use]
pub fn pipeline_state_name(state: i32) -> String {
    PipelineState::try_from(state).map_or_else(|_| format!("unknown({state})"), |known| known.name().to_owned())
}

fn job_state_name(state: i32) -> String {
    JobState::try_from(state).map_or_else(|_| format!("unknown({state})"), |known| known.name().to_owned())
}

fn collect_repos(input: &pachyderm::proto::pps::Input, repos: &mut Vec<String>) {
    if let Some(pfs) = &input.pfs {
        repos.push(pfs.repo.clone());
    }
    for list in [&input.cross, &input.union, &input.join, &input.group] {
        for inner in list {
            collect_repos(inner, repos);
        }
    }
}

/// Reads all pipelines, upstream first.
pub(crate) async fn pipelines(pachd: &Client) -> Result<Vec<Pipeline>> {
    let infos = pachd
        .list_pipeline(History::Current, Unreadable::Refuse)
        .await
        .map_err(|error| super::pachd_error("listing pipelines", error))?;
    Ok(upstream_first(infos.iter().map(Pipeline::of).collect()))
}

/// Sorts pipelines so that each stands behind those it reads from; ties by name.
fn upstream_first(mut pipelines: Vec<Pipeline>) -> Vec<Pipeline> {
    pipelines.sort_by(|a, b| a.name.cmp(&b.name));
    let mut sorted: Vec<Pipeline> = Vec::with_capacity(pipelines.len());
    while !pipelines.is_empty() {
        let is_free = |candidate: &Pipeline, rest: &[Pipeline]| {
            !rest.iter().any(|other| other.name != candidate.name && candidate.upstream.contains(&other.name))
        };
        let next = pipelines.iter().position(|candidate| is_free(candidate, &pipelines)).unwrap_or(0);
        sorted.push(pipelines.remove(next));
    }
    sorted
}

/// Unfinished work, by what becomes of it.
#[derive(Clone, Debug, Default)]
pub struct Work {
    /// Open work that waiting does not end; recorded.
    pub lasting: OpenWork,
    /// Open commits that end by themselves.
    pub draining_commits: Vec<OpenCommit>,
    /// Jobs that end by themselves.
    pub draining_jobs: Vec<OpenJob>,
    /// Datums that the jobs among them have dealt with: a long job moves although it does not end.
    pub datums_done: i64,
    /// Ids of open transactions.
    pub transactions: Vec<String>,
}

impl Work {
    /// Whether nothing is left that ends by itself.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.draining_commits.is_empty() && self.draining_jobs.is_empty()
    }

    /// How much is left that ends by itself: a measure of progress.
    #[must_use]
    pub fn draining(&self) -> usize {
        self.draining_commits.len() + self.draining_jobs.len()
    }
}

/// Reads what is unfinished. `pipelines` are as they were before the run, so that work of pipelines that were stopped
/// earlier is told apart from work that this run waits for.
pub(crate) async fn read(pachd: &Client, pipelines: &[Pipeline]) -> Result<Work> {
    let by_name: BTreeMap<&str, &Pipeline> =
        pipelines.iter().map(|pipeline| (pipeline.name.as_str(), pipeline)).collect();
    let ends = |repo: &str| by_name.get(repo).is_some_and(|pipeline| !pipeline.endless && pipeline.has_to_stop());
    let mut work = Work::default();

    let commits = pachd.all_commits().await.map_err(|error| super::pachd_error("listing commits", error))?;
    let mut open: Vec<CommitInfo> = commits
        .try_filter(|commit| futures::future::ready(commit.finished.is_none()))
        .try_collect()
        .await
        .map_err(|error| super::pachd_error("listing commits", error))?;
    open.sort_by_key(|commit| commit.commit.as_ref().map(|commit| commit.id.clone()));
    for commit in open {
        let record = open_commit(&commit);
        let by_user = commit.origin.is_none_or(|origin| origin.kind == OriginKind::User as i32);
        match (ends(&record.repo), by_name.contains_key(record.repo.as_str()), by_user) {
            (true, ..) => work.draining_commits.push(record),
            (false, false, true) if record.repo == "__spec__" => work.draining_commits.push(record),
            (false, false, true) => work.lasting.user_commits.push(record),
            _ => work.lasting.pipeline_commits.push(record),
        }
    }

    let jobs: Vec<JobInfo> = pachd
        .list_jobs_stream(History::All)
        .await
        .map_err(|error| super::pachd_error("listing jobs", error))?
        .try_filter(|job| futures::future::ready(!is_terminal(job.state)))
        .try_collect()
        .await
        .map_err(|error| super::pachd_error("listing jobs", error))?;
    for job in jobs {
        let pipeline = job.pipeline.map(|pipeline| pipeline.name).unwrap_or_default();
        let ends = ends(&pipeline);
        let datums = job.data_processed + job.data_skipped + job.data_failed + job.data_recovered;
        let record =
            OpenJob { id: job.job.map(|job| job.id).unwrap_or_default(), pipeline, state: job_state_name(job.state) };
        if ends {
            work.datums_done += datums;
            work.draining_jobs.push(record);
        } else {
            work.lasting.jobs.push(record);
        }
    }

    let transactions =
        pachd.list_transaction().await.map_err(|error| super::pachd_error("listing transactions", error))?;
    work.transactions = transactions.into_iter().filter_map(|info| info.transaction.map(|one| one.id)).collect();
    Ok(work)
}

fn is_terminal(state: i32) -> bool {
    [JobState::Failure, JobState::Success, JobState::Killed].iter().any(|terminal| *terminal as i32 == state)
}

fn open_commit(info: &CommitInfo) -> OpenCommit {
    let commit = info.commit.clone().unwrap_or_default();
    OpenCommit {
        repo: commit.repo.map(|repo| repo.name).unwrap_or_default(),
        id: commit.id,
        branch: info.branch.as_ref().map(|branch| branch.name.clone()),
    }
}

/// Reads every branch of every repo, the spec repo's too.
pub(crate) async fn branches(pachd: &Client) -> Result<Vec<BranchInfo>> {
    pachd.all_branches().await.map_err(|error| super::pachd_error("listing branches", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pipeline(name: &str, upstream: &[&str]) -> Pipeline {
        Pipeline {
            name: name.to_owned(),
            version: 1,
            state: PipelineState::Running as i32,
            stopped: false,
            endless: false,
            output_branch: "master".to_owned(),
            upstream: upstream.iter().map(|one| (*one).to_owned()).collect(),
        }
    }

    #[test]
    fn upstream_comes_first() {
        let sorted = upstream_first(vec![
            pipeline("a", &["c", "in"]),
            pipeline("b", &[]),
            pipeline("c", &["d"]),
            pipeline("d", &[]),
        ]);
        let names: Vec<&str> = sorted.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["b", "d", "c", "a"]);
    }

    #[test]
    fn a_failed_pipeline_is_at_rest_and_left_alone() {
        let failed = Pipeline { state: PipelineState::Failure as i32, ..pipeline("x", &[]) };
        assert!(failed.is_at_rest() && !failed.has_to_stop());
        assert_eq!(pipeline_state_name(99), "unknown(99)");
    }
}
