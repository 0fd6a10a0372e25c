//! Service `etcdserverpb.Lease`: keys that end by themselves.

use super::ResponseHeader;

/// Grants a lease.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct LeaseGrantRequest {
    /// Seconds until it ends, unless it is kept alive.
    #[prost(int64, tag = "1")]
    pub ttl: i64,
    /// Its id; 0 lets etcd choose.
    #[prost(int64, tag = "2")]
    pub id: i64,
}

/// The answer to a grant.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct LeaseGrantResponse {
    /// The header.
    #[prost(message, optional, tag = "1")]
    pub header: Option<ResponseHeader>,
    /// Its id.
    #[prost(int64, tag = "2")]
    pub id: i64,
    /// Seconds that were granted.
    #[prost(int64, tag = "3")]
    pub ttl: i64,
    /// Why none was granted, if so.
    #[prost(string, tag = "4")]
    pub error: String,
}
