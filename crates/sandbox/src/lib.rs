//! Servers that no public emulator offers, each on a loopback socket: pachd with its etcd, a Kubernetes API, S3,
//! EC2, Google Cloud Storage, Google's Compute Engine.
//!
//! They speak the real protocols, are reached through the real SDKs, and have their faults and latency switchable.
//! Tests, benchmarks and `pachsnap demo` start them.

#[cfg(all(feature = "kubernetes", feature = "pachd", feature = "s3"))]
pub mod cluster;
#[cfg(feature = "compute")]
pub mod compute;
#[cfg(feature = "ec2")]
pub mod ec2;
#[cfg(any(feature = "gcs", feature = "s3"))]
pub mod fault_script;
#[cfg(feature = "gcs")]
pub mod gcs;
#[cfg(any(feature = "compute", feature = "ec2", feature = "kubernetes"))]
mod http1;
#[cfg(feature = "s3")]
pub mod iam;
#[cfg(feature = "kubernetes")]
pub mod kubernetes;
#[cfg(feature = "pachd")]
pub mod pachd;
#[cfg(any(feature = "fake-gcs", feature = "minio", feature = "moto"))]
pub mod programs;
#[cfg(any(feature = "compute", feature = "ec2"))]
pub mod request_faults;
#[cfg(feature = "s3")]
pub mod s3;
#[cfg(any(feature = "gcs", feature = "s3"))]
mod traffic;
