//! The on-premises provider: directories ([`FileBucket`]) and S3-compatible stores ([`s3`]).
//!
//! Directories serve two ends: the storage root of a cluster with the LOCAL backend, and vaults.

mod bucket;
mod config;
mod error;

pub use bucket::FileBucket;
pub use config::{FileOptions, MissingRoot, Scratch, file_url, path_of_url};
pub use error::FileError;
pub use s3;
