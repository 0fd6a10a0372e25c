//! Package `auth`: principals, roles, access lists and tokens.
//!
//! Principals are written `github:…`, `robot:…`, `pipeline:…`, `group/…` or `pach:root`.

use std::collections::BTreeMap;
mod configuration;
mod token;
pub use configuration::*;
pub use token::*;

/// What a principal may do with a repo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum Scope {
    /// Nothing.
    None = 0,
    /// Read.
    Reader = 1,
    /// Read and write.
    Writer = 2,
    /// Everything, also change the access list.
    Owner = 3,
}

/// A role for the whole cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum ClusterRole {
    /// No role.
    Undefined = 0,
    /// May do everything.
    Super = 1,
    /// May read and write every repo.
    Fs = 2,
}

/// The cluster roles of a principal.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ClusterRoles {
    /// Values of [`ClusterRole`].
    #[prost(int32, repeated, tag = "1")]
    pub roles: Vec<i32>,
}

/// Asks who the caller's token belongs to.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct WhoAmIRequest {}

/// Who the caller's token belongs to.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct WhoAmIResponse {
    /// The principal.
    #[prost(string, tag = "1")]
    pub username: String,
    /// Whether it is an administrator of the cluster.
    #[prost(bool, tag = "2")]
    pub is_admin: bool,
    /// Seconds until the token expires; -1 never (1.8 and later).
    #[prost(int64, tag = "3")]
    pub ttl: i64,
    /// The cluster roles (1.11 and later).
    #[prost(message, optional, tag = "4")]
    pub cluster_roles: Option<ClusterRoles>,
}

/// Turns auth on. `root_token` is a secret.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ActivateRequest {
    /// A GitHub token of the first administrator.
    #[prost(string, tag = "1")]
    pub github_token: String,
    /// The first administrator.
    #[prost(string, tag = "2")]
    pub subject: String,
    /// The token that `pach:root` gets.
    #[prost(string, tag = "3")]
    pub root_token: String,
}

/// The first administrator's token, a secret.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ActivateResponse {
    /// The token.
    #[prost(string, tag = "1")]
    pub pach_token: String,
}

/// Turns auth off.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct DeactivateRequest {}

/// The answer: nothing.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct DeactivateResponse {}

/// What one principal may do with a repo.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct AclEntry {
    /// The principal.
    #[prost(string, tag = "1")]
    pub username: String,
    /// A [`Scope`].
    #[prost(int32, tag = "2")]
    pub scope: i32,
}

/// The access list of a repo as stored in etcd under `pachyderm_auth/acls/`.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Acl {
    /// [`Scope`] values by principal.
    #[prost(btree_map = "string, int32", tag = "1")]
    pub entries: BTreeMap<String, i32>,
}

/// Asks for the access list of a repo.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct GetAclRequest {
    /// Name of the repo.
    #[prost(string, tag = "1")]
    pub repo: String,
}

/// The access list of a repo.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct GetAclResponse {
    /// People, groups and pipelines.
    #[prost(message, repeated, tag = "1")]
    pub entries: Vec<AclEntry>,
    /// Robots.
    #[prost(message, repeated, tag = "2")]
    pub robot_entries: Vec<AclEntry>,
}

/// Replaces the access list of a repo.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct SetAclRequest {
    /// Name of the repo.
    #[prost(string, tag = "1")]
    pub repo: String,
    /// The whole new list.
    #[prost(message, repeated, tag = "2")]
    pub entries: Vec<AclEntry>,
}

/// The answer: nothing.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct SetAclResponse {}

/// Asks for the administrators (before cluster roles).
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct GetAdminsRequest {}

/// The administrators.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct GetAdminsResponse {
    /// Their principals.
    #[prost(string, repeated, tag = "1")]
    pub admins: Vec<String>,
}

/// Sets the cluster roles of a principal; no roles removes them.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ModifyClusterRoleBindingRequest {
    /// The principal.
    #[prost(string, tag = "1")]
    pub principal: String,
    /// Its roles from now on.
    #[prost(message, optional, tag = "2")]
    pub roles: Option<ClusterRoles>,
}

/// The answer: nothing.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ModifyClusterRoleBindingResponse {}

/// Asks for all cluster roles.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct GetClusterRoleBindingsRequest {}

/// All cluster roles.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct GetClusterRoleBindingsResponse {
    /// Roles by principal.
    #[prost(btree_map = "string, message", tag = "1")]
    pub bindings: BTreeMap<String, ClusterRoles>,
}
