//! Service `etcdserverpb.Watch`.

use bytes::Bytes;

use super::{KeyValue, ResponseHeader};

/// One message of a watch stream: one member is set.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct WatchRequest {
    /// Begin a watch.
    #[prost(message, optional, tag = "1")]
    pub create_request: Option<WatchCreateRequest>,
    /// End a watch.
    #[prost(message, optional, tag = "2")]
    pub cancel_request: Option<WatchCancelRequest>,
    /// Ask how far the stream is (3.4 and later).
    #[prost(message, optional, tag = "3")]
    pub progress_request: Option<WatchProgressRequest>,
}

/// Begins a watch.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct WatchCreateRequest {
    /// The key, or the first of a range.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    /// As in [`RangeRequest`](super::RangeRequest).
    #[prost(bytes = "bytes", tag = "2")]
    pub range_end: Bytes,
    /// First revision to report; 0 is from now on.
    #[prost(int64, tag = "3")]
    pub start_revision: i64,
    /// Report progress now and then while nothing happens.
    #[prost(bool, tag = "4")]
    pub progress_notify: bool,
    /// Events to leave out: 0 puts, 1 deletions.
    #[prost(int32, repeated, tag = "5")]
    pub filters: Vec<i32>,
    /// Also what keys were before.
    #[prost(bool, tag = "6")]
    pub prev_kv: bool,
    /// Its number; 0 lets the server choose.
    #[prost(int64, tag = "7")]
    pub watch_id: i64,
    /// Large answers may come in pieces.
    #[prost(bool, tag = "8")]
    pub fragment: bool,
}

/// Ends a watch.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct WatchCancelRequest {
    /// Its number.
    #[prost(int64, tag = "1")]
    pub watch_id: i64,
}

/// Asks how far the stream is.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct WatchProgressRequest {}

/// One message of a watch stream.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct WatchResponse {
    /// The header; its revision is how far the watch is.
    #[prost(message, optional, tag = "1")]
    pub header: Option<ResponseHeader>,
    /// Number of the watch; -1 for all.
    #[prost(int64, tag = "2")]
    pub watch_id: i64,
    /// The watch has begun.
    #[prost(bool, tag = "3")]
    pub created: bool,
    /// The watch has ended.
    #[prost(bool, tag = "4")]
    pub canceled: bool,
    /// Not 0: ended since this and everything before it was compacted away.
    #[prost(int64, tag = "5")]
    pub compact_revision: i64,
    /// Why it ended.
    #[prost(string, tag = "6")]
    pub cancel_reason: String,
    /// More of the same answer follows.
    #[prost(bool, tag = "7")]
    pub fragment: bool,
    /// What happened.
    #[prost(message, repeated, tag = "11")]
    pub events: Vec<Event>,
}

/// What happened to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum EventType {
    /// It was put.
    Put = 0,
    /// It was deleted.
    Delete = 1,
}

/// Something that happened to a key.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Event {
    /// An [`EventType`].
    #[prost(int32, tag = "1")]
    pub r#type: i32,
    /// The key after it; of a deletion the key and the revision only.
    #[prost(message, optional, tag = "2")]
    pub kv: Option<KeyValue>,
    /// What it was before, if asked for and not compacted.
    #[prost(message, optional, tag = "3")]
    pub prev_kv: Option<KeyValue>,
}
