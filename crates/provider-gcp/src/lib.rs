//! The Google Cloud provider: snapshots of Persistent Disks, buckets of Cloud Storage.

mod bucket;
mod config;
mod credentials;
mod error;
mod roles;
mod volume;

pub use bucket::{GcsBucket, GcsFacts};
pub use config::{GcsConfig, GcsTimeouts};
pub use credentials::GoogleCredentials;
pub use error::GcsRefusal;
pub use roles::Place;
pub use volume::{PdOptions, PdProblem, PdPurpose, PdRefusal, PdSnapshots};
