//! Commits: names, state, listing.

use bytes::Bytes;
use prost_types::Timestamp;

use super::{Branch, Object, Repo};

/// Who made a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum OriginKind {
    /// A person or a program through the API.
    User = 0,
    /// Pachyderm, for a pipeline.
    Auto = 1,
    /// A repair.
    Fsck = 2,
}

/// How far a commit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum CommitState {
    /// It exists.
    Started = 0,
    /// Everything it depends on is finished.
    Ready = 1,
    /// It is finished.
    Finished = 2,
}

/// Names a commit.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Commit {
    /// Its repo.
    #[prost(message, optional, tag = "1")]
    pub repo: Option<Repo>,
    /// 32 hexadecimal digits; in requests also a branch name or `branch^n`.
    #[prost(string, tag = "2")]
    pub id: String,
}

/// Commits from one to another.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct CommitRange {
    /// The first.
    #[prost(message, optional, tag = "1")]
    pub lower: Option<Commit>,
    /// The last.
    #[prost(message, optional, tag = "2")]
    pub upper: Option<Commit>,
}

/// A commit that another depends on.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct CommitProvenance {
    /// The commit.
    #[prost(message, optional, tag = "1")]
    pub commit: Option<Commit>,
    /// The branch it was on.
    #[prost(message, optional, tag = "2")]
    pub branch: Option<Branch>,
}

/// Who made a commit.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct CommitOrigin {
    /// An [`OriginKind`].
    #[prost(int32, tag = "1")]
    pub kind: i32,
}

/// A commit.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct CommitInfo {
    /// Its name.
    #[prost(message, optional, tag = "1")]
    pub commit: Option<Commit>,
    /// Its parent; absent for a root commit.
    #[prost(message, optional, tag = "2")]
    pub parent_commit: Option<Commit>,
    /// When it was started.
    #[prost(message, optional, tag = "3")]
    pub started: Option<Timestamp>,
    /// When it was finished; absent while it is open.
    #[prost(message, optional, tag = "4")]
    pub finished: Option<Timestamp>,
    /// Bytes of its files.
    #[prost(uint64, tag = "5")]
    pub size_bytes: u64,
    /// What it depends on, as 1.7 and 1.8 wrote it.
    #[prost(message, repeated, tag = "6")]
    pub legacy_provenance: Vec<Commit>,
    /// The hashtree of a user's commit.
    #[prost(message, optional, tag = "7")]
    pub tree: Option<Object>,
    /// For people, as they typed it; lost by an extract.
    #[prost(bytes = "bytes", tag = "8")]
    pub description: Bytes,
    /// Commits that depend on it.
    #[prost(message, repeated, tag = "9")]
    pub subvenance: Vec<CommitRange>,
    /// Branches it depends on, as 1.7 and 1.8 wrote it.
    #[prost(message, repeated, tag = "10")]
    pub legacy_branch_provenance: Vec<Branch>,
    /// Its children.
    #[prost(message, repeated, tag = "11")]
    pub child_commits: Vec<Commit>,
    /// Number of finished commits it depends on directly.
    #[prost(int64, tag = "12")]
    pub ready_provenance: i64,
    /// Shards of the hashtree of an output commit.
    #[prost(message, repeated, tag = "13")]
    pub trees: Vec<Object>,
    /// List of datums of an output commit.
    #[prost(message, optional, tag = "14")]
    pub datums: Option<Object>,
    /// The branch it was made on; lost by an extract from 1.9.6 on.
    #[prost(message, optional, tag = "15")]
    pub branch: Option<Branch>,
    /// What it depends on (1.9 and later).
    #[prost(message, repeated, tag = "16")]
    pub provenance: Vec<CommitProvenance>,
    /// Who made it (1.9 and later).
    #[prost(message, optional, tag = "17")]
    pub origin: Option<CommitOrigin>,
    /// Dependent commits whose job succeeded (1.10 and later).
    #[prost(int64, tag = "18")]
    pub subvenant_commits_success: i64,
    /// Dependent commits whose job failed (1.10 and later).
    #[prost(int64, tag = "19")]
    pub subvenant_commits_failure: i64,
    /// Dependent commits (1.10 and later).
    #[prost(int64, tag = "20")]
    pub subvenant_commits_total: i64,
}

/// Commits.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct CommitInfos {
    /// One for each.
    #[prost(message, repeated, tag = "1")]
    pub commit_info: Vec<CommitInfo>,
}

/// Asks for one commit.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct InspectCommitRequest {
    /// The commit.
    #[prost(message, optional, tag = "1")]
    pub commit: Option<Commit>,
    /// A [`CommitState`] to wait for; `Started` does not wait.
    #[prost(int32, tag = "2")]
    pub block_state: i32,
}

/// Asks for commits, newest first.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ListCommitRequest {
    /// The repo. One with an empty name means all repos (1.9.6 and later); an absent one is refused from 1.10 on.
    #[prost(message, optional, tag = "1")]
    pub repo: Option<Repo>,
    /// Only commits after this one.
    #[prost(message, optional, tag = "2")]
    pub from: Option<Commit>,
    /// Only commits up to this one.
    #[prost(message, optional, tag = "3")]
    pub to: Option<Commit>,
    /// At most so many; 0 is all.
    #[prost(uint64, tag = "4")]
    pub number: u64,
    /// Oldest first (1.9.6 and later).
    #[prost(bool, tag = "5")]
    pub reverse: bool,
}

/// Starts a commit; the answer is its name.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct StartCommitRequest {
    /// Its parent.
    #[prost(message, optional, tag = "1")]
    pub parent: Option<Commit>,
    /// The branch it becomes the head of.
    #[prost(string, tag = "3")]
    pub branch: String,
    /// For people, as they typed it.
    #[prost(bytes = "bytes", tag = "4")]
    pub description: Bytes,
    /// What it depends on.
    #[prost(message, repeated, tag = "5")]
    pub provenance: Vec<CommitProvenance>,
}

/// Finishes a commit.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct FinishCommitRequest {
    /// The commit.
    #[prost(message, optional, tag = "1")]
    pub commit: Option<Commit>,
    /// For people, as they typed it.
    #[prost(bytes = "bytes", tag = "2")]
    pub description: Bytes,
    /// Its hashtree, for callers that made one.
    #[prost(message, optional, tag = "3")]
    pub tree: Option<Object>,
    /// Without content.
    #[prost(bool, tag = "4")]
    pub empty: bool,
    /// Shards of its hashtree.
    #[prost(message, repeated, tag = "5")]
    pub trees: Vec<Object>,
    /// Bytes of its files.
    #[prost(uint64, tag = "6")]
    pub size_bytes: u64,
    /// Its list of datums.
    #[prost(message, optional, tag = "7")]
    pub datums: Option<Object>,
}

/// Deletes a commit.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct DeleteCommitRequest {
    /// The commit.
    #[prost(message, optional, tag = "1")]
    pub commit: Option<Commit>,
}

/// Waits for everything that depends on commits; answers with those commits as they finish.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct FlushCommitRequest {
    /// The commits.
    #[prost(message, repeated, tag = "1")]
    pub commits: Vec<Commit>,
    /// Only these repos; none is all.
    #[prost(message, repeated, tag = "2")]
    pub to_repos: Vec<Repo>,
}

/// Asks for the commits of a branch as they come.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct SubscribeCommitRequest {
    /// The repo.
    #[prost(message, optional, tag = "1")]
    pub repo: Option<Repo>,
    /// The branch.
    #[prost(string, tag = "2")]
    pub branch: String,
    /// Only commits after this one.
    #[prost(message, optional, tag = "3")]
    pub from: Option<Commit>,
    /// A [`CommitState`] that they must have.
    #[prost(int32, tag = "4")]
    pub state: i32,
    /// Only commits that depend on this one.
    #[prost(message, optional, tag = "5")]
    pub prov: Option<CommitProvenance>,
}
