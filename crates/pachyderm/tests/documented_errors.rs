//! Every failure that Pachyderm 1.x is known to answer is recognised, whichever words surround it.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::sync::Arc;

use pachyderm::{
    error::{Cause, Condition, Error},
    proto::method,
};
use tonic::{Code, Status};

fn error(status: Status) -> Error {
    Error::new("/x/Y", "", Cause::Status(status))
}

/// Holds each text, bare and wrapped as handlers wrap errors of each other, against what it must be recognised as.
fn assert_recognised(rows: &[(Code, &str, Condition)]) {
    for (code, text, condition) in rows {
        let wrapped = format!("rpc error: code = Unknown desc = {text}");
        for text in [*text, &wrapped] {
            let error = error(Status::new(*code, text));
            assert_eq!(error.condition(), *condition, "{code:?}: {text}");
            assert_eq!(error.retry_helps(), condition.is_transient(), "{text}");
        }
    }
}

#[test]
fn auth_and_licence() {
    assert_recognised(&[
        (Code::Unimplemented, "the auth service is not activated", Condition::AuthNotActivated),
        (Code::Unavailable, "the auth service is only partially activated", Condition::AuthPartiallyActivated),
        (Code::Unauthenticated, "no authentication token (try logging in)", Condition::TokenMissing),
        (Code::Internal, "no authentication metadata (try logging in)", Condition::TokenMissing),
        (
            Code::Unauthenticated,
            "provided auth token is corrupted or has expired (try logging in again)",
            Condition::TokenInvalid,
        ),
        (Code::Internal, "token expiration is in the past", Condition::RestoredTokenExpired),
        (Code::Unknown, "cannot overwrite existing token with same hash", Condition::RestoredTokenExists),
        (
            Code::Unknown,
            "error restoring auth token: error saving token to etcd: cannot overwrite existing token with same hash",
            Condition::RestoredTokenExists,
        ),
        (Code::Internal, "token has expired or is already revoked", Condition::TokenInvalid),
        (
            Code::Unknown,
            "github:x is not authorized to perform this operation; must be an admin to call Extract",
            Condition::NotAdmin,
        ),
        (
            Code::Unknown,
            "github:x is not authorized to perform this operation; must be an admin to call Restore",
            Condition::NotAdmin,
        ),
        (
            Code::Unknown,
            "robot:x is not authorized to perform this operation on the repo X, must have at least READER access",
            Condition::AccessDenied,
        ),
        (Code::Unknown, "already activated", Condition::AuthAlreadyActivated),
        (Code::Unknown, "error activating authentication: auth is already activated", Condition::AuthAlreadyActivated),
        (Code::Unknown, "Pachyderm Enterprise is not active in this cluster", Condition::EnterpriseInactive),
    ]);
}

#[test]
fn services_and_requests() {
    assert_recognised(&[
        (Code::Unimplemented, "unknown service pfs.ObjectAPI", Condition::UnknownService),
        (Code::Unimplemented, "unknown method NoSuchMethod for service pfs.API", Condition::UnknownMethod),
        (Code::Unknown, "repo cannot be nil", Condition::RepoMissing),
        (
            Code::Unknown,
            "name (X) invalid: only alphanumeric characters, underscores, and dashes are allowed",
            Condition::InvalidName,
        ),
        (Code::Unknown, "error parsing url local//x: no scheme", Condition::InvalidUrl),
        (Code::Unknown, "URL must be <svc>://<bucket>/<object> (no object in s3://x)", Condition::InvalidUrl),
    ]);
}

#[test]
fn what_exists_and_what_does_not() {
    assert_recognised(&[
        (Code::Unknown, "repo X already exists", Condition::AlreadyExists),
        (Code::Unknown, "/pachyderm_pfs/repos/ X not found", Condition::RepoNotFound),
        (Code::Unknown, "/pachyderm_pfs/branches/R/ B not found", Condition::BranchNotFound),
        (Code::Unknown, "/pachyderm_pps/jobs/ ID not found", Condition::JobNotFound),
        (Code::Unknown, "objectInfoGetter: object H not found", Condition::ObjectNotFound),
        (Code::Unknown, "commit X not found in repo Y", Condition::CommitNotFound),
        (Code::Unknown, "commit R/C was deleted", Condition::CommitNotFound),
        (Code::Unknown, "parent commit X not found in repo Y", Condition::ParentNotFound),
        (Code::Unknown, "parent commit not found", Condition::ParentNotFound),
        (Code::Unknown, "pipeline \"x\" not found", Condition::PipelineNotFound),
        (Code::Unknown, "something else not found", Condition::NotFound),
    ]);
}

#[test]
fn commits_branches_and_jobs() {
    assert_recognised(&[
        (Code::Unknown, "commit X in repo Y has already finished", Condition::AlreadyFinished),
        (Code::Unknown, "parent commit R@C has not been finished", Condition::ParentOpen),
        (Code::Unknown, "the branch \"b\" has no head (create one with 'start commit')", Condition::BranchEmpty),
        (Code::Unknown, "cannot start a commit on an output branch", Condition::OutputBranch),
        (
            Code::Unknown,
            "the commit provenance contains multiple commits from the same branch",
            Condition::ProvenanceConflict,
        ),
        (
            Code::Unknown,
            "the commit provenance contains a branch which the branch is not provenant on",
            Condition::ProvenanceConflict,
        ),
        (
            Code::Unknown,
            "could not retrieve pipeline spec file from PFS for pipeline 'x', there may be a problem reaching object storage",
            Condition::SpecFileUnreadable,
        ),
        (
            Code::Unknown,
            "could not retrieve pipeline spec file from PFS for pipeline 'x', there may be a problem reaching object storage: object not found",
            Condition::SpecFileUnreadable,
        ),
        (Code::Unknown, "couldn't find spec commit for job", Condition::SpecCommitMissing),
        (
            Code::Unknown,
            "all pipelines must be stopped to run garbage collection, pipeline: X is not",
            Condition::PipelinesNotStopped,
        ),
        (Code::Unknown, "pipeline X is paused, but still has running workers", Condition::PipelinesNotStopped),
    ]);
}

#[test]
fn streams_that_are_restored() {
    assert_recognised(&[
        (
            Code::Unknown,
            "cannot mix different versions of pachd operation within a metadata dumps (found both A and B)",
            Condition::MixedVersions,
        ),
        (Code::Unknown, "unrecognized stream version: undefined", Condition::UnknownOpVersion),
        (Code::Unknown, "expected a block, but got:", Condition::BlockRunInterrupted),
        (
            Code::Unknown,
            "error putting block: CopyBuffer: expected a block, but got: x",
            Condition::BlockRunInterrupted,
        ),
    ]);
}

/// What a failed operation of a restore begins with, in all the words that pachd has for it.
const RESTORE_OPS: &[&str] = &[
    "error putting block",
    "error putting object",
    "error creating object",
    "error tagging object",
    "error creating repo",
    "error creating commit",
    "error creating branch",
    "error creating pipeline",
    "error creating job",
    "error setting ACL for repo",
    "error setting cluster role bindings",
    "error setting authorization config",
    "error activating authentication",
    "error restoring auth token",
    "error activating enterprise license",
    "failed to get auth token from incoming context",
];

#[test]
fn operations_of_a_restore_fail_with_the_reason_behind_them() {
    for prefix in RESTORE_OPS {
        for (reason, condition) in [
            ("something nobody knows", Condition::RestoreOpFailed),
            ("parent commit R@C has not been finished", Condition::ParentOpen),
            ("commit X not found in repo Y", Condition::CommitNotFound),
            ("no authentication token (try logging in)", Condition::TokenMissing),
            ("dial tcp 10.0.0.1:2379: connect: connection refused", Condition::Unavailable),
        ] {
            let status = Status::new(Code::Unknown, format!("{prefix}: {reason}"));
            let error = Error::new(method::RESTORE, "", Cause::Status(status));
            assert_eq!((error.condition(), error.retry_helps()), (condition, false), "{error}");
        }
    }
    // Only in front: a name may hold anything.
    assert_eq!(error(Status::unknown("odd: error creating repo")).condition(), Condition::Other);
}

#[test]
fn messages_that_are_too_large_are_told_by_code_or_text() {
    assert_recognised(&[
        (
            Code::ResourceExhausted,
            "grpc: received message larger than max (30000000 vs. 20971520)",
            Condition::MessageTooLarge,
        ),
        (
            Code::Unknown,
            "grpc: trying to send message larger than max (30000000 vs. 20971520)",
            Condition::MessageTooLarge,
        ),
        (
            Code::OutOfRange,
            "Error, decoded message length too large: found 30000000 bytes, the limit is: 22020096 bytes",
            Condition::MessageTooLarge,
        ),
        (Code::ResourceExhausted, "grpc: in other words", Condition::MessageTooLarge),
        (Code::ResourceExhausted, "etcdserver: mvcc: database space exceeded", Condition::EtcdNoSpace),
        (Code::ResourceExhausted, "etcdserver: too many requests", Condition::EtcdUnavailable),
    ]);
    let error = Error::new("/x/Y", "", Cause::TooLarge { bytes: 2, limit: 1 });
    assert_eq!((error.condition(), error.retry_helps()), (Condition::MessageTooLarge, false));
}

#[test]
fn connections_that_break_may_come_back() {
    assert_recognised(&[
        (
            Code::Unknown,
            "Get \"https://10.96.0.1:443/api/v1/namespaces/default/pods\": dial tcp 10.96.0.1:443: connect: connection refused",
            Condition::KubernetesUnreachable,
        ),
        (Code::Unavailable, "all SubConns are in TransientFailure", Condition::Unavailable),
        (Code::OutOfRange, "etcdserver: mvcc: required revision has been compacted", Condition::Compacted),
        (Code::Unknown, "something new", Condition::Other),
        (Code::Cancelled, "context canceled", Condition::Cancelled),
    ]);
    // With a source the status was made here, of a connection that broke: nobody cancelled, and nothing was too large.
    for code in [Code::Unknown, Code::Internal, Code::Cancelled, Code::ResourceExhausted, Code::Unavailable] {
        let mut status = Status::new(code, "transport error");
        status.set_source(Arc::new(std::io::Error::other("reset")));
        assert_eq!(error(status).condition(), Condition::Unavailable, "{code:?}");
    }
}
