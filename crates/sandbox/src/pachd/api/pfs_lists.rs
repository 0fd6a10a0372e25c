//! The listings of `pfs.API`: newest first, by the create revision of their keys.

use std::cmp::Reverse;

use pachyderm::proto::pfs::{BranchInfos, Commit, CommitInfo, ListBranchRequest, ListCommitRequest, ListRepoResponse};
use tonic::Status;

use super::{PachdService, errors};
use crate::pachd::grpc::plain;
use crate::pachd::state::{Record, SPEC_REPO};

/// Puts records in the order of most listings.
pub(super) fn newest_first<M>(mut records: Vec<Record<M>>) -> Vec<Record<M>> {
    records.sort_by_key(|record| Reverse(record.created));
    records
}

impl PachdService {
    pub(super) fn list_repos(&self) -> ListRepoResponse {
        let repos = newest_first(self.state.repos()).into_iter().filter(|repo| repo.name != SPEC_REPO);
        ListRepoResponse { repo_info: repos.map(|repo| repo.value).collect() }
    }

    pub(super) fn list_branches(&self, request: &ListBranchRequest) -> Result<BranchInfos, Status> {
        let repo = &request.repo.as_ref().ok_or_else(errors::nil_repo)?.name;
        if !repo.is_empty() {
            self.repo(repo)?;
        }
        let mut branches = newest_first(self.state.branches());
        branches.retain(|branch| repo.is_empty() || branch.name.split('/').next() == Some(repo));
        if request.reverse {
            branches.reverse();
        }
        Ok(BranchInfos { branch_info: branches.into_iter().map(|branch| branch.value).collect() })
    }

    pub(super) fn list_commits(&self, request: &ListCommitRequest) -> Result<Vec<CommitInfo>, Status> {
        let repo = &request.repo.as_ref().ok_or_else(errors::nil_repo)?.name;
        if !repo.is_empty() {
            self.repo(repo)?;
        }
        let mut commits = match (&request.from, &request.to) {
            (Some(_), None) => return Err(plain("cannot use 'from' commit without 'to' commit")),
            (from, Some(to)) => self.ancestors(from.as_ref(), to)?,
            (None, None) => {
                let commits = newest_first(self.state.commits()).into_iter();
                let here = commits.filter(|commit| repo.is_empty() || commit.name.split('/').next() == Some(repo));
                here.map(|commit| commit.value).collect()
            }
        };
        if request.reverse {
            commits.reverse();
        }
        if request.number > 0 {
            commits.truncate(usize::try_from(request.number).unwrap_or(usize::MAX));
        }
        Ok(commits)
    }

    /// `to` and its ancestors down to `from`, which is left out.
    fn ancestors(&self, from: Option<&Commit>, to: &Commit) -> Result<Vec<CommitInfo>, Status> {
        let from = from.map(|from| self.resolve(from)).transpose()?.and_then(|info| info.commit);
        let mut next = Some(self.resolve(to)?);
        let mut commits = Vec::new();
        while let Some(info) = next.filter(|info| from.is_none() || info.commit != from) {
            next = info.parent_commit.as_ref().map(|parent| self.resolve(parent)).transpose()?;
            commits.push(info);
        }
        Ok(commits)
    }
}
