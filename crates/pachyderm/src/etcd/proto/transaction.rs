//! Service `etcdserverpb.KV`: transactions.

use bytes::Bytes;

use super::{
    DeleteRangeRequest, DeleteRangeResponse, PutRequest, PutResponse, RangeRequest, RangeResponse, ResponseHeader,
};

/// How a comparison of a transaction is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum CompareResult {
    /// Equal.
    Equal = 0,
    /// Greater.
    Greater = 1,
    /// Less.
    Less = 2,
    /// Not equal.
    NotEqual = 3,
}

/// What a transaction compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum CompareTarget {
    /// Changes since creation.
    Version = 0,
    /// Revision of creation.
    Create = 1,
    /// Revision of the last change.
    Mod = 2,
    /// The value.
    Value = 3,
    /// The lease.
    Lease = 4,
}

/// One comparison of a transaction. Of the five operands the one that `target` names is set.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Compare {
    /// A [`CompareResult`].
    #[prost(int32, tag = "1")]
    pub result: i32,
    /// A [`CompareTarget`].
    #[prost(int32, tag = "2")]
    pub target: i32,
    /// The key.
    #[prost(bytes = "bytes", tag = "3")]
    pub key: Bytes,
    /// Compared with its changes since creation.
    #[prost(int64, optional, tag = "4")]
    pub version: Option<i64>,
    /// Compared with its revision of creation.
    #[prost(int64, optional, tag = "5")]
    pub create_revision: Option<i64>,
    /// Compared with its revision of the last change.
    #[prost(int64, optional, tag = "6")]
    pub mod_revision: Option<i64>,
    /// Compared with its value.
    #[prost(bytes = "bytes", optional, tag = "7")]
    pub value: Option<Bytes>,
    /// Compared with its lease.
    #[prost(int64, optional, tag = "8")]
    pub lease: Option<i64>,
    /// Compare all keys from `key` to here.
    #[prost(bytes = "bytes", tag = "64")]
    pub range_end: Bytes,
}

/// One operation of a transaction: one member is set.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct RequestOp {
    /// Ask for keys.
    #[prost(message, optional, tag = "1")]
    pub request_range: Option<RangeRequest>,
    /// Put a key.
    #[prost(message, optional, tag = "2")]
    pub request_put: Option<PutRequest>,
    /// Delete keys.
    #[prost(message, optional, tag = "3")]
    pub request_delete_range: Option<DeleteRangeRequest>,
    /// Another transaction.
    #[prost(message, optional, boxed, tag = "4")]
    pub request_txn: Option<Box<TxnRequest>>,
}

/// The answer to one operation of a transaction: one member is set.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ResponseOp {
    /// Keys.
    #[prost(message, optional, tag = "1")]
    pub response_range: Option<RangeResponse>,
    /// Of a put.
    #[prost(message, optional, tag = "2")]
    pub response_put: Option<PutResponse>,
    /// Of a deletion.
    #[prost(message, optional, tag = "3")]
    pub response_delete_range: Option<DeleteRangeResponse>,
    /// Of another transaction.
    #[prost(message, optional, boxed, tag = "4")]
    pub response_txn: Option<Box<TxnResponse>>,
}

/// Does operations together, by the outcome of comparisons.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct TxnRequest {
    /// All must hold.
    #[prost(message, repeated, tag = "1")]
    pub compare: Vec<Compare>,
    /// Done if they do.
    #[prost(message, repeated, tag = "2")]
    pub success: Vec<RequestOp>,
    /// Done if not.
    #[prost(message, repeated, tag = "3")]
    pub failure: Vec<RequestOp>,
}

/// The answer to a transaction.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct TxnResponse {
    /// The header.
    #[prost(message, optional, tag = "1")]
    pub header: Option<ResponseHeader>,
    /// The comparisons held.
    #[prost(bool, tag = "2")]
    pub succeeded: bool,
    /// One for each operation done.
    #[prost(message, repeated, tag = "3")]
    pub responses: Vec<ResponseOp>,
}
