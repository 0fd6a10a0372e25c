//! Pipelines as pachd shows them, and the calls on them.

use std::collections::BTreeMap;

use prost_types::{Duration, Timestamp};

use super::{
    ChunkSpec, Egress, HashtreeSpec, Input, Metadata, ParallelismSpec, ResourceSpec, SchedulingSpec, Service, Spout,
    TfJob, Transform,
};
use crate::proto::pfs::Commit;

/// State of a pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum PipelineState {
    /// Created, not yet picked up.
    Starting = 0,
    /// Processing or waiting for work.
    Running = 1,
    /// Failed, will be tried again.
    Restarting = 2,
    /// Given up; only an update leaves this state.
    Failure = 3,
    /// Stopped on request.
    Paused = 4,
    /// Without workers until there is work (later 1.7 releases).
    Standby = 5,
    /// Workers do not come up (1.11 and later).
    Crashing = 6,
}

/// Names a pipeline.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Pipeline {
    /// Its name; its output repo has the same.
    #[prost(string, tag = "1")]
    pub name: String,
}

/// A pipeline. Its spec file in the repo `__spec__` holds the same message.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct PipelineInfo {
    /// Its name.
    #[prost(message, optional, tag = "1")]
    pub pipeline: Option<Pipeline>,
    /// What it runs; absent when the spec file could not be read.
    #[prost(message, optional, tag = "2")]
    pub transform: Option<Transform>,
    /// When it was created.
    #[prost(message, optional, tag = "6")]
    pub created_at: Option<Timestamp>,
    /// A [`PipelineState`]; kept in etcd.
    #[prost(int32, tag = "7")]
    pub state: i32,
    /// Its last error.
    #[prost(string, tag = "8")]
    pub recent_error: String,
    /// Number of jobs by [`JobState`](super::JobState).
    #[prost(btree_map = "int32, int32", tag = "9")]
    pub job_counts: BTreeMap<i32, i32>,
    /// How many workers.
    #[prost(message, optional, tag = "10")]
    pub parallelism_spec: Option<ParallelismSpec>,
    /// Counts updates; part of the name of its replication controller.
    #[prost(uint64, tag = "11")]
    pub version: u64,
    /// Where results are sent to.
    #[prost(message, optional, tag = "15")]
    pub egress: Option<Egress>,
    /// Branch its results go to.
    #[prost(string, tag = "16")]
    pub output_branch: String,
    /// Unused.
    #[prost(string, tag = "17")]
    pub id: String,
    /// What each worker asks for.
    #[prost(message, optional, tag = "19")]
    pub resource_requests: Option<ResourceSpec>,
    /// What it reads.
    #[prost(message, optional, tag = "20")]
    pub input: Option<Input>,
    /// For people.
    #[prost(string, tag = "21")]
    pub description: String,
    /// Size of each worker's cache.
    #[prost(string, tag = "23")]
    pub cache_size: String,
    /// Keep statistics in the branch `stats`.
    #[prost(bool, tag = "24")]
    pub enable_stats: bool,
    /// Part of the names of its tags.
    #[prost(string, tag = "25")]
    pub salt: String,
    /// Why it is in this state.
    #[prost(string, tag = "28")]
    pub reason: String,
    /// Datums a worker fetches ahead.
    #[prost(int64, tag = "29")]
    pub max_queue_size: i64,
    /// Serves instead of running jobs.
    #[prost(message, optional, tag = "30")]
    pub service: Option<Service>,
    /// What each worker may use at most.
    #[prost(message, optional, tag = "31")]
    pub resource_limits: Option<ResourceSpec>,
    /// How datums are bundled.
    #[prost(message, optional, tag = "32")]
    pub chunk_spec: Option<ChunkSpec>,
    /// Longest time for a datum.
    #[prost(message, optional, tag = "33")]
    pub datum_timeout: Option<Duration>,
    /// Longest time for a job.
    #[prost(message, optional, tag = "34")]
    pub job_timeout: Option<Duration>,
    /// URL of its git hook.
    #[prost(string, tag = "35")]
    pub githook_url: String,
    /// Commit of its spec file, on the branch of `__spec__` that has its name.
    #[prost(message, optional, tag = "36")]
    pub spec_commit: Option<Commit>,
    /// Give workers up while idle.
    #[prost(bool, tag = "37")]
    pub standby: bool,
    /// Stopped on request; kept in the spec file.
    #[prost(bool, tag = "38")]
    pub stopped: bool,
    /// Tries for each datum.
    #[prost(int64, tag = "39")]
    pub datum_tries: i64,
    /// Where workers may run.
    #[prost(message, optional, tag = "40")]
    pub scheduling_spec: Option<SchedulingSpec>,
    /// Overrides of the pod, JSON.
    #[prost(string, tag = "41")]
    pub pod_spec: String,
    /// Shards of the hashtree.
    #[prost(message, optional, tag = "42")]
    pub hashtree_spec: Option<HashtreeSpec>,
    /// A [`JobState`](super::JobState).
    #[prost(int32, tag = "43")]
    pub last_job_state: i32,
    /// Patch of the pod, JSON.
    #[prost(string, tag = "44")]
    pub pod_patch: String,
    /// Reads from outside instead of from an input.
    #[prost(message, optional, tag = "45")]
    pub spout: Option<Spout>,
    /// A TensorFlow job.
    #[prost(message, optional, tag = "46")]
    pub tf_job: Option<TfJob>,
    /// Results are written through the S3 gateway.
    #[prost(bool, tag = "47")]
    pub s3_out: bool,
    /// Annotations and labels of its pods.
    #[prost(message, optional, tag = "48")]
    pub metadata: Option<Metadata>,
    /// Workers wanted; only filled for a single pipeline (1.11 and later).
    #[prost(int64, tag = "49")]
    pub workers_requested: i64,
    /// Workers running; only filled for a single pipeline (1.11 and later).
    #[prost(int64, tag = "50")]
    pub workers_available: i64,
    /// What each storage sidecar may use at most.
    #[prost(message, optional, tag = "51")]
    pub sidecar_resource_limits: Option<ResourceSpec>,
    /// Waiting work; only filled for a single pipeline.
    #[prost(int64, tag = "52")]
    pub unclaimed_tasks: i64,
    /// Internal.
    #[prost(string, tag = "53")]
    pub worker_rc: String,
    /// Scale workers with the work.
    #[prost(bool, tag = "54")]
    pub autoscaling: bool,
    /// When datums are processed again.
    #[prost(string, tag = "56")]
    pub reprocess_spec: String,
}

/// Pipelines, in no order.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct PipelineInfos {
    /// One for each.
    #[prost(message, repeated, tag = "1")]
    pub pipeline_info: Vec<PipelineInfo>,
}

/// Asks for pipelines. Without `allow_incomplete` one unreadable spec file fails the whole call.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ListPipelineRequest {
    /// Only this one (1.9 and later).
    #[prost(message, optional, tag = "1")]
    pub pipeline: Option<Pipeline>,
    /// Versions before the current one: 0 none, -1 all (1.9 and later).
    #[prost(int64, tag = "2")]
    pub history: i64,
    /// Also those whose spec file cannot be read (1.12 and later).
    #[prost(bool, tag = "3")]
    pub allow_incomplete: bool,
    /// Only those for which the filter holds (1.12 and later).
    #[prost(string, tag = "4")]
    pub jq_filter: String,
}

/// Asks for one pipeline.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct InspectPipelineRequest {
    /// The pipeline.
    #[prost(message, optional, tag = "1")]
    pub pipeline: Option<Pipeline>,
}

/// Starts a stopped pipeline.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct StartPipelineRequest {
    /// The pipeline.
    #[prost(message, optional, tag = "1")]
    pub pipeline: Option<Pipeline>,
}

/// Stops a pipeline. Its answer says that the wish was stored, not that workers are gone.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct StopPipelineRequest {
    /// The pipeline.
    #[prost(message, optional, tag = "1")]
    pub pipeline: Option<Pipeline>,
}

/// Deletes a pipeline.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct DeletePipelineRequest {
    /// The pipeline.
    #[prost(message, optional, tag = "1")]
    pub pipeline: Option<Pipeline>,
    /// All pipelines.
    #[prost(bool, tag = "4")]
    pub all: bool,
    /// Also one that others depend on.
    #[prost(bool, tag = "5")]
    pub force: bool,
    /// Keep its output repo.
    #[prost(bool, tag = "6")]
    pub keep_repo: bool,
}

/// Deletes objects that nothing refers to. Refused unless every pipeline is stopped.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct GarbageCollectRequest {
    /// Memory for the filter; 0 is the default.
    #[prost(int64, tag = "1")]
    pub memory_bytes: i64,
}

/// The answer: nothing.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct GarbageCollectResponse {}
