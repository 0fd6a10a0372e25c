//! Services `etcdserverpb.Maintenance` and `etcdserverpb.Cluster`.

use bytes::Bytes;

use super::ResponseHeader;

/// Asks a member how it is.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct StatusRequest {}

/// How a member is.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct StatusResponse {
    /// The header.
    #[prost(message, optional, tag = "1")]
    pub header: Option<ResponseHeader>,
    /// Version of the server.
    #[prost(string, tag = "2")]
    pub version: String,
    /// Bytes of the database file.
    #[prost(int64, tag = "3")]
    pub db_size: i64,
    /// The leader as this member sees it; 0 is none.
    #[prost(uint64, tag = "4")]
    pub leader: u64,
    /// Last entry of the log.
    #[prost(uint64, tag = "5")]
    pub raft_index: u64,
    /// Its term.
    #[prost(uint64, tag = "6")]
    pub raft_term: u64,
    /// Last entry applied (3.4 and later).
    #[prost(uint64, tag = "7")]
    pub raft_applied_index: u64,
    /// What is wrong with the member.
    #[prost(string, repeated, tag = "8")]
    pub errors: Vec<String>,
    /// Bytes of the database file in use.
    #[prost(int64, tag = "9")]
    pub db_size_in_use: i64,
    /// The member does not vote (3.4 and later).
    #[prost(bool, tag = "10")]
    pub is_learner: bool,
}

/// What an alarm is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum AlarmType {
    /// Nothing.
    None = 0,
    /// The database has reached its quota; writes are refused.
    NoSpace = 1,
    /// Members disagree.
    Corrupt = 2,
}

/// What to do with alarms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum AlarmAction {
    /// List them.
    Get = 0,
    /// Raise one.
    Activate = 1,
    /// Put one out.
    Deactivate = 2,
}

/// Lists or changes alarms.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct AlarmRequest {
    /// An [`AlarmAction`].
    #[prost(int32, tag = "1")]
    pub action: i32,
    /// Of this member; 0 is all.
    #[prost(uint64, tag = "2")]
    pub member_id: u64,
    /// An [`AlarmType`]; 0 is all.
    #[prost(int32, tag = "3")]
    pub alarm: i32,
}

/// An alarm.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct AlarmMember {
    /// Its member.
    #[prost(uint64, tag = "1")]
    pub member_id: u64,
    /// An [`AlarmType`].
    #[prost(int32, tag = "2")]
    pub alarm: i32,
}

/// Alarms.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct AlarmResponse {
    /// The header.
    #[prost(message, optional, tag = "1")]
    pub header: Option<ResponseHeader>,
    /// One for each.
    #[prost(message, repeated, tag = "2")]
    pub alarms: Vec<AlarmMember>,
}

/// Asks for a member's database.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct SnapshotRequest {}

/// A piece of a member's database. The last 32 bytes of all are SHA-256 of the rest.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct SnapshotResponse {
    /// The header. Its revision is 0 in 3.4.
    #[prost(message, optional, tag = "1")]
    pub header: Option<ResponseHeader>,
    /// Bytes of the database that are still to come. Those 32 are not counted.
    #[prost(uint64, tag = "2")]
    pub remaining_bytes: u64,
    /// The piece.
    #[prost(bytes = "bytes", tag = "3")]
    pub blob: Bytes,
}

/// Asks for the members.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct MemberListRequest {
    /// Ask the leader (3.5 and later).
    #[prost(bool, tag = "1")]
    pub linearizable: bool,
}

/// A member of an etcd cluster.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Member {
    /// Its number.
    #[prost(uint64, tag = "1")]
    pub id: u64,
    /// Its name; empty before it has started.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Where other members reach it.
    #[prost(string, repeated, tag = "3")]
    pub peer_urls: Vec<String>,
    /// Where clients reach it.
    #[prost(string, repeated, tag = "4")]
    pub client_urls: Vec<String>,
    /// It does not vote (3.4 and later).
    #[prost(bool, tag = "5")]
    pub is_learner: bool,
}

/// The members.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct MemberListResponse {
    /// The header.
    #[prost(message, optional, tag = "1")]
    pub header: Option<ResponseHeader>,
    /// One for each.
    #[prost(message, repeated, tag = "2")]
    pub members: Vec<Member>,
}
