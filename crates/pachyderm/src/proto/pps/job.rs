//! Jobs.

use bytes::Bytes;
use prost_types::{Duration, Timestamp};

use super::{
    ChunkSpec, Egress, Input, ParallelismSpec, Pipeline, ResourceSpec, SchedulingSpec, Service, Spout, Transform,
};
use crate::proto::pfs::{BranchInfo, Commit, Repo};

/// State of a job. Failure, success and killed are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum JobState {
    /// Created.
    Starting = 0,
    /// Processing datums.
    Running = 1,
    /// Failed.
    Failure = 2,
    /// Done.
    Success = 3,
    /// Stopped on request.
    Killed = 4,
    /// Putting results together (1.8 and later); keys under `artifacts/` belong to it.
    Merging = 5,
    /// Sending results out (1.11 and later).
    Egressing = 6,
}

/// Names a job.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Job {
    /// 32 hexadecimal digits.
    #[prost(string, tag = "1")]
    pub id: String,
}

/// Effort of a job.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ProcessStats {
    /// Time for reading.
    #[prost(message, optional, tag = "1")]
    pub download_time: Option<Duration>,
    /// Time for processing.
    #[prost(message, optional, tag = "2")]
    pub process_time: Option<Duration>,
    /// Time for writing.
    #[prost(message, optional, tag = "3")]
    pub upload_time: Option<Duration>,
    /// Bytes read.
    #[prost(uint64, tag = "4")]
    pub download_bytes: u64,
    /// Bytes written.
    #[prost(uint64, tag = "5")]
    pub upload_bytes: u64,
}

/// A job. Details such as `transform` are only filled when asked for.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct JobInfo {
    /// Its name.
    #[prost(message, optional, tag = "1")]
    pub job: Option<Job>,
    /// What it runs.
    #[prost(message, optional, tag = "2")]
    pub transform: Option<Transform>,
    /// Its pipeline.
    #[prost(message, optional, tag = "3")]
    pub pipeline: Option<Pipeline>,
    /// The job before.
    #[prost(message, optional, tag = "6")]
    pub parent_job: Option<Job>,
    /// When it started.
    #[prost(message, optional, tag = "7")]
    pub started: Option<Timestamp>,
    /// When it ended; absent while it runs.
    #[prost(message, optional, tag = "8")]
    pub finished: Option<Timestamp>,
    /// The commit it writes.
    #[prost(message, optional, tag = "9")]
    pub output_commit: Option<Commit>,
    /// A [`JobState`].
    #[prost(int32, tag = "10")]
    pub state: i32,
    /// How many workers.
    #[prost(message, optional, tag = "12")]
    pub parallelism_spec: Option<ParallelismSpec>,
    /// Version of its pipeline.
    #[prost(uint64, tag = "13")]
    pub pipeline_version: u64,
    /// Serves instead of ending.
    #[prost(message, optional, tag = "14")]
    pub service: Option<Service>,
    /// Where results are sent to.
    #[prost(message, optional, tag = "15")]
    pub egress: Option<Egress>,
    /// Branch its results go to.
    #[prost(string, tag = "17")]
    pub output_branch: String,
    /// Repo its results go to.
    #[prost(message, optional, tag = "18")]
    pub output_repo: Option<Repo>,
    /// Times it was started again.
    #[prost(uint64, tag = "20")]
    pub restart: u64,
    /// Datums processed.
    #[prost(int64, tag = "22")]
    pub data_processed: i64,
    /// Datums in all.
    #[prost(int64, tag = "23")]
    pub data_total: i64,
    /// What each worker is doing, encoded.
    #[prost(bytes = "bytes", repeated, tag = "24")]
    pub worker_status: Vec<Bytes>,
    /// What each worker asks for.
    #[prost(message, optional, tag = "25")]
    pub resource_requests: Option<ResourceSpec>,
    /// What it reads.
    #[prost(message, optional, tag = "26")]
    pub input: Option<Input>,
    /// The branch that caused it.
    #[prost(message, optional, tag = "27")]
    pub new_branch: Option<BranchInfo>,
    /// The commit with its statistics.
    #[prost(message, optional, tag = "29")]
    pub stats_commit: Option<Commit>,
    /// Datums skipped, since done before.
    #[prost(int64, tag = "30")]
    pub data_skipped: i64,
    /// Its effort.
    #[prost(message, optional, tag = "31")]
    pub stats: Option<ProcessStats>,
    /// Keep statistics.
    #[prost(bool, tag = "32")]
    pub enable_stats: bool,
    /// Part of the names of its tags.
    #[prost(string, tag = "33")]
    pub salt: String,
    /// Unused.
    #[prost(bool, tag = "34")]
    pub batch: bool,
    /// Why it is in this state.
    #[prost(string, tag = "35")]
    pub reason: String,
    /// What each worker may use at most.
    #[prost(message, optional, tag = "36")]
    pub resource_limits: Option<ResourceSpec>,
    /// How datums are bundled.
    #[prost(message, optional, tag = "37")]
    pub chunk_spec: Option<ChunkSpec>,
    /// Longest time for a datum.
    #[prost(message, optional, tag = "38")]
    pub datum_timeout: Option<Duration>,
    /// Longest time for the job.
    #[prost(message, optional, tag = "39")]
    pub job_timeout: Option<Duration>,
    /// Datums failed.
    #[prost(int64, tag = "40")]
    pub data_failed: i64,
    /// Tries for each datum.
    #[prost(int64, tag = "41")]
    pub datum_tries: i64,
    /// Where workers may run.
    #[prost(message, optional, tag = "42")]
    pub scheduling_spec: Option<SchedulingSpec>,
    /// Overrides of the pod, JSON.
    #[prost(string, tag = "43")]
    pub pod_spec: String,
    /// Patch of the pod, JSON.
    #[prost(string, tag = "44")]
    pub pod_patch: String,
    /// Reads from outside instead of from an input.
    #[prost(message, optional, tag = "45")]
    pub spout: Option<Spout>,
    /// Datums failed, but handled by the error command.
    #[prost(int64, tag = "46")]
    pub data_recovered: i64,
    /// Commit of its pipeline's spec file.
    #[prost(message, optional, tag = "47")]
    pub spec_commit: Option<Commit>,
    /// What each storage sidecar may use at most.
    #[prost(message, optional, tag = "48")]
    pub sidecar_resource_limits: Option<ResourceSpec>,
}

/// Asks for jobs. A stopped pipeline shows none of its jobs at history 0, since stopping makes a new version.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ListJobRequest {
    /// Only of this pipeline.
    #[prost(message, optional, tag = "1")]
    pub pipeline: Option<Pipeline>,
    /// Only those reading these commits.
    #[prost(message, repeated, tag = "2")]
    pub input_commit: Vec<Commit>,
    /// Only the one writing this commit.
    #[prost(message, optional, tag = "3")]
    pub output_commit: Option<Commit>,
    /// Versions of the pipeline before the current one: 0 none, -1 all (1.9 and later).
    #[prost(int64, tag = "4")]
    pub history: i64,
    /// Fill in details (1.9 and later).
    #[prost(bool, tag = "5")]
    pub full: bool,
    /// Only those for which the filter holds (1.12 and later).
    #[prost(string, tag = "6")]
    pub jq_filter: String,
}

/// Jobs.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct JobInfos {
    /// One for each.
    #[prost(message, repeated, tag = "1")]
    pub job_info: Vec<JobInfo>,
}

/// Asks for one job, by name or by output commit.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct InspectJobRequest {
    /// The job.
    #[prost(message, optional, tag = "1")]
    pub job: Option<Job>,
    /// Wait until it has ended.
    #[prost(bool, tag = "2")]
    pub block_state: bool,
    /// The commit it writes.
    #[prost(message, optional, tag = "3")]
    pub output_commit: Option<Commit>,
    /// Fill in details.
    #[prost(bool, tag = "4")]
    pub full: bool,
}

/// Stops a job.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct StopJobRequest {
    /// The job.
    #[prost(message, optional, tag = "1")]
    pub job: Option<Job>,
}

/// Deletes a job.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct DeleteJobRequest {
    /// The job.
    #[prost(message, optional, tag = "1")]
    pub job: Option<Job>,
}

/// Waits for the jobs that commits cause.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct FlushJobRequest {
    /// The commits.
    #[prost(message, repeated, tag = "1")]
    pub commits: Vec<Commit>,
    /// Only these pipelines; none is all.
    #[prost(message, repeated, tag = "2")]
    pub to_pipelines: Vec<Pipeline>,
}
