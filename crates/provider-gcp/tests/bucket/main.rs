//! Buckets of Cloud Storage keep the contract, on the sandbox's server, which has bad days.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs)]

mod bad_days;
mod bodies;
mod conforms;
mod copies;
mod credentials;
mod facts;
mod many;
mod place;
