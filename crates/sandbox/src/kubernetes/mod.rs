//! A Kubernetes API server with the objects of a Pachyderm deployment, in memory, on a loopback socket.
//!
//! It keeps objects as JSON, answers lists, watches, patches and subresources as a 1.36 API server does, and runs the
//! few controllers that a pause of Pachyderm depends on: workloads make pods, Services make endpoints. Nothing is ever
//! pulled, scheduled or executed: a pod is Running because a moment has passed.
//!
//! Claims of its CSI driver get volumes, and VolumeSnapshots of them are cut; volumes and snapshots are folders.

mod authorization;
mod controllers;
mod csi;
mod deployment;
mod discovery;
mod faults;
pub(crate) mod kubeconfig;
mod list;
mod objects;
mod patch;
mod port_forward;
mod request;
mod request_body;
mod request_log;
mod resource_types;
mod running;
mod scale;
mod selector;
mod server;
mod services;
mod snapshot_rules;
mod status;
mod store;
mod view;
mod watch;
mod workers;

pub use authorization::Rule;
pub use controllers::{PodTiming, StorageTiming};
pub use csi::{CSI_DRIVER, CsiCall, CsiDriver};
pub use deployment::{Backend, Etcd, EtcdVolume, PachydermDeployment, TopologyLabels};
pub use faults::{Fault, FaultAction};
pub use port_forward::ForwardTarget;
pub use request_log::LoggedRequest;
pub use running::{KubernetesOptions, KubernetesServer};
pub use status::StatusError;
pub use tonic::Code as GrpcCode;
pub(crate) use view::KubernetesView;
#[cfg(feature = "programs")]
pub(crate) use workers::objects_of as worker_objects;
pub use workers::{WorkerControl, Workers};
