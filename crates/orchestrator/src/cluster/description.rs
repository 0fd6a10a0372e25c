//! A discovered cluster in words and numbers, for people and for scripts.

use serde::Serialize;

use super::Cluster;
use crate::manifest::{ClusterRecord, OpenWork, ServiceRecord};

/// What `discover` prints. Holds no secret.
#[derive(Clone, Debug, Serialize)]
pub struct ClusterDescription {
    /// Identity, versions, bucket, etcd and its volumes.
    pub cluster: ClusterRecord,
    /// Ways into the cluster.
    pub services: Vec<ServiceRecord>,
    /// Pipelines, upstream first.
    pub pipelines: Vec<PipelineLine>,
    /// Open work that waiting does not end.
    pub open_work: OpenWork,
    /// Commits and jobs that end by themselves.
    pub running_work: usize,
    /// What could not be read.
    pub warnings: Vec<String>,
}

/// A pipeline in one line.
#[derive(Clone, Debug, Serialize)]
pub struct PipelineLine {
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: String,
    /// Whether it is stopped.
    pub stopped: bool,
}

impl Cluster {
    /// The cluster for people and for scripts.
    #[must_use]
    pub fn describe(&self) -> ClusterDescription {
        ClusterDescription {
            cluster: self.record.clone(),
            services: self.services.iter().map(|service| service.record(false)).collect(),
            pipelines: self
                .pipelines
                .iter()
                .map(|pipeline| PipelineLine {
                    name: pipeline.name.clone(),
                    state: pipeline.state_name(),
                    stopped: pipeline.stopped,
                })
                .collect(),
            open_work: self.work.lasting.clone(),
            running_work: self.work.draining(),
            warnings: self.warnings.clone(),
        }
    }
}
