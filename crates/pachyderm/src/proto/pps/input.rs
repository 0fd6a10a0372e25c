//! What a pipeline reads.

use prost_types::Timestamp;

use crate::proto::pfs::Trigger;

/// What a pipeline reads: one of its members.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Input {
    /// Files of a branch, as 1.7 and 1.8 wrote it.
    #[prost(message, optional, tag = "1")]
    pub atom: Option<AtomInput>,
    /// All combinations of the members' datums.
    #[prost(message, repeated, tag = "2")]
    pub cross: Vec<Input>,
    /// The members' datums, one after another.
    #[prost(message, repeated, tag = "3")]
    pub union: Vec<Input>,
    /// Ticks of a clock.
    #[prost(message, optional, tag = "4")]
    pub cron: Option<CronInput>,
    /// Pushes to a git repository.
    #[prost(message, optional, tag = "5")]
    pub git: Option<GitInput>,
    /// Files of a branch (1.8 and later).
    #[prost(message, optional, tag = "6")]
    pub pfs: Option<PfsInput>,
    /// Datums that agree in a name (later 1.9 releases).
    #[prost(message, repeated, tag = "7")]
    pub join: Vec<Input>,
    /// Datums grouped by a name (1.12 and later).
    #[prost(message, repeated, tag = "8")]
    pub group: Vec<Input>,
}

/// Files of a branch.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct PfsInput {
    /// Directory under `/pfs`.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its repo.
    #[prost(string, tag = "2")]
    pub repo: String,
    /// Its branch.
    #[prost(string, tag = "3")]
    pub branch: String,
    /// The commit of a job.
    #[prost(string, tag = "4")]
    pub commit: String,
    /// Pattern that splits the files into datums.
    #[prost(string, tag = "5")]
    pub glob: String,
    /// Files are fetched when read.
    #[prost(bool, tag = "6")]
    pub lazy: bool,
    /// Files are shown without content.
    #[prost(bool, tag = "7")]
    pub empty_files: bool,
    /// What must agree.
    #[prost(string, tag = "8")]
    pub join_on: String,
    /// Files are read through the S3 gateway.
    #[prost(bool, tag = "9")]
    pub s3: bool,
    /// When the branch moves.
    #[prost(message, optional, tag = "10")]
    pub trigger: Option<Trigger>,
    /// What is grouped by.
    #[prost(string, tag = "11")]
    pub group_by: String,
    /// Also datums without a partner.
    #[prost(bool, tag = "12")]
    pub outer_join: bool,
}

/// Files of a branch, as 1.7 and 1.8 wrote it.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct AtomInput {
    /// Directory under `/pfs`.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its repo.
    #[prost(string, tag = "2")]
    pub repo: String,
    /// Its branch.
    #[prost(string, tag = "3")]
    pub branch: String,
    /// The commit of a job.
    #[prost(string, tag = "4")]
    pub commit: String,
    /// Pattern that splits the files into datums.
    #[prost(string, tag = "5")]
    pub glob: String,
    /// Files are fetched when read.
    #[prost(bool, tag = "6")]
    pub lazy: bool,
    /// Files are shown without content.
    #[prost(bool, tag = "8")]
    pub empty_files: bool,
}

/// Ticks of a clock.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct CronInput {
    /// Directory under `/pfs`.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The repo that ticks are put into.
    #[prost(string, tag = "2")]
    pub repo: String,
    /// The commit of a job.
    #[prost(string, tag = "3")]
    pub commit: String,
    /// When it ticks.
    #[prost(string, tag = "4")]
    pub spec: String,
    /// Counted from here.
    #[prost(message, optional, tag = "5")]
    pub start: Option<Timestamp>,
    /// Each tick replaces the one before.
    #[prost(bool, tag = "6")]
    pub overwrite: bool,
}

/// Pushes to a git repository.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct GitInput {
    /// Directory under `/pfs`.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The repository.
    #[prost(string, tag = "2")]
    pub url: String,
    /// Its branch.
    #[prost(string, tag = "3")]
    pub branch: String,
    /// The commit of a job.
    #[prost(string, tag = "4")]
    pub commit: String,
}
