//! Repos.

use bytes::Bytes;
use prost_types::Timestamp;

use super::Branch;

/// Names a repo.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Repo {
    /// Its name; `__spec__` is the repo of pipeline specs.
    #[prost(string, tag = "1")]
    pub name: String,
}

/// What the caller may do with a repo.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct RepoAuthInfo {
    /// A [`Scope`](crate::proto::auth::Scope).
    #[prost(int32, tag = "1")]
    pub access_level: i32,
}

/// A repo.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct RepoInfo {
    /// Its name.
    #[prost(message, optional, tag = "1")]
    pub repo: Option<Repo>,
    /// When it was created.
    #[prost(message, optional, tag = "2")]
    pub created: Option<Timestamp>,
    /// Bytes in the head commit of its branch `master`.
    #[prost(uint64, tag = "3")]
    pub size_bytes: u64,
    /// For people, as they typed it.
    #[prost(bytes = "bytes", tag = "5")]
    pub description: Bytes,
    /// Only present while auth is active.
    #[prost(message, optional, tag = "6")]
    pub auth_info: Option<RepoAuthInfo>,
    /// Its branches.
    #[prost(message, repeated, tag = "7")]
    pub branches: Vec<Branch>,
    /// Its deletion has begun.
    #[prost(bool, tag = "8")]
    pub tombstone: bool,
}

/// Asks for all repos.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ListRepoRequest {}

/// All repos but `__spec__`, newest first.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ListRepoResponse {
    /// One for each.
    #[prost(message, repeated, tag = "1")]
    pub repo_info: Vec<RepoInfo>,
}

/// Asks for one repo; works for `__spec__` too.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct InspectRepoRequest {
    /// The repo.
    #[prost(message, optional, tag = "1")]
    pub repo: Option<Repo>,
}

/// Creates or updates a repo.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct CreateRepoRequest {
    /// Its name.
    #[prost(message, optional, tag = "1")]
    pub repo: Option<Repo>,
    /// For people, as they typed it.
    #[prost(bytes = "bytes", tag = "3")]
    pub description: Bytes,
    /// Change an existing repo.
    #[prost(bool, tag = "4")]
    pub update: bool,
}

/// Deletes a repo.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct DeleteRepoRequest {
    /// The repo.
    #[prost(message, optional, tag = "1")]
    pub repo: Option<Repo>,
    /// Also one that others depend on.
    #[prost(bool, tag = "2")]
    pub force: bool,
    /// All repos.
    #[prost(bool, tag = "3")]
    pub all: bool,
}
