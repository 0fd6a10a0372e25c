//! The S3 protocol: one [`provider::Bucket`] over `aws-sdk-s3` for AWS, MinIO, Ceph and the rest.
//!
//! What stores do differently is data ([`Quirks`]), chosen by a preset and single fields of the configuration. Nothing here retries:
//! each request is sent once, and its error says whether another try helps.

mod bucket;
mod client;
mod config;
mod encoding;
mod error;
mod location;
mod quirks;

pub use bucket::S3Bucket;
pub use config::{CredentialsConfig, S3Config, Secret, Timeouts};
pub use quirks::{QuirkOverrides, Quirks, StoreKind};
