//! A Kubernetes API server with the objects of a Pachyderm deployment, in memory, on a loopback socket.
//!
//! It keeps objects as JSON, answers lists, watches, patches and subresources as a 1.36 API server does, and runs the
//! few controllers that a pause of Pachyderm depends on: workloads make pods, Services make endpoints. Nothing is ever
//! pulled, scheduled or executed: a pod is Running because a moment has passed.

mod authorization;
mod controllers;
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
mod status;
mod store;
mod watch;
mod workers;

pub use authorization::Rule;
pub use controllers::PodTiming;
pub use deployment::{Backend, Etcd, EtcdVolume, PachydermDeployment};
pub use faults::{Fault, FaultAction};
pub use port_forward::ForwardTarget;
pub use request_log::LoggedRequest;
pub use running::{KubernetesOptions, KubernetesServer};
pub use status::StatusError;
pub use workers::{WorkerControl, Workers};
