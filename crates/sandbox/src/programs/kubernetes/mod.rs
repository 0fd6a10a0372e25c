//! A real Kubernetes API, and over it real CSI snapshots, as plain processes: no root, no container, no kubelet.
//!
//! [`ApiServer`] is etcd and kube-apiserver: objects are stored and nothing moves. [`KubernetesBench`] adds the
//! controllers, a node whose pods kwok calls ready, and the snapshot controllers over a CSI driver whose volumes are
//! folders. Both can be shared by all tests of a binary in a static: they end with the test process. They hold nothing
//! of an async runtime; each test makes a client of its own.

mod api_server;
mod audit;
mod bench;
mod binaries;
mod controllers;
mod credentials;
mod csi_driver;
mod first_objects;
mod flags;

pub use api_server::{ApiServer, ApiServerOptions};
pub use audit::AuditEvent;
pub use bench::KubernetesBench;
pub use binaries::kubectl;
pub use csi_driver::{CsiDriver, DRIVER};
pub use first_objects::{DELETE_CLASS, NODE, RETAIN_CLASS, STORAGE_CLASS};
