//! The gRPC paths of etcd's methods, for callers and for servers that stand in for etcd.

/// `KV.Range`
pub const RANGE: &str = "/etcdserverpb.KV/Range";
/// `KV.Put`
pub const PUT: &str = "/etcdserverpb.KV/Put";
/// `KV.DeleteRange`
pub const DELETE_RANGE: &str = "/etcdserverpb.KV/DeleteRange";
/// `KV.Txn`
pub const TXN: &str = "/etcdserverpb.KV/Txn";
/// `Lease.LeaseGrant`
pub const LEASE_GRANT: &str = "/etcdserverpb.Lease/LeaseGrant";
/// `Watch.Watch`
pub const WATCH: &str = "/etcdserverpb.Watch/Watch";
/// `Maintenance.Status`
pub const STATUS: &str = "/etcdserverpb.Maintenance/Status";
/// `Maintenance.Alarm`
pub const ALARM: &str = "/etcdserverpb.Maintenance/Alarm";
/// `Maintenance.Snapshot`
pub const SNAPSHOT: &str = "/etcdserverpb.Maintenance/Snapshot";
/// `Cluster.MemberList`
pub const MEMBER_LIST: &str = "/etcdserverpb.Cluster/MemberList";
