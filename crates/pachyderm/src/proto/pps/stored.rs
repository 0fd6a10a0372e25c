//! Pipelines and jobs as pachd stores them in etcd.

use std::collections::BTreeMap;

use prost_types::Timestamp;

use super::{Job, Pipeline, ProcessStats};
use crate::proto::pfs::Commit;

/// The part of a pipeline that is kept in etcd, under `pachyderm_pps/pipelines/`. `auth_token` is a secret.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct EtcdPipelineInfo {
    /// A [`PipelineState`](super::PipelineState).
    #[prost(int32, tag = "1")]
    pub state: i32,
    /// Commit of its spec file.
    #[prost(message, optional, tag = "2")]
    pub spec_commit: Option<Commit>,
    /// Number of jobs by [`JobState`](super::JobState).
    #[prost(btree_map = "int32, int32", tag = "3")]
    pub job_counts: BTreeMap<i32, i32>,
    /// Why it is in this state.
    #[prost(string, tag = "4")]
    pub reason: String,
    /// The token its workers use.
    #[prost(string, tag = "5")]
    pub auth_token: String,
    /// A [`JobState`](super::JobState).
    #[prost(int32, tag = "6")]
    pub last_job_state: i32,
    /// Number of workers.
    #[prost(uint64, tag = "7")]
    pub parallelism: u64,
}

/// A job as kept in etcd, under `pachyderm_pps/jobs/`.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct EtcdJobInfo {
    /// Its name.
    #[prost(message, optional, tag = "1")]
    pub job: Option<Job>,
    /// Its pipeline.
    #[prost(message, optional, tag = "2")]
    pub pipeline: Option<Pipeline>,
    /// The commit it writes.
    #[prost(message, optional, tag = "3")]
    pub output_commit: Option<Commit>,
    /// Times it was started again.
    #[prost(uint64, tag = "4")]
    pub restart: u64,
    /// Datums processed.
    #[prost(int64, tag = "5")]
    pub data_processed: i64,
    /// Datums skipped.
    #[prost(int64, tag = "6")]
    pub data_skipped: i64,
    /// Datums in all.
    #[prost(int64, tag = "7")]
    pub data_total: i64,
    /// Datums failed.
    #[prost(int64, tag = "8")]
    pub data_failed: i64,
    /// Its effort.
    #[prost(message, optional, tag = "9")]
    pub stats: Option<ProcessStats>,
    /// The commit with its statistics.
    #[prost(message, optional, tag = "10")]
    pub stats_commit: Option<Commit>,
    /// A [`JobState`](super::JobState).
    #[prost(int32, tag = "11")]
    pub state: i32,
    /// Why it is in this state.
    #[prost(string, tag = "12")]
    pub reason: String,
    /// When it started.
    #[prost(message, optional, tag = "13")]
    pub started: Option<Timestamp>,
    /// When it ended.
    #[prost(message, optional, tag = "14")]
    pub finished: Option<Timestamp>,
    /// Datums failed, but handled by the error command.
    #[prost(int64, tag = "15")]
    pub data_recovered: i64,
}
