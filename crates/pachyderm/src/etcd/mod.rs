//! The etcd under pachd: its v3 API over gRPC, without the official client.

mod client;
pub mod proto;
mod range;
pub mod snapshot;
pub mod snapshot_file;
pub mod watch;
mod write;

pub use client::EtcdClient;
pub use range::Range;
