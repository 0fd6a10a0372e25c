//! pachd 1.13.4 with its etcd, on loopback sockets.
//!
//! All state lives in etcd's key space and in the bucket; whatever is answered is read from there.

pub mod api;
pub mod etcd;
pub mod folder;
pub mod grpc;
mod master;
pub mod objects;
mod outputs;
pub mod pipelines;
mod provenance;
pub mod recorded;
pub mod recorded_stream;
mod records;
mod running;
mod specification;
pub mod state;

pub use api::{AuthOptions, AuthToken, ExtractClock};
pub use running::{PachdOptions, PachdServer};
