//! Pachyderm 1.x and its etcd: gRPC clients, extract-stream codec, bucket layout and key maps.
//!
//! Knows nothing of clouds or Kubernetes, prints nothing, reads no environment. Message types are written by hand from
//! the field numbers of Pachyderm 1.13.4; unknown fields and newer enum values never break decoding.

pub mod client;
pub mod error;
pub mod etcd;
pub mod hashtree;
pub mod layout;
pub mod offline;
pub mod proto;
pub mod stream;
pub mod wire;
