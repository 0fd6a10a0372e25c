//! The Google Cloud provider: snapshots of Persistent Disks, buckets of Cloud Storage.

mod roles;
mod volume;

pub use roles::{Place, Purpose};
pub use volume::{PdOptions, PdProblem, PdPurpose, PdRefusal, PdSnapshots};
