//! Service `pfs.API`: which method answers what, and the names of commits.

use pachyderm::proto::pfs::{
    Branch, BranchInfo, Commit, CommitInfo, CommitState, FinishCommitRequest, FsckRequest, FsckResponse,
    InspectBranchRequest, InspectCommitRequest, InspectRepoRequest, ListBranchRequest, ListCommitRequest,
    ListRepoRequest, RepoInfo,
};
use tonic::Status;

use super::{PachdService, errors, pfs_write};
use crate::pachd::grpc::{Answer, Call, many, one, plain, unknown_method};

impl PachdService {
    pub(super) async fn pfs(&self, call: &mut Call) -> Result<Answer, Status> {
        match call.method.as_str() {
            "ListRepo" => {
                let _: ListRepoRequest = call.message().await?;
                one(&self.list_repos())
            }
            "InspectRepo" => {
                let request: InspectRepoRequest = call.message().await?;
                one(&self.repo(&request.repo.ok_or_else(errors::nil_repo)?.name)?)
            }
            "ListBranch" => {
                let request: ListBranchRequest = call.message().await?;
                one(&self.list_branches(&request)?)
            }
            "InspectBranch" => {
                let request: InspectBranchRequest = call.message().await?;
                let branch = request.branch.ok_or_else(|| plain("branch cannot be nil"))?;
                let repo = branch.repo.clone().ok_or_else(errors::nil_repo)?.name;
                one(&self.branch(&repo, &branch.name)?)
            }
            "ListCommit" => {
                let request: ListCommitRequest = call.message().await?;
                let commit_info = self.list_commits(&request)?;
                one(&pachyderm::proto::pfs::CommitInfos { commit_info })
            }
            "ListCommitStream" => {
                let request: ListCommitRequest = call.message().await?;
                Ok(many(self.list_commits(&request)?))
            }
            "InspectCommit" => {
                let request: InspectCommitRequest = call.message().await?;
                one(&self.inspect_commit(request).await?)
            }
            "CreateRepo" => pfs_write::create_repo(&self.state, call.message().await?),
            "StartCommit" => pfs_write::start_commit(&self.state, call.message().await?),
            "FinishCommit" => {
                let request: FinishCommitRequest = call.message().await?;
                let commit = self.resolve(request.commit.as_ref().ok_or_else(errors::nil_commit)?)?;
                pfs_write::finish_commit(&self.state, request, commit)
            }
            "Fsck" => {
                let _: FsckRequest = call.message().await?;
                Ok(many(self.fsck()))
            }
            _ => Err(unknown_method(&call.service, &call.method)),
        }
    }

    /// The record of a repo.
    pub(super) fn repo(&self, name: &str) -> Result<RepoInfo, Status> {
        self.state.record("pachyderm_pfs/repos", name).ok_or_else(|| errors::repo_not_found(name))
    }

    fn branch(&self, repo: &str, name: &str) -> Result<BranchInfo, Status> {
        self.state.branch(repo, name).ok_or_else(|| errors::branch_not_found(repo, name))
    }

    /// The commit that a request names by its id, by a branch, or by either with `^` and a number of generations.
    pub(super) fn resolve(&self, commit: &Commit) -> Result<CommitInfo, Status> {
        let repo = commit.repo.as_ref().ok_or_else(errors::nil_repo)?.name.as_str();
        let (name, ancestors) = commit.id.split_at(commit.id.find(['^', '~']).unwrap_or(commit.id.len()));
        let generations = match ancestors.get(1..).unwrap_or_default() {
            "" => ancestors.len(),
            digits if digits.bytes().all(|digit| digit == ancestors.as_bytes()[0]) => ancestors.len(),
            digits => digits.parse().map_err(|_| plain(format!("invalid ancestry syntax {:?}", commit.id)))?,
        };
        let mut info = match self.state.commit(repo, name) {
            Some(info) => info,
            None => {
                let head = self.branch(repo, name)?.head.ok_or_else(|| errors::no_head(name))?;
                self.commit_info(&head)?
            }
        };
        for _ in 0..generations {
            let parent = info.parent_commit.as_ref();
            let parent = parent.ok_or_else(|| plain(format!("commit {} not found in repo {repo}", commit.id)))?.clone();
            info = self.commit_info(&parent)?;
        }
        Ok(info)
    }

    fn commit_info(&self, commit: &Commit) -> Result<CommitInfo, Status> {
        let repo = commit.repo.as_ref().map_or("", |repo| repo.name.as_str());
        let info = self.state.commit(repo, &commit.id);
        info.ok_or_else(|| plain(format!("commit {} not found in repo {repo}", commit.id)))
    }

    /// One commit, after it reached the state asked for.
    async fn inspect_commit(&self, request: InspectCommitRequest) -> Result<CommitInfo, Status> {
        let commit = request.commit.ok_or_else(errors::nil_commit)?;
        let mut revisions = self.state.store.revisions();
        let mut info = self.resolve(&commit)?;
        let named = info.commit.clone().unwrap_or_default();
        loop {
            revisions.mark_unchanged();
            info =
                self.state.commit(named.repo.as_ref().map_or("", |repo| &repo.name), &named.id).ok_or_else(|| {
                    plain(format!(
                        "commit {}/{} was deleted",
                        named.repo.as_ref().map_or("", |repo| &repo.name),
                        named.id
                    ))
                })?;
            let reached = match CommitState::try_from(request.block_state) {
                Ok(CommitState::Finished) => info.finished.is_some(),
                Ok(CommitState::Ready) => info
                    .provenance
                    .iter()
                    .filter_map(|one| one.commit.as_ref())
                    .all(|commit| self.commit_info(commit).is_ok_and(|commit| commit.finished.is_some())),
                _ => true,
            };
            if reached {
                return Ok(info);
            }
            revisions.changed().await.map_err(|_| Status::unavailable("etcd is gone"))?;
        }
    }

    /// What is wrong with branches. Texts are the sandbox's own; pachd's are not known here.
    fn fsck(&self) -> Vec<FsckResponse> {
        let branches = self.state.branches();
        let full =
            |branch: &Branch| format!("{}/{}", branch.repo.as_ref().map_or("", |repo| repo.name.as_str()), branch.name);
        let find = |name: &str| branches.iter().find(|record| record.name == name).map(|record| &record.value);
        let mut errors = Vec::new();
        for record in &branches {
            let (name, branch) = (&record.name, &record.value);
            if branch.head.as_ref().is_some_and(|head| self.commit_info(head).is_err()) {
                errors.push(format!("head of branch {name} does not exist"));
            }
            for above in branch.provenance.iter().map(full) {
                if !find(&above).is_some_and(|above| above.subvenance.iter().any(|below| full(below) == *name)) {
                    errors.push(format!(
                        "branch {name} has {above} in its provenance, which does not have it in its subvenance"
                    ));
                }
            }
            for below in branch.subvenance.iter().map(full) {
                if !find(&below).is_some_and(|below| below.provenance.iter().any(|above| full(above) == *name)) {
                    errors.push(format!(
                        "branch {name} has {below} in its subvenance, which does not have it in its provenance"
                    ));
                }
            }
        }
        errors.into_iter().map(|error| FsckResponse { error, ..Default::default() }).collect()
    }
}
