//! Branches and their provenance.

use super::{Commit, Repo};

/// Names a branch.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Branch {
    /// Its repo.
    #[prost(message, optional, tag = "1")]
    pub repo: Option<Repo>,
    /// Its name in the repo.
    #[prost(string, tag = "2")]
    pub name: String,
}

/// When a branch moves by itself (1.12 and later).
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Trigger {
    /// The branch that is watched.
    #[prost(string, tag = "1")]
    pub branch: String,
    /// Every condition must hold, not any.
    #[prost(bool, tag = "2")]
    pub all: bool,
    /// By time.
    #[prost(string, tag = "3")]
    pub cron_spec: String,
    /// By size of new data.
    #[prost(string, tag = "4")]
    pub size: String,
    /// By number of commits.
    #[prost(int64, tag = "5")]
    pub commits: i64,
}

/// A branch.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct BranchInfo {
    /// Its name; deprecated.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its newest commit; absent for an empty branch.
    #[prost(message, optional, tag = "2")]
    pub head: Option<Commit>,
    /// Everything it depends on, transitively.
    #[prost(message, repeated, tag = "3")]
    pub provenance: Vec<Branch>,
    /// Its name.
    #[prost(message, optional, tag = "4")]
    pub branch: Option<Branch>,
    /// Everything that depends on it.
    #[prost(message, repeated, tag = "5")]
    pub subvenance: Vec<Branch>,
    /// What it was declared to depend on.
    #[prost(message, repeated, tag = "6")]
    pub direct_provenance: Vec<Branch>,
    /// When it moves by itself (1.12 and later).
    #[prost(message, optional, tag = "7")]
    pub trigger: Option<Trigger>,
}

/// Asks for the branches of a repo.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ListBranchRequest {
    /// The repo; one with an empty name means all repos (1.9.6 and later).
    #[prost(message, optional, tag = "1")]
    pub repo: Option<Repo>,
    /// Oldest first (1.9.6 and later).
    #[prost(bool, tag = "2")]
    pub reverse: bool,
}

/// Branches.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct BranchInfos {
    /// One for each.
    #[prost(message, repeated, tag = "1")]
    pub branch_info: Vec<BranchInfo>,
}

/// Asks for one branch.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct InspectBranchRequest {
    /// The branch.
    #[prost(message, optional, tag = "1")]
    pub branch: Option<Branch>,
}

/// Creates a branch or moves it.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct CreateBranchRequest {
    /// Its head from now on.
    #[prost(message, optional, tag = "1")]
    pub head: Option<Commit>,
    /// Its name in streams of 1.9.5 and before.
    #[prost(string, tag = "2")]
    pub s_branch: String,
    /// Its name.
    #[prost(message, optional, tag = "3")]
    pub branch: Option<Branch>,
    /// What it depends on directly.
    #[prost(message, repeated, tag = "4")]
    pub provenance: Vec<Branch>,
    /// When it moves by itself (1.12 and later).
    #[prost(message, optional, tag = "5")]
    pub trigger: Option<Trigger>,
}

/// Deletes a branch.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct DeleteBranchRequest {
    /// The branch.
    #[prost(message, optional, tag = "1")]
    pub branch: Option<Branch>,
    /// Also one that others depend on.
    #[prost(bool, tag = "2")]
    pub force: bool,
}
