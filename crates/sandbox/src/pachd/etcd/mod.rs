//! etcd in memory: a multi-version key space behind the gRPC services that backup tools use.
//!
//! Its snapshots are real bolt files; `etcdctl snapshot restore` takes them.

pub mod bolt_writer;
pub mod key_value;
pub mod membership;
pub mod mvcc;
pub mod server;
pub mod snapshot;
pub mod watch;

pub use membership::Membership;
pub use mvcc::Store;
pub use server::EtcdService;
pub use snapshot::Identity;
