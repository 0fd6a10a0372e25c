//! The texts of pachd's errors. Most are plain Go errors: code UNKNOWN, and only the text tells them apart.

use pachyderm::proto::pfs::Commit;
use tonic::Status;

use crate::pachd::grpc::plain;

/// A record of a collection does not exist.
pub fn record_not_found(collection: &str, name: &str) -> Status {
    plain(format!("/{collection}/ {name} not found"))
}

/// A repo does not exist.
pub fn repo_not_found(repo: &str) -> Status {
    record_not_found("pachyderm_pfs/repos", repo)
}

/// A branch does not exist. Also said of an unknown commit id, which may have been a branch name.
pub fn branch_not_found(repo: &str, branch: &str) -> Status {
    record_not_found(&format!("pachyderm_pfs/branches/{repo}"), branch)
}

/// A job does not exist.
pub fn job_not_found(id: &str) -> Status {
    record_not_found("pachyderm_pps/jobs", id)
}

/// A pipeline does not exist.
pub fn pipeline_not_found(name: &str) -> Status {
    plain(format!("pipeline \"{name}\" not found"))
}

/// The request names no repo.
pub fn nil_repo() -> Status {
    plain("repo cannot be nil")
}

/// The request names no commit.
pub fn nil_commit() -> Status {
    plain("commit cannot be nil")
}

/// The request names no pipeline.
pub fn nil_pipeline() -> Status {
    plain("request.Pipeline cannot be nil")
}

/// A repo or branch may not have this name.
pub fn invalid_name(name: &str) -> Status {
    plain(format!("name ({name}) invalid: only alphanumeric characters, underscores, and dashes are allowed"))
}

/// A pipeline's specification cannot be read from the bucket.
pub fn unreadable_specification(pipeline: &str) -> Status {
    plain(format!(
        "could not retrieve pipeline spec file from PFS for pipeline '{pipeline}', there may be a problem reaching \
         object storage, or the pipeline may need to be deleted and recreated"
    ))
}

/// A branch has no head.
pub fn no_head(branch: &str) -> Status {
    plain(format!("the branch \"{branch}\" has no head (create one with 'start commit')"))
}

/// A commit was finished before.
pub fn already_finished(commit: &Commit) -> Status {
    let repo = commit.repo.as_ref().map_or("", |repo| &repo.name);
    plain(format!("commit {} in repo {repo} has already finished", commit.id))
}

/// An object has no entry in the bucket.
pub fn object_not_found(hash: &str) -> Status {
    plain(format!("objectInfoGetter: object {hash} not found"))
}

/// A filter in the language of `jq` was asked for; the sandbox has none.
pub fn no_jq() -> Status {
    Status::unimplemented("the sandbox does not evaluate jqFilter")
}

/// Auth is off.
pub fn auth_not_activated() -> Status {
    Status::unimplemented("the auth service is not activated")
}

/// Auth is being switched on or off.
pub fn auth_partially_activated() -> Status {
    Status::unavailable("the auth service is only partially activated")
}

/// There is no licence.
pub fn no_enterprise() -> Status {
    plain(
        "Pachyderm Enterprise is not active in this cluster, and the Pachyderm auth API is an Enterprise-level feature",
    )
}
