//! The sandbox's pachd, over real sockets.

#![cfg(feature = "pachd")]
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, unreachable_pub)]

mod auth;
mod client;
mod connections;
mod extract;
mod pipelines;
mod restore;
mod timeline;

#[path = "../recorded_files/mod.rs"]
mod recorded_files;
