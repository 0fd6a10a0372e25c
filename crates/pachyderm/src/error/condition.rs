//! Situations recognised behind an error.
//!
//! pachd's handlers mostly answer with plain errors: the code is then `UNKNOWN` and only the text tells what happened, so
//! it is recognised by its parts, as Pachyderm's own clients do.

use tonic::Code;

use super::{Cause, certificate};

/// The situation behind an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Condition {
    /// Auth is off. pachd says so with the same code as for an unknown service.
    AuthNotActivated,
    /// Auth is half on: its activation was not finished.
    AuthPartiallyActivated,
    /// Auth is already on.
    AuthAlreadyActivated,
    /// The server does not have this service, for instance `pfs.ObjectAPI` on the external port.
    UnknownService,
    /// The server is too old or too new to have this method.
    UnknownMethod,
    /// The call carried no token.
    TokenMissing,
    /// The token is wrong or has expired.
    TokenInvalid,
    /// The caller is not an administrator of the cluster.
    NotAdmin,
    /// The caller has too little access to a repo, or to etcd.
    AccessDenied,
    /// There is no licence.
    EnterpriseInactive,
    /// The activation code of a licence is wrong.
    LicenceInvalid,
    /// A repo, a branch, a pipeline exists already.
    AlreadyExists,
    /// There is no such repo.
    RepoNotFound,
    /// There is no such branch. An unknown commit id is answered alike, since it may be a branch's name.
    BranchNotFound,
    /// There is no such commit, or it was deleted.
    CommitNotFound,
    /// The parent of a commit does not exist.
    ParentNotFound,
    /// There is no such pipeline.
    PipelineNotFound,
    /// There is no such job.
    JobNotFound,
    /// There is no such file.
    FileNotFound,
    /// There is no such object in the object store.
    ObjectNotFound,
    /// Something else does not exist.
    NotFound,
    /// The branch has no commit.
    BranchEmpty,
    /// The request lacks a repo where an empty one is demanded.
    RepoMissing,
    /// A name holds characters that are not allowed.
    InvalidName,
    /// The commit has been finished already.
    AlreadyFinished,
    /// The parent of a commit is still open.
    ParentOpen,
    /// Nobody but a pipeline may write to this branch.
    OutputBranch,
    /// The provenance of a commit or branch contradicts what exists.
    ProvenanceConflict,
    /// The spec file of a pipeline cannot be read from the object store.
    SpecFileUnreadable,
    /// A job has no spec commit; it fails a whole extract.
    SpecCommitMissing,
    /// A stream mixes release lines.
    MixedVersions,
    /// The release line of an operation is unknown to the server.
    UnknownOpVersion,
    /// Another operation came inside the pieces of a block.
    BlockRunInterrupted,
    /// An object-store URL cannot be used.
    InvalidUrl,
    /// A token in a restored stream has expired.
    RestoredTokenExpired,
    /// A token in a restored stream exists already.
    RestoredTokenExists,
    /// An operation of a restore failed, and why is not recognised. What came before it was applied.
    RestoreOpFailed,
    /// A garbage collection was refused since pipelines are not stopped or still have workers.
    PipelinesNotStopped,
    /// pachd cannot reach the Kubernetes API.
    KubernetesUnreachable,
    /// A message is larger than the limit of 20 MiB.
    MessageTooLarge,
    /// etcd has compacted the revision away.
    Compacted,
    /// etcd refuses writes, since its database has reached its quota.
    EtcdNoSpace,
    /// etcd has no leader or is changing it, or did not answer pachd in time.
    EtcdUnavailable,
    /// The server or the way to it is down, or it is still starting.
    Unavailable,
    /// The server's certificate was not believed: an unknown authority, another name, out of date.
    CertificateRefused,
    /// The call took too long.
    Deadline,
    /// The stream stopped delivering.
    NoProgress,
    /// The stream ended without a final status: it is not whole.
    CutShort,
    /// The server cancelled the call, as one that stops does.
    Cancelled,
    /// Not recognised; the cause tells more.
    Other,
}

/// Texts in the order they are looked for: the specific before the general, and what a restore wraps before the wrapping.
const TEXTS: &[(&str, Condition)] = &[
    ("the auth service is not activated", Condition::AuthNotActivated),
    ("the auth service is only partially activated", Condition::AuthPartiallyActivated),
    ("unknown service", Condition::UnknownService),
    ("unknown method", Condition::UnknownMethod),
    ("no authentication token", Condition::TokenMissing),
    ("no authentication metadata", Condition::TokenMissing),
    ("provided auth token is corrupted or has expired", Condition::TokenInvalid),
    ("token expiration is in the past", Condition::RestoredTokenExpired),
    ("cannot overwrite existing token with same hash", Condition::RestoredTokenExists),
    ("token has expired or is already revoked", Condition::TokenInvalid),
    ("must be an admin", Condition::NotAdmin),
    ("not authorized to perform this operation", Condition::AccessDenied),
    ("already activated", Condition::AuthAlreadyActivated),
    ("Pachyderm Enterprise is not active", Condition::EnterpriseInactive),
    ("error validating activation code", Condition::LicenceInvalid),
    ("could not retrieve pipeline spec file", Condition::SpecFileUnreadable),
    ("couldn't find spec commit for job", Condition::SpecCommitMissing),
    ("parent commit not found", Condition::ParentNotFound),
    ("invalid: only alphanumeric characters", Condition::InvalidName),
    ("has already finished", Condition::AlreadyFinished),
    ("has not been finished", Condition::ParentOpen),
    ("cannot start a commit on an output branch", Condition::OutputBranch),
    ("the commit provenance contains", Condition::ProvenanceConflict),
    ("but that commit is not the head of branch", Condition::ProvenanceConflict),
    ("has no head (create one with", Condition::BranchEmpty),
    ("repo cannot be nil", Condition::RepoMissing),
    ("cannot mix different versions", Condition::MixedVersions),
    ("unrecognized stream version", Condition::UnknownOpVersion),
    ("expected a block, but got:", Condition::BlockRunInterrupted),
    ("error parsing url", Condition::InvalidUrl),
    ("URL must be <svc>://<bucket>/<object>", Condition::InvalidUrl),
    ("all pipelines must be stopped to run garbage collection", Condition::PipelinesNotStopped),
    ("is paused, but still has running workers", Condition::PipelinesNotStopped),
    ("received message larger than max", Condition::MessageTooLarge),
    ("trying to send message larger than max", Condition::MessageTooLarge),
    ("message length too large", Condition::MessageTooLarge),
    ("required revision has been compacted", Condition::Compacted),
    ("mvcc: database space exceeded", Condition::EtcdNoSpace),
    ("etcdserver: permission denied", Condition::AccessDenied),
    ("etcdserver: user name is empty", Condition::AccessDenied),
    ("etcdserver: no leader", Condition::EtcdUnavailable),
    ("etcdserver: leader changed", Condition::EtcdUnavailable),
    ("etcdserver: request timed out", Condition::EtcdUnavailable),
    ("etcdserver: too many requests", Condition::EtcdUnavailable),
    ("etcdserver: server stopped", Condition::EtcdUnavailable),
    ("missing grpc-status", Condition::CutShort),
    ("already exists", Condition::AlreadyExists),
];

/// How the text begins when an operation of a restore failed: `handleOp` in `src/server/admin/server/api_server.go`.
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

impl Condition {
    /// The situation behind a cause.
    #[must_use]
    pub fn of(cause: &Cause) -> Self {
        match cause {
            Cause::Status(status) => Self::of_status(status),
            Cause::Connect(error) if certificate::was_refused(error) => Self::CertificateRefused,
            Cause::Connect(_) => Self::Unavailable,
            Cause::Deadline(_) => Self::Deadline,
            Cause::NoProgress(_) => Self::NoProgress,
            Cause::WatchEnded { compact_revision, reason } => {
                if *compact_revision != 0 {
                    Self::Compacted
                } else {
                    Self::of_text(reason).unwrap_or(Self::Unavailable)
                }
            }
            Cause::TooLarge { .. } => Self::MessageTooLarge,
            Cause::Token(_) | Cause::Read(_) | Cause::Write(_) | Cause::Protocol(_) => Self::Other,
        }
    }

    /// The situation behind the answer of a server.
    #[must_use]
    pub fn of_status(status: &tonic::Status) -> Self {
        // A source means that the answer was made here, of a connection that broke or could not be made again.
        let source = std::error::Error::source(status);
        if source.is_some_and(certificate::was_refused) {
            return Self::CertificateRefused;
        }
        Self::of_text(status.message()).unwrap_or_else(|| match status.code() {
            Code::Unknown | Code::Internal | Code::Cancelled | Code::ResourceExhausted if source.is_some() => {
                Self::Unavailable
            }
            Code::Unavailable => Self::Unavailable,
            Code::DeadlineExceeded => Self::Deadline,
            Code::Cancelled => Self::Cancelled,
            Code::Unauthenticated => Self::TokenInvalid,
            Code::PermissionDenied => Self::AccessDenied,
            Code::NotFound => Self::NotFound,
            Code::AlreadyExists => Self::AlreadyExists,
            Code::Unimplemented => Self::UnknownMethod,
            Code::ResourceExhausted => Self::MessageTooLarge,
            _ => Self::Other,
        })
    }

    /// The situation behind a text, whatever its code was.
    fn of_text(text: &str) -> Option<Self> {
        if let Some((_, condition)) = TEXTS.iter().find(|(part, _)| text.contains(part)) {
            return Some(*condition);
        }
        if let Some(condition) = not_found(text) {
            return Some(condition);
        }
        // pachd passes errors of its own connections on as text: to Kubernetes with the URL asked for, to etcd and to its
        // peers with gRPC's words.
        let dial = ["dial tcp", "connection refused", "i/o timeout", "no route to host"]
            .iter()
            .any(|part| text.contains(part));
        if dial && (text.contains("/api/v1/") || text.contains("/apis/")) {
            return Some(Self::KubernetesUnreachable);
        }
        if dial || text.contains("transport is closing") {
            return Some(Self::Unavailable);
        }
        RESTORE_OPS.iter().any(|prefix| text.starts_with(prefix)).then_some(Self::RestoreOpFailed)
    }

    /// Whether it may pass by itself.
    #[must_use]
    pub fn is_transient(self) -> bool {
        matches!(
            self,
            Self::SpecFileUnreadable
                | Self::KubernetesUnreachable
                | Self::EtcdUnavailable
                | Self::Unavailable
                | Self::Deadline
                | Self::NoProgress
                | Self::CutShort
                | Self::Cancelled
        )
    }

    /// Whether something that was asked for does not exist.
    #[must_use]
    pub fn is_not_found(self) -> bool {
        matches!(
            self,
            Self::RepoNotFound
                | Self::BranchNotFound
                | Self::CommitNotFound
                | Self::ParentNotFound
                | Self::PipelineNotFound
                | Self::JobNotFound
                | Self::FileNotFound
                | Self::ObjectNotFound
                | Self::NotFound
        )
    }
}

/// What does not exist. A missing key of etcd is answered with its collection, so the collection tells what it is.
fn not_found(text: &str) -> Option<Condition> {
    if text.contains("commit ") && text.contains(" was deleted") {
        return Some(Condition::CommitNotFound);
    }
    if text.contains("object hash:") && text.contains("does not exist") {
        return Some(Condition::ObjectNotFound);
    }
    if !text.contains("not found") {
        return text.contains("no such file or directory").then_some(Condition::ObjectNotFound);
    }
    let condition = [
        ("/pachyderm_pfs/repos/", Condition::RepoNotFound),
        ("/pachyderm_pfs/branches/", Condition::BranchNotFound),
        ("/pachyderm_pfs/commits/", Condition::CommitNotFound),
        ("/pachyderm_pps/jobs/", Condition::JobNotFound),
        ("/pachyderm_pps/pipelines/", Condition::PipelineNotFound),
        ("pipeline \"", Condition::PipelineNotFound),
        ("objectInfoGetter: object", Condition::ObjectNotFound),
        ("file \"", Condition::FileNotFound),
        ("parent commit ", Condition::ParentNotFound),
        ("commit ", Condition::CommitNotFound),
    ]
    .into_iter()
    .find_map(|(part, condition)| text.contains(part).then_some(condition));
    Some(condition.unwrap_or(Condition::NotFound))
}
