//! The Google Cloud provider: snapshots of Persistent Disks, buckets of Cloud Storage.

mod volume;

pub use volume::{PdOptions, PdProblem, PdPurpose, PdRefusal, PdSnapshots};
