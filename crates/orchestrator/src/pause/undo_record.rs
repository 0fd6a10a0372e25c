//! What has to be put back, written down before anything is changed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cluster::{Cluster, work};
use crate::error::Result;
use crate::job::{FenceMode, Loader, SnapshotSettings};
use crate::manifest::FormatVersion;

/// The undo record. Immutable once it is written; holds no secret but what the configuration writes into a hook's arguments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UndoRecord {
    /// Format of the record.
    pub format: FormatVersion,
    /// The run that wrote it.
    pub run: String,
    /// When.
    pub written: Timestamp,
    /// Namespace of the deployment.
    pub namespace: String,
    /// Pipelines, upstream first.
    pub pipelines: Vec<PipelineBefore>,
    /// Services that are fenced.
    pub services: Vec<ServiceBefore>,
    /// Loaders that are paused.
    pub loaders: Vec<LoaderBefore>,
}

/// A pipeline before the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PipelineBefore {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u64,
    /// Its state's number.
    pub state: i32,
    /// Whether it was stopped.
    pub stopped: bool,
    /// Whether the run stops it, and so has to start it.
    pub to_stop: bool,
    /// Branch that its results go to.
    pub output_branch: String,
    /// Direct provenance of that branch, as sorted `repo@branch`.
    pub provenance: Vec<String>,
}

/// A Service before the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceBefore {
    /// Its name.
    pub name: String,
    /// Its UID: another Service of that name is not touched.
    pub uid: String,
    /// Whether the fence is the selector label.
    pub by_selector: bool,
    /// Node ports that are switched.
    pub ports: Vec<FencedPort>,
}

/// A node port that is switched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FencedPort {
    /// Name of the port: numbers differ between installations.
    pub name: String,
    /// Service port: never changed.
    pub port: i32,
    /// Node port before the run.
    pub from: i32,
    /// Node port during the pause.
    pub to: i32,
}

/// A loader before the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoaderBefore {
    /// The loader.
    pub loader: Loader,
    /// Replicas of a Deployment or StatefulSet.
    pub replicas: Option<i32>,
    /// Whether a CronJob was suspended.
    pub suspended: Option<bool>,
}

/// Node ports as Pachyderm's own backup procedure switches them. `pachctl deploy` allocates the numbers on the left.
pub(super) const DOCUMENTED_PORTS: &[(i32, i32)] = &[
    (30650, 30649),
    (30651, 30648),
    (30652, 30647),
    (30654, 30646),
    (30655, 30644),
    (30600, 30611),
    (30080, 30079),
    (30081, 30078),
];

impl UndoRecord {
    /// Format of the record that this version writes.
    pub(crate) const FORMAT: FormatVersion = FormatVersion { major: 1, minor: 0 };

    /// Writes down how the cluster is now, and what the run will change.
    pub(crate) async fn of(
        cluster: &Cluster,
        settings: &SnapshotSettings,
        run: &str,
        loaders: Vec<LoaderBefore>,
    ) -> Result<Self> {
        let branches = work::branches(&cluster.pachd).await?;
        let provenance: BTreeMap<String, Vec<String>> = branches
            .iter()
            .filter_map(|info| Some((info.branch.as_ref()?.to_string(), sorted_names(&info.direct_provenance))))
            .collect();
        let pipelines = cluster
            .pipelines
            .iter()
            .map(|pipeline| PipelineBefore {
                name: pipeline.name.clone(),
                version: pipeline.version,
                state: pipeline.state,
                stopped: pipeline.stopped,
                to_stop: pipeline.has_to_stop(),
                output_branch: pipeline.output_branch.clone(),
                provenance: provenance
                    .get(&format!("{}@{}", pipeline.name, pipeline.output_branch))
                    .cloned()
                    .unwrap_or_default(),
            })
            .collect();
        let services = cluster.services.iter().filter_map(|service| {
            let ports: Vec<FencedPort> = match settings.fence {
                FenceMode::Ports => service
                    .ports
                    .iter()
                    .filter_map(|port| {
                        let from = port.node_port?;
                        Some(FencedPort {
                            name: port.name.clone(),
                            port: port.port,
                            from,
                            to: switched(settings, from)?,
                        })
                    })
                    .collect(),
                FenceMode::Selector | FenceMode::None => Vec::new(),
            };
            let by_selector = settings.fence == FenceMode::Selector;
            (by_selector || !ports.is_empty()).then(|| ServiceBefore {
                name: service.name.clone(),
                uid: service.uid.clone(),
                by_selector,
                ports,
            })
        });
        Ok(Self {
            format: Self::FORMAT,
            run: run.to_owned(),
            written: Timestamp::now(),
            namespace: cluster.namespace().to_owned(),
            services: services.collect(),
            pipelines,
            loaders,
        })
    }
}

fn switched(settings: &SnapshotSettings, from: i32) -> Option<i32> {
    if settings.port_map.is_empty() {
        return DOCUMENTED_PORTS.iter().find(|(documented, _)| *documented == from).map(|(_, to)| *to);
    }
    settings.port_map.get(&from).copied()
}

/// Branches as sorted `repo@branch`.
pub(super) fn sorted_names(branches: &[pachyderm::proto::pfs::Branch]) -> Vec<String> {
    let mut names: Vec<String> = branches.iter().map(ToString::to_string).collect();
    names.sort();
    names
}
