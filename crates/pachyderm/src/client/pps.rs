//! Service `pps.API`: pipelines and jobs.

use std::time::Duration;

use super::{Client, Messages};
use crate::{
    error::Error,
    proto::{
        method,
        pps::{
            CreateJobRequest, CreatePipelineRequest, GarbageCollectRequest, GarbageCollectResponse, InspectJobRequest,
            InspectPipelineRequest, Job, JobInfo, JobInfos, ListJobRequest, ListPipelineRequest, Pipeline,
            PipelineInfo, PipelineInfos, StartPipelineRequest, StopJobRequest, StopPipelineRequest,
        },
    },
};

/// How far back a listing goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum History {
    /// Current versions of pipelines only. Stopping makes a new version, so a stopped pipeline shows none of its jobs.
    Current,
    /// All versions.
    All,
}

impl History {
    const fn number(self) -> i64 {
        match self {
            Self::Current => 0,
            Self::All => -1,
        }
    }
}

/// What a listing does with pipelines whose spec file cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// The call fails as a whole.
    Refuse,
    /// They come without [`PipelineInfo::transform`] and most else (1.12 and later; older servers fail).
    ShowIncomplete,
}

impl Client {
    /// All pipelines, in no order.
    ///
    /// # Errors
    ///
    /// A spec file cannot be read (see [`Unreadable`]), the answer exceeds 20 MiB, or the call fails.
    pub async fn list_pipeline(&self, history: History, unreadable: Unreadable) -> Result<Vec<PipelineInfo>, Error> {
        let request = ListPipelineRequest {
            history: history.number(),
            allow_incomplete: unreadable == Unreadable::ShowIncomplete,
            ..Default::default()
        };
        let answer: PipelineInfos = self.caller.unary(method::LIST_PIPELINE, "", request).await?;
        Ok(answer.pipeline_info)
    }

    /// One pipeline, also with its numbers of workers.
    ///
    /// # Errors
    ///
    /// There is no such pipeline, its spec file cannot be read, or the call fails.
    pub async fn inspect_pipeline(&self, name: &str) -> Result<PipelineInfo, Error> {
        let request = InspectPipelineRequest { pipeline: Some(Pipeline::named(name)) };
        self.caller.unary(method::INSPECT_PIPELINE, name, request).await
    }

    /// Creates a pipeline, or changes one that exists if the request says so. Success says that the wish was stored.
    ///
    /// # Errors
    ///
    /// The pipeline exists already, its specification cannot be, or the call fails.
    pub async fn create_pipeline(&self, request: CreatePipelineRequest) -> Result<(), Error> {
        let resource = request.pipeline.as_ref().map_or(String::new(), |pipeline| pipeline.name.clone());
        self.caller.unary(method::CREATE_PIPELINE, &resource, request).await
    }

    /// Starts a stopped pipeline. Success says that the wish was stored; read the pipeline back.
    ///
    /// # Errors
    ///
    /// There is no such pipeline, or the call fails.
    pub async fn start_pipeline(&self, name: &str) -> Result<(), Error> {
        let request = StartPipelineRequest { pipeline: Some(Pipeline::named(name)) };
        self.caller.unary(method::START_PIPELINE, name, request).await
    }

    /// Stops a pipeline. Success says that the wish was stored; workers go later.
    ///
    /// # Errors
    ///
    /// There is no such pipeline, or the call fails.
    pub async fn stop_pipeline(&self, name: &str) -> Result<(), Error> {
        let request = StopPipelineRequest { pipeline: Some(Pipeline::named(name)) };
        self.caller.unary(method::STOP_PIPELINE, name, request).await
    }

    /// All jobs, one by one, without details. Listing deletes job records whose output commit no longer exists.
    ///
    /// # Errors
    ///
    /// The call fails at once or in the middle.
    pub async fn list_jobs_stream(&self, history: History) -> Result<Messages<JobInfo>, Error> {
        let request = ListJobRequest { history: history.number(), ..Default::default() };
        self.caller.stream(method::LIST_JOB_STREAM, "", request).await
    }

    /// The jobs of one pipeline, as extract lists them.
    ///
    /// # Errors
    ///
    /// The call fails.
    pub async fn list_pipeline_jobs_stream(&self, name: &str, history: History) -> Result<Messages<JobInfo>, Error> {
        let pipeline = Some(Pipeline { name: name.to_owned() });
        let request = ListJobRequest { pipeline, history: history.number(), ..Default::default() };
        self.caller.stream(method::LIST_JOB_STREAM, name, request).await
    }

    /// The jobs that a request asks for, in one message.
    ///
    /// # Errors
    ///
    /// The answer exceeds 20 MiB, or the call fails.
    pub async fn list_job(&self, request: ListJobRequest) -> Result<Vec<JobInfo>, Error> {
        let resource = request.pipeline.as_ref().map_or(String::new(), |pipeline| pipeline.name.clone());
        let answer: JobInfos = self.caller.unary(method::LIST_JOB, &resource, request).await?;
        Ok(answer.job_info)
    }

    /// One job, with details.
    ///
    /// # Errors
    ///
    /// There is no such job, or the call fails.
    pub async fn inspect_job(&self, id: &str) -> Result<JobInfo, Error> {
        let request = InspectJobRequest { job: Some(Job { id: id.into() }), full: true, ..Default::default() };
        self.caller.unary(method::INSPECT_JOB, id, request).await
    }

    /// Creates a job record, as a restore does, and answers with its new id. Nothing keeps a second call from making a
    /// second record.
    ///
    /// # Errors
    ///
    /// There is no such pipeline or output commit, or the call fails.
    pub async fn create_job(&self, request: CreateJobRequest) -> Result<Job, Error> {
        let resource = request.pipeline.as_ref().map_or(String::new(), |pipeline| pipeline.name.clone());
        self.caller.unary(method::CREATE_JOB, &resource, request).await
    }

    /// Deletes what nobody names from the object store, and ends within `deadline`. With 0 for `memory_bytes` the server
    /// chooses the size of its filter.
    ///
    /// It also deletes data of open commits and of statistics: see the commits first.
    ///
    /// # Errors
    ///
    /// A pipeline is not stopped or has workers, or the call fails; the server then may have deleted a part.
    pub async fn garbage_collect(&self, memory_bytes: i64, deadline: Duration) -> Result<(), Error> {
        let request = GarbageCollectRequest { memory_bytes };
        let answer = self.caller.unary_within(deadline, method::GARBAGE_COLLECT, "", request).await;
        answer.map(|GarbageCollectResponse {}| ())
    }

    /// Stops a job; it ends as killed, its output commit empty.
    ///
    /// # Errors
    ///
    /// There is no such job, or the call fails.
    pub async fn stop_job(&self, id: &str) -> Result<(), Error> {
        self.caller.unary(method::STOP_JOB, id, StopJobRequest { job: Some(Job { id: id.into() }) }).await
    }
}
