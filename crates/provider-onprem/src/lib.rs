//! The on-premises provider: snapshots of CSI volumes ([`CsiSnapshots`]), directories ([`FileBucket`]) and S3-compatible
//! stores ([`s3`]).
//!
//! Directories serve two ends: the storage root of a cluster with the LOCAL backend, and vaults.

mod bucket;
mod client;
mod config;
mod error;
mod volume;

pub use bucket::FileBucket;
pub use config::{CsiOptions, DeletionPolicy, FileOptions, MissingRoot, Scratch, file_url, path_of_url};
pub use error::FileError;
pub use s3;
pub use volume::{CsiSnapshots, SnapshotProblem};
