//! The S3 protocol: one [`provider::Bucket`] for AWS, MinIO, Ceph and the rest.
//!
//! Copying and listing, which a clone does millions of times, are done by a client of their own ([`ClientKind::Lean`]), everything
//! else by `aws-sdk-s3`.
//!
//! What stores do differently is data ([`Quirks`]), chosen by a preset and single fields of the configuration. Nothing here retries:
//! each request is sent once, and its error says whether another try helps.

mod bucket;
mod class;
mod client;
mod config;
mod credentials;
mod encoding;
mod error;
mod hot;
mod quirks;
mod region;
mod terms;

pub use bucket::S3Bucket;
pub use config::{CredentialsConfig, Encryption, NewObjects, S3Config, Secret, Timeouts};
pub use error::is_untrusted;
pub use hot::choice::{ClientChoice, ClientKind, WhySdk};
pub use quirks::{QuirkOverrides, Quirks, StoreKind};

#[cfg(test)]
#[allow(clippy::unwrap_used)]
#[path = "../tests/raw_server/mod.rs"]
mod raw_server;
