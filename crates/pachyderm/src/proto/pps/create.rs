//! Pipelines and jobs made anew, as a restore does. Field numbers differ from those of the same things shown.

use prost_types::{Duration, Timestamp};

use super::{
    ChunkSpec, Egress, HashtreeSpec, Input, Metadata, ParallelismSpec, Pipeline, ProcessStats, ResourceSpec,
    SchedulingSpec, Service, Spout, TfJob, Transform,
};
use crate::proto::pfs::Commit;

/// Creates a job record. There is no id: a restore always makes new ones. Fields from 26 on since 1.9.6.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct CreateJobRequest {
    /// Its pipeline.
    #[prost(message, optional, tag = "2")]
    pub pipeline: Option<Pipeline>,
    /// The commit it wrote.
    #[prost(message, optional, tag = "25")]
    pub output_commit: Option<Commit>,
    /// Times it was started again.
    #[prost(uint64, tag = "26")]
    pub restart: u64,
    /// Datums processed.
    #[prost(int64, tag = "27")]
    pub data_processed: i64,
    /// Datums skipped.
    #[prost(int64, tag = "28")]
    pub data_skipped: i64,
    /// Datums in all.
    #[prost(int64, tag = "29")]
    pub data_total: i64,
    /// Datums failed.
    #[prost(int64, tag = "30")]
    pub data_failed: i64,
    /// Datums failed, but handled by the error command.
    #[prost(int64, tag = "31")]
    pub data_recovered: i64,
    /// Its effort.
    #[prost(message, optional, tag = "32")]
    pub stats: Option<ProcessStats>,
    /// The commit with its statistics.
    #[prost(message, optional, tag = "33")]
    pub stats_commit: Option<Commit>,
    /// A [`JobState`](super::JobState).
    #[prost(int32, tag = "34")]
    pub state: i32,
    /// Why it is in this state.
    #[prost(string, tag = "35")]
    pub reason: String,
    /// When it started.
    #[prost(message, optional, tag = "36")]
    pub started: Option<Timestamp>,
    /// When it ended.
    #[prost(message, optional, tag = "37")]
    pub finished: Option<Timestamp>,
}

/// Creates or updates a pipeline. An extract never fills `tf_job`, `update` and `reprocess`.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct CreatePipelineRequest {
    /// Its name.
    #[prost(message, optional, tag = "1")]
    pub pipeline: Option<Pipeline>,
    /// What it runs.
    #[prost(message, optional, tag = "2")]
    pub transform: Option<Transform>,
    /// Change an existing pipeline.
    #[prost(bool, tag = "5")]
    pub update: bool,
    /// How many workers.
    #[prost(message, optional, tag = "7")]
    pub parallelism_spec: Option<ParallelismSpec>,
    /// Where results are sent to.
    #[prost(message, optional, tag = "9")]
    pub egress: Option<Egress>,
    /// Branch its results go to.
    #[prost(string, tag = "10")]
    pub output_branch: String,
    /// Idle time before workers are given up (1.7 and 1.8).
    #[prost(message, optional, tag = "11")]
    pub scale_down_threshold: Option<Duration>,
    /// What each worker asks for.
    #[prost(message, optional, tag = "12")]
    pub resource_requests: Option<ResourceSpec>,
    /// What it reads.
    #[prost(message, optional, tag = "13")]
    pub input: Option<Input>,
    /// For people.
    #[prost(string, tag = "14")]
    pub description: String,
    /// Keep earlier results (1.7).
    #[prost(bool, tag = "15")]
    pub incremental: bool,
    /// Size of each worker's cache.
    #[prost(string, tag = "16")]
    pub cache_size: String,
    /// Keep statistics in the branch `stats`.
    #[prost(bool, tag = "17")]
    pub enable_stats: bool,
    /// Process all datums again.
    #[prost(bool, tag = "18")]
    pub reprocess: bool,
    /// Process one by one (1.7 and 1.8).
    #[prost(bool, tag = "19")]
    pub batch: bool,
    /// Datums a worker fetches ahead.
    #[prost(int64, tag = "20")]
    pub max_queue_size: i64,
    /// Serves instead of running jobs.
    #[prost(message, optional, tag = "21")]
    pub service: Option<Service>,
    /// What each worker may use at most.
    #[prost(message, optional, tag = "22")]
    pub resource_limits: Option<ResourceSpec>,
    /// How datums are bundled.
    #[prost(message, optional, tag = "23")]
    pub chunk_spec: Option<ChunkSpec>,
    /// Longest time for a datum.
    #[prost(message, optional, tag = "24")]
    pub datum_timeout: Option<Duration>,
    /// Longest time for a job.
    #[prost(message, optional, tag = "25")]
    pub job_timeout: Option<Duration>,
    /// Part of the names of its tags.
    #[prost(string, tag = "26")]
    pub salt: String,
    /// Give workers up while idle.
    #[prost(bool, tag = "27")]
    pub standby: bool,
    /// Tries for each datum.
    #[prost(int64, tag = "28")]
    pub datum_tries: i64,
    /// Where workers may run.
    #[prost(message, optional, tag = "29")]
    pub scheduling_spec: Option<SchedulingSpec>,
    /// Overrides of the pod, JSON.
    #[prost(string, tag = "30")]
    pub pod_spec: String,
    /// Shards of the hashtree.
    #[prost(message, optional, tag = "31")]
    pub hashtree_spec: Option<HashtreeSpec>,
    /// Patch of the pod, JSON.
    #[prost(string, tag = "32")]
    pub pod_patch: String,
    /// Reads from outside instead of from an input.
    #[prost(message, optional, tag = "33")]
    pub spout: Option<Spout>,
    /// Commit of its spec file, used as it is (1.9.6 and later).
    #[prost(message, optional, tag = "34")]
    pub spec_commit: Option<Commit>,
    /// A TensorFlow job.
    #[prost(message, optional, tag = "35")]
    pub tf_job: Option<TfJob>,
    /// Results are written through the S3 gateway.
    #[prost(bool, tag = "36")]
    pub s3_out: bool,
    /// Annotations and labels of its pods.
    #[prost(message, optional, tag = "46")]
    pub metadata: Option<Metadata>,
    /// What each storage sidecar may use at most.
    #[prost(message, optional, tag = "47")]
    pub sidecar_resource_limits: Option<ResourceSpec>,
    /// Scale workers with the work.
    #[prost(bool, tag = "48")]
    pub autoscaling: bool,
    /// When datums are processed again.
    #[prost(string, tag = "50")]
    pub reprocess_spec: String,
}
