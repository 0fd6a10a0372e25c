//! Service `etcdserverpb.KV`: keys and values.

use bytes::Bytes;

use super::ResponseHeader;

/// A key with its value.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct KeyValue {
    /// The key.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    /// Revision at which it was created.
    #[prost(int64, tag = "2")]
    pub create_revision: i64,
    /// Revision of its last change.
    #[prost(int64, tag = "3")]
    pub mod_revision: i64,
    /// Changes since it was created, from 1.
    #[prost(int64, tag = "4")]
    pub version: i64,
    /// The value.
    #[prost(bytes = "bytes", tag = "5")]
    pub value: Bytes,
    /// Its lease; 0 is none.
    #[prost(int64, tag = "6")]
    pub lease: i64,
}

/// Order of a range's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum SortOrder {
    /// By key.
    None = 0,
    /// Ascending.
    Ascend = 1,
    /// Descending.
    Descend = 2,
}

/// What a range's answer is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum SortTarget {
    /// The key.
    Key = 0,
    /// Changes since creation.
    Version = 1,
    /// Revision of creation.
    Create = 2,
    /// Revision of the last change.
    Mod = 3,
    /// The value.
    Value = 4,
}

/// Asks for keys.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct RangeRequest {
    /// The key, or the first of a range.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    /// One after the last; empty asks for one key, a zero byte for all from `key` on.
    #[prost(bytes = "bytes", tag = "2")]
    pub range_end: Bytes,
    /// At most so many; 0 is all.
    #[prost(int64, tag = "3")]
    pub limit: i64,
    /// At this revision; 0 is the newest.
    #[prost(int64, tag = "4")]
    pub revision: i64,
    /// A [`SortOrder`].
    #[prost(int32, tag = "5")]
    pub sort_order: i32,
    /// A [`SortTarget`].
    #[prost(int32, tag = "6")]
    pub sort_target: i32,
    /// Answer from the member's own state, maybe stale.
    #[prost(bool, tag = "7")]
    pub serializable: bool,
    /// Without values.
    #[prost(bool, tag = "8")]
    pub keys_only: bool,
    /// Without keys.
    #[prost(bool, tag = "9")]
    pub count_only: bool,
    /// Only keys last changed at or after it.
    #[prost(int64, tag = "10")]
    pub min_mod_revision: i64,
    /// Only keys last changed at or before it.
    #[prost(int64, tag = "11")]
    pub max_mod_revision: i64,
    /// Only keys created at or after it.
    #[prost(int64, tag = "12")]
    pub min_create_revision: i64,
    /// Only keys created at or before it.
    #[prost(int64, tag = "13")]
    pub max_create_revision: i64,
}

/// Keys.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct RangeResponse {
    /// The header.
    #[prost(message, optional, tag = "1")]
    pub header: Option<ResponseHeader>,
    /// One for each key.
    #[prost(message, repeated, tag = "2")]
    pub kvs: Vec<KeyValue>,
    /// There are more keys than `limit`.
    #[prost(bool, tag = "3")]
    pub more: bool,
    /// Number of keys in the range, whatever `limit` is.
    #[prost(int64, tag = "4")]
    pub count: i64,
}

/// Puts a key.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct PutRequest {
    /// The key.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    /// Its value.
    #[prost(bytes = "bytes", tag = "2")]
    pub value: Bytes,
    /// Its lease; 0 is none.
    #[prost(int64, tag = "3")]
    pub lease: i64,
    /// Answer with what it was before.
    #[prost(bool, tag = "4")]
    pub prev_kv: bool,
    /// Keep the value.
    #[prost(bool, tag = "5")]
    pub ignore_value: bool,
    /// Keep the lease.
    #[prost(bool, tag = "6")]
    pub ignore_lease: bool,
}

/// The answer to a put.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct PutResponse {
    /// The header.
    #[prost(message, optional, tag = "1")]
    pub header: Option<ResponseHeader>,
    /// What it was before, if asked for.
    #[prost(message, optional, tag = "2")]
    pub prev_kv: Option<KeyValue>,
}

/// Deletes keys.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct DeleteRangeRequest {
    /// The key, or the first of a range.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    /// As in [`RangeRequest`].
    #[prost(bytes = "bytes", tag = "2")]
    pub range_end: Bytes,
    /// Answer with what they were before.
    #[prost(bool, tag = "3")]
    pub prev_kv: bool,
}

/// The answer to a deletion.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct DeleteRangeResponse {
    /// The header.
    #[prost(message, optional, tag = "1")]
    pub header: Option<ResponseHeader>,
    /// Number of keys deleted.
    #[prost(int64, tag = "2")]
    pub deleted: i64,
    /// What they were before, if asked for.
    #[prost(message, repeated, tag = "3")]
    pub prev_kvs: Vec<KeyValue>,
}
