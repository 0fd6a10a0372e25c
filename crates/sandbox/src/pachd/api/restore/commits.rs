//! Commits of a restore: made finished, with their content.

use pachyderm::proto::pfs::{Branch, BranchInfo, BuildCommitRequest, Commit, CommitInfo, RepoInfo};
use tonic::Status;

use super::super::{PachdService, errors, now};
use super::is_commit_id;
use crate::pachd::grpc::plain;
use crate::pachd::outputs::record_subvenance;
use crate::pachd::records::{BRANCHES, COMMITS, REPOS, commit_name, read, write};

/// A commit is not there. Whether its name could have been a branch's decides the text.
pub(super) fn commit_not_found(repo: &str, id: &str) -> Status {
    if is_commit_id(id) {
        plain(format!("commit {id} not found in repo {repo}"))
    } else {
        errors::branch_not_found(repo, id)
    }
}

impl PachdService {
    /// BuildCommit. A commit without a time at which it finished gets the present.
    pub(super) fn build_commit(&self, request: BuildCommitRequest) -> Result<(), Status> {
        let parent = request.parent.ok_or_else(|| plain("parent cannot be nil"))?;
        let repo = parent.repo.clone().ok_or_else(errors::nil_repo)?;
        let commit = Commit { repo: Some(repo.clone()), id: request.id };
        let parent = (!parent.id.is_empty()).then_some(parent);
        self.state.store.write(|transaction| {
            let _: RepoInfo = read(transaction, REPOS, &repo.name).ok_or_else(|| errors::repo_not_found(&repo.name))?;
            if read::<CommitInfo>(transaction, COMMITS, &commit_name(&commit)).is_some() {
                return Err(plain(format!("commit {} in repo {} already exists", commit.id, repo.name)));
            }
            if let Some(parent) = &parent {
                let name = commit_name(parent);
                let mut info: CommitInfo = read(transaction, COMMITS, &name).ok_or_else(|| {
                    let missing = commit_not_found(&repo.name, &parent.id);
                    plain(format!("parent commit not found: {}", missing.message()))
                })?;
                if info.finished.is_none() {
                    return Err(plain(format!("parent commit {}@{} has not been finished", repo.name, parent.id)));
                }
                info.child_commits.push(commit.clone());
                write(transaction, COMMITS, &name, &info);
            }
            for on in request.provenance.iter().filter_map(|one| one.commit.as_ref()) {
                if read::<CommitInfo>(transaction, COMMITS, &commit_name(on)).is_none() {
                    let repo = on.repo.as_ref().map_or("", |repo| repo.name.as_str());
                    return Err(commit_not_found(repo, &on.id));
                }
            }
            record_subvenance(transaction, &request.provenance, &commit, parent.as_ref());
            let branch = Branch { repo: Some(repo.clone()), name: request.branch.clone() };
            let named = !branch.name.is_empty();
            let info = CommitInfo {
                commit: Some(commit.clone()),
                parent_commit: parent,
                started: request.started.or_else(|| Some(now())),
                finished: request.finished.or_else(|| Some(now())),
                size_bytes: request.size_bytes,
                tree: request.tree,
                trees: request.trees,
                datums: request.datums,
                branch: named.then(|| branch.clone()),
                provenance: request.provenance,
                origin: request.origin,
                ..CommitInfo::default()
            };
            write(transaction, COMMITS, &commit_name(&commit), &info);
            if named {
                let name = format!("{}/{}", repo.name, branch.name);
                let mut record: BranchInfo = read(transaction, BRANCHES, &name).unwrap_or_default();
                record.name.clone_from(&branch.name);
                record.branch = Some(branch);
                record.head = Some(commit.clone());
                write(transaction, BRANCHES, &name, &record);
            }
            Ok(())
        })
    }
}
