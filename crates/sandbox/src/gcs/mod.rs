//! A Google Cloud Storage server in memory.
//!
//! One port serves what the official SDK asks for: `google.storage.v2` over gRPC for buckets, listings, metadata, rewrites and
//! deletions, the JSON API for objects' bytes, and a Compute Engine metadata server with an OAuth endpoint for the tokens
//! that every call needs. Generations, preconditions, checksums, holds and retention are as Google documents them; a
//! [`FaultScript`] is for bad days.
//!
//! ```no_run
//! # async fn demo() -> std::io::Result<()> {
//! use sandbox::gcs::{Fault, FaultRule, GcsOptions, GcsServer, Operation};
//!
//! let server = GcsServer::start(GcsOptions::default()).await?;
//! server.bucket("data").put("block/1", "content", None);
//! server.faults().add(FaultRule::new(Fault::slow_down()).on(Operation::RewriteObject).times(3));
//! println!("{}", server.endpoint());
//! # Ok(())
//! # }
//! ```

mod accounts;
mod bucket_facts;
mod bucket_handle;
mod bucket_message;
mod connections;
mod download;
mod failure;
mod fault;
mod grpc;
mod grpc_buckets;
mod grpc_objects;
mod http_api;
mod json_object;
mod listing;
mod messages;
mod metadata_server;
mod multipart_related;
mod object;
mod operation;
mod options;
mod preconditions;
mod resumable;
mod rewrite;
mod rights;
mod server;
mod shared;
mod store;
mod times;
mod upload;
mod write;

pub use bucket_facts::BucketFacts;
pub use bucket_handle::BucketHandle;
pub use fault::{Fault, FaultRule, FaultScript};
pub use object::{Holds, Object, ObjectHeaders, ObjectRetention};
pub use operation::Operation;
pub use options::GcsOptions;
pub use rights::Permissions;
pub use server::GcsServer;
