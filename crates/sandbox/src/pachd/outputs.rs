//! Output commits: which ones a moved branch makes downstream, and what the workers of a pipeline do with theirs.
//!
//! Shapes are those of the commits and jobs that a real 1.13.4 made when pipelines were started again.

use std::collections::{BTreeMap, BTreeSet};

use pachyderm::proto::pfs::{
    Branch, BranchInfo, Commit, CommitInfo, CommitOrigin, CommitProvenance, CommitRange, OriginKind,
};
use pachyderm::proto::pps::{EtcdJobInfo, Job, JobState, Pipeline, PipelineInfo, ProcessStats};
use prost::Message;

use super::etcd::mvcc::Transaction;
use super::records::{BRANCHES, COMMITS, JOBS, OPEN_COMMITS, commit_name, read, repo_name, write};
use super::specification::{new_id, now};
use super::state::{SPEC_REPO, State};

/// Makes a new output commit on a branch and on each that depends on it, where its own head was not made from the present heads
/// of what it depends on. Answers with the repos that got one.
pub(super) fn propagate(state: &State, repo: &str, branch: &str) -> BTreeSet<String> {
    let mut branches: BTreeMap<String, BranchInfo> =
        state.branches().into_iter().map(|record| (record.name, record.value)).collect();
    let moved = format!("{repo}/{branch}");
    let Some(info) = branches.get(&moved) else { return BTreeSet::new() };
    let downstream = info.subvenance.iter().map(|on| format!("{}/{}", repo_name(on.repo.as_ref()), on.name));
    let mut names: Vec<String> = std::iter::once(moved.clone()).chain(downstream).collect();
    // Upstream first: a branch depends on more branches than any that it depends on.
    names.sort_by_key(|name| branches.get(name).map_or(0, |info| info.provenance.len()));
    state.store.write(|transaction| {
        let mut repos = BTreeSet::new();
        for name in names {
            let Some(provenance) = branches.get(&name).and_then(|info| heads(transaction, info, &branches)) else {
                continue;
            };
            let Some(info) = branches.get_mut(&name) else { continue };
            let old: Option<CommitInfo> =
                info.head.as_ref().and_then(|head| read(transaction, COMMITS, &commit_name(head)));
            if old.as_ref().is_some_and(|old| as_set(&old.provenance).is_superset(&as_set(&provenance))) {
                continue;
            }
            repos.insert(open(transaction, &name, info, old, provenance));
        }
        repos
    })
}

/// What a new commit of a branch would depend on: the heads of the branches that the branch depends on, and what those were
/// made from. `None` if that is nothing but specifications.
fn heads(
    transaction: &Transaction<'_>,
    info: &BranchInfo,
    branches: &BTreeMap<String, BranchInfo>,
) -> Option<Vec<CommitProvenance>> {
    let mut all: BTreeMap<(String, String), CommitProvenance> = BTreeMap::new();
    let key = |branch: &Branch| (repo_name(branch.repo.as_ref()).to_owned(), branch.name.clone());
    let mut inherited = Vec::new();
    for on in &info.provenance {
        let (repo, name) = key(on);
        let Some(head) = branches.get(&format!("{repo}/{name}")).and_then(|info| info.head.clone()) else { continue };
        let commit: Option<CommitInfo> = read(transaction, COMMITS, &commit_name(&head));
        inherited.extend(commit.map(|info| info.provenance).unwrap_or_default());
        all.insert((repo, name), CommitProvenance { commit: Some(head), branch: Some(on.clone()) });
    }
    for one in inherited {
        if let Some(branch) = &one.branch {
            all.entry(key(branch)).or_insert(one);
        }
    }
    all.keys().any(|(repo, _)| repo != SPEC_REPO).then(|| all.into_values().collect())
}

fn as_set(provenance: &[CommitProvenance]) -> BTreeSet<(String, String)> {
    let pair = |one: &CommitProvenance| {
        (one.commit.as_ref().map(commit_name).unwrap_or_default(), one.branch.clone().unwrap_or_default().name)
    };
    provenance.iter().map(pair).collect()
}

/// A new, open commit at the head of a branch.
fn open(
    transaction: &mut Transaction<'_>,
    branch_name: &str,
    branch: &mut BranchInfo,
    parent: Option<CommitInfo>,
    provenance: Vec<CommitProvenance>,
) -> String {
    let repo = branch_name.split_once('/').map_or("", |(repo, _)| repo).to_owned();
    let commit = Commit::named(&repo, &new_id());
    let parent_commit = branch.head.replace(commit.clone());
    record_subvenance(transaction, &provenance, &commit, parent_commit.as_ref());
    if let (Some(mut parent), Some(name)) = (parent, parent_commit.as_ref().map(commit_name)) {
        parent.child_commits.push(commit.clone());
        write(transaction, COMMITS, &name, &parent);
    }
    let info = CommitInfo {
        commit: Some(commit.clone()),
        parent_commit,
        started: Some(now()),
        branch: branch.branch.clone(),
        provenance,
        origin: Some(CommitOrigin { kind: OriginKind::Auto as i32 }),
        ..CommitInfo::default()
    };
    write(transaction, COMMITS, &commit_name(&commit), &info);
    write(transaction, OPEN_COMMITS, &commit.id, &commit);
    write(transaction, BRANCHES, branch_name, branch);
    repo
}

/// Tells the commits that a new commit is made from about it. A range that ends with its parent is made longer, and then
/// pachd does not count it.
pub(super) fn record_subvenance(
    transaction: &mut Transaction<'_>,
    provenance: &[CommitProvenance],
    commit: &Commit,
    parent: Option<&Commit>,
) {
    for on in provenance.iter().filter_map(|one| one.commit.as_ref()) {
        let Some(mut info) = read::<CommitInfo>(transaction, COMMITS, &commit_name(on)) else { continue };
        let mut ranges = info.subvenance.iter_mut();
        match ranges.find(|range| parent.is_some() && range.upper.as_ref() == parent) {
            Some(range) => range.upper = Some(commit.clone()),
            None => {
                info.subvenance.push(CommitRange { lower: Some(commit.clone()), upper: Some(commit.clone()) });
                info.subvenant_commits_total += 1;
            }
        }
        write(transaction, COMMITS, &commit_name(on), &info);
    }
}

/// What the workers of a running pipeline have to do.
#[derive(Debug)]
pub(super) struct Work<'a> {
    /// The cluster.
    pub(super) state: &'a State,
    /// The pipeline.
    pub(super) pipeline: &'a str,
    /// Its specification.
    pub(super) specification: &'a PipelineInfo,
    /// The commit of its specification.
    pub(super) spec_commit: &'a str,
}

impl Work<'_> {
    /// Open commits of the output branch, oldest first, and whether they are of the present specification.
    fn open_outputs(&self) -> Vec<(CommitInfo, bool)> {
        let branch = super::pipelines::output_branch(self.specification);
        let mut open: Vec<_> = self
            .state
            .commits()
            .into_iter()
            .filter(|record| {
                let info = &record.value;
                let on = info.branch.as_ref();
                info.finished.is_none()
                    && info.origin.as_ref().is_some_and(|origin| origin.kind == OriginKind::Auto as i32)
                    && on.is_some_and(|on| on.name == branch && repo_name(on.repo.as_ref()) == self.pipeline)
            })
            .collect();
        open.sort_by_key(|record| record.created);
        let of_present = |info: &CommitInfo| {
            let mut commits = info.provenance.iter().filter_map(|one| one.commit.as_ref());
            commits.any(|commit| repo_name(commit.repo.as_ref()) == SPEC_REPO && commit.id == self.spec_commit)
        };
        open.into_iter()
            .map(|record| (of_present(&record.value), record.value))
            .map(|(own, info)| (info, own))
            .collect()
    }

    /// Makes a job for each open output commit of the present specification, and finishes, empty, older ones that an
    /// earlier specification left open. Tells whether a job is left to be done.
    pub(super) fn begin(&self) -> bool {
        let open = self.open_outputs();
        let newest = open.iter().rposition(|(_, own)| *own);
        let jobs = self.state.jobs();
        for (at, (info, own)) in open.iter().enumerate() {
            let Some(commit) = &info.commit else { continue };
            if !own {
                if newest.is_some_and(|newest| at < newest) {
                    self.give_up(commit, info);
                }
                continue;
            }
            if !jobs.iter().any(|job| job.value.output_commit.as_ref() == Some(commit)) {
                self.create_job(commit);
            }
        }
        newest.is_some() && self.specification.service.is_none() && self.specification.spout.is_none()
    }

    /// Finishes an output commit, empty, with its statistics; its job ends as killed.
    fn give_up(&self, output: &Commit, info: &CommitInfo) {
        let stats = self.stats_of(output).and_then(|stats| self.state.commit(self.pipeline, &stats.id));
        let job = self.state.jobs().into_iter().find(|job| job.value.output_commit.as_ref() == Some(output));
        self.state.store.write(|transaction| {
            if let Some(stats) = stats.filter(|stats| stats.finished.is_none()) {
                finish(transaction, stats, None);
            }
            finish(transaction, info.clone(), None);
            if let Some(job) = job {
                let killed = EtcdJobInfo { state: JobState::Killed as i32, finished: Some(now()), ..job.value };
                write(transaction, JOBS, &job.name, &killed);
            }
        });
    }

    fn create_job(&self, output: &Commit) {
        let stats_commit = self.specification.enable_stats.then(|| self.stats_of(output)).flatten();
        let job = EtcdJobInfo {
            job: Some(Job { id: new_id() }),
            pipeline: Some(Pipeline::named(self.pipeline)),
            output_commit: Some(output.clone()),
            stats: Some(ProcessStats::default()),
            stats_commit,
            state: JobState::Running as i32,
            started: Some(now()),
            ..EtcdJobInfo::default()
        };
        self.state.store.write(|transaction| write_job(transaction, &job));
    }

    /// The commit of a `stats` branch that depends on an output commit.
    fn stats_of(&self, output: &Commit) -> Option<Commit> {
        let info = self.state.commit(self.pipeline, &output.id)?;
        let mut made = info.subvenance.into_iter().filter_map(|range| range.upper);
        made.find(|commit| {
            let stats = self.state.commit(self.pipeline, &commit.id);
            stats.is_some_and(|info| info.branch.is_some_and(|branch| branch.name == "stats"))
        })
    }

    /// Ends jobs whose inputs are finished. Every datum is skipped, so an output commit ends with its parent's trees and the
    /// job with its predecessor's number of datums. Tells whether none is left.
    pub(super) fn end(&self) -> bool {
        let mut done = true;
        for (info, _) in self.open_outputs().into_iter().filter(|(_, own)| *own) {
            let inputs = info.provenance.iter().filter_map(|one| one.commit.as_ref());
            let is_open = |commit: &Commit| {
                let input = self.state.commit(repo_name(commit.repo.as_ref()), &commit.id);
                input.is_some_and(|input| input.finished.is_none())
            };
            if { inputs }.any(is_open) {
                done = false;
                continue;
            }
            let jobs = self.state.jobs();
            let job_of = |commit: Option<&Commit>| {
                jobs.iter().find(|job| job.value.output_commit.as_ref() == commit && commit.is_some())
            };
            let Some(job) = job_of(info.commit.as_ref()) else { continue };
            let predecessor =
                info.parent_commit.as_ref().and_then(|parent| self.state.commit(self.pipeline, &parent.id));
            let predecessor = predecessor.and_then(|info| self.last_with_content(info));
            let total = job_of(predecessor.as_ref().and_then(|info| info.commit.as_ref()))
                .map_or(0, |job| job.value.data_total);
            let job = EtcdJobInfo {
                state: JobState::Success as i32,
                finished: Some(now()),
                data_total: total,
                data_skipped: total,
                ..job.value.clone()
            };
            let stats = job.stats_commit.as_ref().and_then(|commit| self.state.commit(self.pipeline, &commit.id));
            self.state.store.write(|transaction| {
                if let Some(stats) = stats.filter(|stats| stats.finished.is_none()) {
                    let parent = stats.parent_commit.as_ref();
                    let parent = parent.and_then(|parent| read(transaction, COMMITS, &commit_name(parent)));
                    finish(transaction, stats, parent.as_ref());
                }
                finish(transaction, info, predecessor.as_ref());
                let id = job.job.as_ref().map(|job| job.id.clone()).unwrap_or_default();
                write(transaction, JOBS, &id, &job);
            });
        }
        done
    }

    /// The newest of a commit and its ancestors that is not one that was left open and finished empty.
    fn last_with_content(&self, info: CommitInfo) -> Option<CommitInfo> {
        let parent = |info: &CommitInfo| {
            let parent = info.parent_commit.as_ref()?;
            self.state.commit(self.pipeline, &parent.id)
        };
        std::iter::successors(Some(info), parent).find(|info| !info.trees.is_empty() || info.tree.is_some())
    }
}

/// Finishes a commit with the content of another one, or empty, and counts that in what it depends on.
fn finish(transaction: &mut Transaction<'_>, mut info: CommitInfo, content: Option<&CommitInfo>) {
    let Some(commit) = info.commit.clone() else { return };
    info.finished = Some(now());
    if let Some(content) = content {
        info.tree.clone_from(&content.tree);
        info.trees.clone_from(&content.trees);
        info.datums.clone_from(&content.datums);
        info.size_bytes = content.size_bytes;
    }
    for on in info.provenance.iter().filter_map(|one| one.commit.as_ref()) {
        if let Some(mut upstream) = read::<CommitInfo>(transaction, COMMITS, &commit_name(on)) {
            let counter = match content {
                Some(_) => &mut upstream.subvenant_commits_success,
                None => &mut upstream.subvenant_commits_failure,
            };
            *counter += 1;
            write(transaction, COMMITS, &commit_name(on), &upstream);
        }
    }
    write(transaction, COMMITS, &commit_name(&commit), &info);
    transaction.delete(&State::key(OPEN_COMMITS, &commit.id));
}

/// Writes a job with its two index entries.
pub(super) fn write_job(transaction: &mut Transaction<'_>, job: &EtcdJobInfo) {
    let id = job.job.as_ref().map(|job| job.id.clone()).unwrap_or_default();
    write(transaction, JOBS, &id, job);
    let pipeline = job.pipeline.clone().unwrap_or_default().encode_to_vec();
    let output = job.output_commit.clone().unwrap_or_default().encode_to_vec();
    for (index, value) in [("Pipeline", pipeline), ("OutputCommit", output)] {
        let start = State::key(&format!("{JOBS}__index_{index}"), "");
        let key = [&start[..], &value, b"/", id.as_bytes()].concat();
        transaction.put(key, id.clone().into_bytes());
    }
}
