//! The messages of etcd's v3 API that are used or served here, by the field numbers of etcd 3.4.
//!
//! Enumerated fields are plain `i32`, so newer values decode; see [`known`](crate::proto::known).

mod key_value;
mod lease;
mod maintenance;
pub mod method;
mod transaction;
mod watch;
pub use key_value::*;
pub use lease::*;
pub use maintenance::*;
pub use transaction::*;
pub use watch::*;

/// Begins every answer.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ResponseHeader {
    /// Names the etcd cluster.
    #[prost(uint64, tag = "1")]
    pub cluster_id: u64,
    /// Names the member that answered.
    #[prost(uint64, tag = "2")]
    pub member_id: u64,
    /// Revision of the key space when the answer was made.
    #[prost(int64, tag = "3")]
    pub revision: i64,
    /// Term of the answering member.
    #[prost(uint64, tag = "4")]
    pub raft_term: u64,
}
