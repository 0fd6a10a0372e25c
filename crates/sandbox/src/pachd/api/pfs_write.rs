//! The writes of `pfs.API`: enough for a user who works on while a backup runs.
//!
//! New commits do not make output commits downstream, and finished ones get their parent's tree if they bring none.

use pachyderm::proto::pfs::{
    Branch, BranchInfo, Commit, CommitInfo, CommitOrigin, CreateRepoRequest, FinishCommitRequest, OriginKind, Repo,
    RepoInfo, StartCommitRequest,
};
use tonic::Status;

use super::{errors, now};
use crate::pachd::etcd::mvcc::Transaction;
use crate::pachd::grpc::{Answer, one, plain};
use crate::pachd::records::{BRANCHES, COMMITS, OPEN_COMMITS, REPOS, read, write};
use crate::pachd::state::State;

pub(super) fn check_name(name: &str) -> Result<(), Status> {
    let valid = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-');
    if !name.is_empty() && name.chars().all(valid) { Ok(()) } else { Err(errors::invalid_name(name)) }
}

pub(super) fn create_repo(state: &State, request: CreateRepoRequest) -> Result<Answer, Status> {
    let repo = request.repo.ok_or_else(errors::nil_repo)?;
    check_name(&repo.name)?;
    state.store.write(|transaction| {
        let existing: Option<RepoInfo> = read(transaction, REPOS, &repo.name);
        let record = match (existing, request.update) {
            (Some(_), false) => return Err(plain(format!("repo {} already exists", repo.name))),
            (None, true) => return Err(errors::repo_not_found(&repo.name)),
            (Some(existing), true) => RepoInfo { description: request.description.clone(), ..existing },
            (None, false) => RepoInfo {
                repo: Some(repo.clone()),
                created: Some(now()),
                description: request.description.clone(),
                ..Default::default()
            },
        };
        write(transaction, REPOS, &repo.name, &record);
        Ok(())
    })?;
    one(&())
}

pub(super) fn start_commit(state: &State, request: StartCommitRequest) -> Result<Answer, Status> {
    let parent = request.parent.ok_or_else(|| plain("parent cannot be nil"))?;
    let repo = parent.repo.ok_or_else(errors::nil_repo)?;
    if !request.branch.is_empty() {
        check_name(&request.branch)?;
    }
    let id = uuid::Uuid::new_v4().simple().to_string();
    let commit = Commit { repo: Some(repo.clone()), id: id.clone() };
    state.store.write(|transaction| {
        let mut repo_info: RepoInfo =
            read(transaction, REPOS, &repo.name).ok_or_else(|| errors::repo_not_found(&repo.name))?;
        let branch_key = format!("{}/{}", repo.name, request.branch);
        let branch: Option<BranchInfo> =
            if request.branch.is_empty() { None } else { read(transaction, BRANCHES, &branch_key) };
        if branch.as_ref().is_some_and(|branch| !branch.provenance.is_empty()) {
            return Err(plain("cannot start a commit on an output branch"));
        }
        let parent = match (&parent.id, &branch) {
            (id, _) if !id.is_empty() => Some(parent_id(transaction, &repo, id)?),
            (_, Some(BranchInfo { head: Some(head), .. })) => Some(head.id.clone()),
            _ => None,
        };
        if let Some(parent) = &parent {
            let key = format!("{}/{parent}", repo.name);
            let mut info: CommitInfo = read(transaction, COMMITS, &key)
                .ok_or_else(|| plain(format!("parent commit {parent} not found in repo {}", repo.name)))?;
            if info.finished.is_none() {
                return Err(plain(format!("parent commit {}@{parent} has not been finished", repo.name)));
            }
            info.child_commits.push(commit.clone());
            write(transaction, COMMITS, &key, &info);
        }
        let named = Branch { repo: Some(repo.clone()), name: request.branch.clone() };
        let info = CommitInfo {
            commit: Some(commit.clone()),
            parent_commit: parent.map(|id| Commit { repo: Some(repo.clone()), id }),
            started: Some(now()),
            description: request.description.clone(),
            branch: (!request.branch.is_empty()).then(|| named.clone()),
            provenance: request.provenance.clone(),
            origin: Some(CommitOrigin { kind: OriginKind::User as i32 }),
            ..Default::default()
        };
        write(transaction, COMMITS, &format!("{}/{id}", repo.name), &info);
        write(transaction, OPEN_COMMITS, &id, &commit);
        if !request.branch.is_empty() {
            let mut branch = branch.unwrap_or_else(|| BranchInfo {
                name: request.branch.clone(),
                branch: Some(named.clone()),
                ..Default::default()
            });
            branch.head = Some(commit.clone());
            write(transaction, BRANCHES, &branch_key, &branch);
            if !repo_info.branches.contains(&named) {
                repo_info.branches.push(named);
                write(transaction, REPOS, &repo.name, &repo_info);
            }
        }
        Ok(())
    })?;
    one(&commit)
}

/// The id of a parent that may be named by its branch.
fn parent_id(transaction: &Transaction<'_>, repo: &Repo, name: &str) -> Result<String, Status> {
    let key = format!("{}/{name}", repo.name);
    if transaction.get(&State::key(COMMITS, &key)).is_some() {
        return Ok(name.to_owned());
    }
    let branch: BranchInfo =
        read(transaction, BRANCHES, &key).ok_or_else(|| errors::branch_not_found(&repo.name, name))?;
    branch.head.map(|head| head.id).ok_or_else(|| errors::no_head(name))
}

pub(super) fn finish_commit(state: &State, request: FinishCommitRequest, found: CommitInfo) -> Result<Answer, Status> {
    let commit = found.commit.ok_or_else(errors::nil_commit)?;
    let repo = commit.repo.as_ref().map_or("", |repo| repo.name.as_str());
    let key = format!("{repo}/{}", commit.id);
    state.store.write(|transaction| {
        let mut info: CommitInfo =
            read(transaction, COMMITS, &key).ok_or_else(|| errors::branch_not_found(repo, &commit.id))?;
        if info.finished.is_some() {
            return Err(errors::already_finished(&commit));
        }
        let parent: Option<CommitInfo> =
            info.parent_commit.as_ref().and_then(|parent| read(transaction, COMMITS, &format!("{repo}/{}", parent.id)));
        info.finished = Some(now());
        if !request.description.is_empty() {
            info.description.clone_from(&request.description);
        }
        if request.tree.is_some() || !request.trees.is_empty() {
            info.tree = request.tree.clone();
            info.trees.clone_from(&request.trees);
            info.datums = request.datums.clone();
            info.size_bytes = request.size_bytes;
        } else if let (false, Some(parent)) = (request.empty, parent) {
            info.tree = parent.tree;
            info.trees = parent.trees;
            info.datums = parent.datums;
            info.size_bytes = parent.size_bytes;
        }
        write(transaction, COMMITS, &key, &info);
        transaction.delete(&State::key(OPEN_COMMITS, &commit.id));
        let master: Option<BranchInfo> = read(transaction, BRANCHES, &format!("{repo}/master"));
        let heads_master = master.is_some_and(|master| master.head.as_ref() == Some(&commit));
        if let (true, Some(mut repo_info)) = (heads_master, read::<RepoInfo>(transaction, REPOS, repo)) {
            repo_info.size_bytes = info.size_bytes;
            write(transaction, REPOS, repo, &repo_info);
        }
        Ok(())
    })?;
    one(&())
}
