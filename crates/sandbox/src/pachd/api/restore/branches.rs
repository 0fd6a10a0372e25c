//! Branches of a restore.

use std::collections::BTreeMap;

use pachyderm::proto::pfs::{Branch, BranchInfo, Commit, CommitInfo, CreateBranchRequest, RepoInfo};
use tonic::Status;

use super::super::pfs_write::check_name;
use super::super::{PachdService, errors};
use super::commits::commit_not_found;
use crate::pachd::etcd::mvcc::Transaction;
use crate::pachd::grpc::plain;
use crate::pachd::records::{BRANCHES, COMMITS, REPOS, commit_name, read, repo_name, write};
use crate::pachd::{outputs, provenance};

fn branch_name(branch: &Branch) -> String {
    format!("{}/{}", repo_name(branch.repo.as_ref()), branch.name)
}

/// A branch's record and its mention in its repo, made if they are missing.
fn existing_or_new(transaction: &mut Transaction<'_>, branch: &Branch) -> Result<BranchInfo, Status> {
    let repo = repo_name(branch.repo.as_ref());
    let mut repo_info: RepoInfo = read(transaction, REPOS, repo).ok_or_else(|| errors::repo_not_found(repo))?;
    if !repo_info.branches.contains(branch) {
        repo_info.branches.push(branch.clone());
        write(transaction, REPOS, repo, &repo_info);
    }
    let name = branch_name(branch);
    Ok(read(transaction, BRANCHES, &name).unwrap_or_else(|| {
        let info = BranchInfo { name: branch.name.clone(), branch: Some(branch.clone()), ..BranchInfo::default() };
        write(transaction, BRANCHES, &name, &info);
        info
    }))
}

/// A commit may only become the head of a branch if what it was made from heads the branches that the branch is to depend on.
fn check_head(
    transaction: &Transaction<'_>,
    branch: &Branch,
    head: &CommitInfo,
    direct: &[Branch],
) -> Result<(), Status> {
    for on in direct {
        let made_from = head.provenance.iter().filter(|one| one.branch.as_ref() == Some(on));
        let present: Option<BranchInfo> = read(transaction, BRANCHES, &branch_name(on));
        let Some(present) = present.and_then(|info| info.head) else { continue };
        if let Some(commit) = made_from.filter_map(|one| one.commit.as_ref()).find(|commit| **commit != present) {
            return Err(plain(format!(
                "cannot create branch \"{}\" with commit \"{}\" as head because commit has \"{}\" as provenance but that \
                 commit is not the head of branch \"{}\"",
                branch.name,
                head.commit.as_ref().map_or("", |commit| commit.id.as_str()),
                commit_name(commit),
                branch_name(on)
            )));
        }
    }
    Ok(())
}

impl PachdService {
    /// CreateBranch: makes or moves a branch. Branches that it depends on are made if they are missing; their names are not
    /// checked.
    pub(super) fn create_branch(&self, request: CreateBranchRequest) -> Result<(), Status> {
        let branch = request.branch.ok_or_else(|| plain("branch cannot be nil"))?;
        check_name(&branch.name)?;
        let head = request.head.filter(|head| !head.id.is_empty());
        self.declare_branch(&branch, head.as_ref(), request.provenance)
    }

    /// A branch with what it depends on directly, and with another head if one is given.
    pub(super) fn declare_branch(
        &self,
        branch: &Branch,
        head: Option<&Commit>,
        direct: Vec<Branch>,
    ) -> Result<(), Status> {
        let repo = repo_name(branch.repo.as_ref()).to_owned();
        self.state.store.write(|transaction| {
            let mut info = existing_or_new(transaction, branch)?;
            for on in &direct {
                existing_or_new(transaction, on)?;
            }
            if let Some(head) = head {
                let commit: CommitInfo =
                    read(transaction, COMMITS, &commit_name(head)).ok_or_else(|| commit_not_found(&repo, &head.id))?;
                check_head(transaction, branch, &commit, &direct)?;
                info.head = Some(head.clone());
                write(transaction, BRANCHES, &branch_name(branch), &info);
                if let ("master", Some(mut repo_info)) =
                    (branch.name.as_str(), read::<RepoInfo>(transaction, REPOS, &repo))
                {
                    repo_info.size_bytes = commit.size_bytes;
                    write(transaction, REPOS, &repo, &repo_info);
                }
            }
            Ok::<(), Status>(())
        })?;
        provenance::set(&self.state, &repo, &branch.name, direct, &BTreeMap::new());
        outputs::propagate(&self.state, &repo, &branch.name);
        Ok(())
    }
}
