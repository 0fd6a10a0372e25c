//! Package `admin`: extract, restore and the identity of a cluster.

use super::{auth, enterprise, pfs, pps};

/// One operation of an extract stream. Not a oneof on the wire: one member for each release line, exactly one of
/// them is set in practice. Presence is kept, also of members without content.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Op {
    /// Written by 1.7.
    #[prost(message, optional, boxed, tag = "1")]
    pub op1_7: Option<Box<OpBody>>,
    /// Written by 1.8.
    #[prost(message, optional, boxed, tag = "2")]
    pub op1_8: Option<Box<OpBody>>,
    /// Written by 1.9.
    #[prost(message, optional, boxed, tag = "3")]
    pub op1_9: Option<Box<OpBody>>,
    /// Written by 1.10.
    #[prost(message, optional, boxed, tag = "4")]
    pub op1_10: Option<Box<OpBody>>,
    /// Written by 1.11.
    #[prost(message, optional, boxed, tag = "5")]
    pub op1_11: Option<Box<OpBody>>,
    /// Written by 1.12.
    #[prost(message, optional, boxed, tag = "6")]
    pub op1_12: Option<Box<OpBody>>,
    /// Written by 1.13.
    #[prost(message, optional, boxed, tag = "7")]
    pub op1_13: Option<Box<OpBody>>,
}

/// The operation inside an [`Op`]. Field numbers never changed between 1.7 and 1.13, so one message reads them
/// all; exactly one field is set in practice.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct OpBody {
    /// A piece of an object; written by 1.7 to 1.9.5 only.
    #[prost(message, optional, boxed, tag = "2")]
    pub object: Option<Box<pfs::PutObjectRequest>>,
    /// Names an object.
    #[prost(message, optional, boxed, tag = "3")]
    pub tag: Option<Box<pfs::TagObjectRequest>>,
    /// Creates a repo.
    #[prost(message, optional, boxed, tag = "4")]
    pub repo: Option<Box<pfs::CreateRepoRequest>>,
    /// Creates a commit with its content.
    #[prost(message, optional, boxed, tag = "5")]
    pub commit: Option<Box<pfs::BuildCommitRequest>>,
    /// Creates or moves a branch.
    #[prost(message, optional, boxed, tag = "6")]
    pub branch: Option<Box<pfs::CreateBranchRequest>>,
    /// Creates a pipeline.
    #[prost(message, optional, boxed, tag = "7")]
    pub pipeline: Option<Box<pps::CreatePipelineRequest>>,
    /// Creates a job (1.9.6 and later).
    #[prost(message, optional, boxed, tag = "8")]
    pub job: Option<Box<pps::CreateJobRequest>>,
    /// Names a part of a block as an object (1.9.6 and later).
    #[prost(message, optional, boxed, tag = "9")]
    pub create_object: Option<Box<pfs::CreateObjectRequest>>,
    /// A piece of a block (1.9.6 and later).
    #[prost(message, optional, boxed, tag = "10")]
    pub block: Option<Box<pfs::PutBlockRequest>>,
    /// Sets who may use a repo (1.11.9 and later, as all that follow).
    #[prost(message, optional, boxed, tag = "11")]
    pub set_acl: Option<Box<auth::SetAclRequest>>,
    /// Sets the cluster roles of a principal.
    #[prost(message, optional, boxed, tag = "12")]
    pub set_cluster_role_binding: Option<Box<auth::ModifyClusterRoleBindingRequest>>,
    /// Sets the identity providers.
    #[prost(message, optional, boxed, tag = "13")]
    pub set_auth_config: Option<Box<auth::SetConfigurationRequest>>,
    /// Turns auth on; the restoring caller's own token becomes the root token.
    #[prost(message, optional, boxed, tag = "14")]
    pub activate_auth: Option<Box<auth::ActivateRequest>>,
    /// Restores a robot's token by its hash.
    #[prost(message, optional, boxed, tag = "15")]
    pub restore_auth_token: Option<Box<auth::RestoreAuthTokenRequest>>,
    /// Activates the licence.
    #[prost(message, optional, boxed, tag = "16")]
    pub activate_enterprise: Option<Box<enterprise::ActivateRequest>>,
    /// Fails a restore whose caller sent no token. A message without fields: its presence is the content.
    #[prost(message, optional, tag = "17")]
    pub check_auth_token: Option<CheckAuthToken>,
}

/// The content of [`OpBody::check_auth_token`]: nothing.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct CheckAuthToken {}

/// Asks for the cluster as a stream of [`Op`].
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ExtractRequest {
    /// Object-store URL to write to instead of streaming; empty streams.
    #[prost(string, tag = "1")]
    pub url: String,
    /// Leave out blocks, objects and tags.
    #[prost(bool, tag = "2")]
    pub no_objects: bool,
    /// Leave out repos, commits, branches and their access lists.
    #[prost(bool, tag = "3")]
    pub no_repos: bool,
    /// Leave out pipelines and jobs.
    #[prost(bool, tag = "4")]
    pub no_pipelines: bool,
    /// Leave out the licence (1.11.9 and later).
    #[prost(bool, tag = "5")]
    pub no_enterprise: bool,
    /// Leave out everything of auth (1.11.9 and later).
    #[prost(bool, tag = "6")]
    pub no_auth: bool,
}

/// Asks for one pipeline as an [`Op`]; the answer carries no spec commit.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ExtractPipelineRequest {
    /// The pipeline.
    #[prost(message, optional, tag = "1")]
    pub pipeline: Option<pps::Pipeline>,
}

/// One message of a restore: an operation, or in the first message a URL.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct RestoreRequest {
    /// The operation.
    #[prost(message, optional, tag = "1")]
    pub op: Option<Op>,
    /// Object-store URL of a stream; only looked at in the first message.
    #[prost(string, tag = "2")]
    pub url: String,
}

/// The identity of a cluster.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ClusterInfo {
    /// The value of etcd's root key `cluster-id`: a UUID without dashes.
    #[prost(string, tag = "1")]
    pub id: String,
    /// The Deployment's `CLUSTER_DEPLOYMENT_ID` (1.10 and later).
    #[prost(string, tag = "2")]
    pub deployment_id: String,
}
