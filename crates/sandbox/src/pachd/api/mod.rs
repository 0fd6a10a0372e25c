//! The gRPC services of pachd 1.13.4, one file for each, answered from etcd's key space and the bucket.
//!
//! Methods that are not answered here say `unknown method …`, which a real pachd says only of methods it does not know.
//! Among those is everything that writes files.

mod admin;
pub mod auth;
pub mod errors;
mod extract;
pub mod faults;
mod jobs;
mod object;
mod other;
mod pfs;
mod pfs_lists;
mod pfs_write;
mod pps;
mod restore;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use tonic::Status;

use super::grpc::{Answer, AnswerFuture, Call, Service, unknown_service};
use super::state::State;
pub use auth::{AuthOptions, AuthToken};
pub use faults::Faults;

/// Which of pachd's two gRPC ports a service answers at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// 650, for clients. Without `pfs.ObjectAPI`.
    External,
    /// 653, for workers and other pachds.
    Peer,
}

/// The time that an extract gives open commits as the time they finished.
#[derive(Clone, Debug, Default)]
pub enum ExtractClock {
    /// The time of the extract, as pachd does.
    #[default]
    Now,
    /// Recorded times by commit id; other commits get the time of the extract.
    Recorded(BTreeMap<String, Timestamp>),
}

/// What stops and starts pipelines and knows of their workers.
pub trait PipelineControl: Send + Sync + Debug {
    /// Stores the wish to stop a pipeline. The pipeline exists.
    ///
    /// # Errors
    /// What the caller of `StopPipeline` is told.
    fn stop(&self, name: &str) -> Result<(), Status>;

    /// Stores the wish to start a pipeline. The pipeline exists.
    ///
    /// # Errors
    /// What the caller of `StartPipeline` is told.
    fn start(&self, name: &str) -> Result<(), Status>;

    /// A pipeline was created: its workers are to be made.
    fn created(&self, name: &str);

    /// Number of workers that run now; `None` if that is not known here, then it follows from the pipeline's state.
    fn workers_available(&self, name: &str) -> Option<u64> {
        let _ = name;
        None
    }
}

/// All of pachd's gRPC services on one port.
#[derive(Clone, Debug)]
pub struct PachdService {
    /// The cluster.
    pub state: State,
    /// The port it answers at.
    pub port: Port,
    /// Its faults, shared by both ports.
    pub faults: Arc<Faults>,
    /// The clock of extracts.
    pub clock: ExtractClock,
    /// What stops and starts pipelines.
    pub pipelines: Arc<dyn PipelineControl>,
    /// What pachd finds in `CLUSTER_DEPLOYMENT_ID`.
    pub deployment_id: String,
}

impl PachdService {
    /// The same cluster at another port.
    #[must_use]
    pub fn at(&self, port: Port) -> Self {
        Self { port, ..self.clone() }
    }

    async fn dispatch(&self, mut call: Call) -> Result<Answer, Status> {
        self.faults.begin(&format!("{}/{}", call.service, call.method)).await?;
        let caller = auth::caller(self, &call)?;
        match call.service.as_str() {
            "admin.API" => self.admin(&mut call, &caller).await,
            "pfs.API" => self.pfs(&mut call).await,
            "pfs.ObjectAPI" if self.port == Port::Peer => self.object(&mut call).await,
            "pps.API" => self.pps(&mut call).await,
            "auth.API" => self.auth(&mut call, &caller).await,
            "enterprise.API" => self.enterprise(&mut call).await,
            "transaction.API" => self.transaction(&mut call).await,
            "versionpb.API" => self.version(&call),
            "health.Health" => self.health(&call),
            other => Err(unknown_service(other)),
        }
    }
}

impl Service for PachdService {
    fn answer(self: Arc<Self>, call: Call) -> AnswerFuture {
        Box::pin(async move { self.dispatch(call).await })
    }
}

/// The time as messages carry it.
fn now() -> prost_types::Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    prost_types::Timestamp {
        seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        nanos: since.subsec_nanos().cast_signed(),
    }
}
