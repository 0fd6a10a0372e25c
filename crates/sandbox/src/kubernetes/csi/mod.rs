//! The CSI driver of the sandbox: volumes and snapshots are folders, its faults can be switched.

mod driver;
mod folders;
mod switches;

pub use driver::CsiDriver;
pub(crate) use driver::Snapshot;
pub use switches::CsiCall;
pub(crate) use switches::CsiError;

/// The name of the sandbox's CSI driver, as a StorageClass names its provisioner.
pub const CSI_DRIVER: &str = "csidir.pachsnap.io";
