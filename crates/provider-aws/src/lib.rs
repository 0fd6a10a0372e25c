//! The AWS provider: snapshots of EBS volumes ([`EbsSnapshots`]). Buckets of Amazon S3 are served by the crate [`s3`].
//!
//! EC2's Query API (2016-11-15), through `aws-sdk-ec2`.

mod client;
mod config;
mod error;
mod policy;
mod rights;
mod volume;

pub use config::EbsOptions;
pub use error::{EbsProblem, Refusal};
pub use policy::{Needs, Place, Volumes};
pub use rights::{EbsPurpose, KMS_ACTIONS};
pub use s3;
pub use volume::EbsSnapshots;
