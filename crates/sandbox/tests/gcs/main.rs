//! The Cloud Storage server, reached by the official SDK, by a plain gRPC client and by plain HTTP.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod buckets;
mod content;
mod faults;
mod listing;
mod objects;
mod raw;
mod rewrites;
mod rights;
mod sdk;
