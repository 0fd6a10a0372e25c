//! Recorded calls of a real pachd, made again against the sandbox's.

#![cfg(feature = "pachd")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, missing_docs, unreachable_pub)]

mod case;
mod compare;
mod empty_cluster;
mod moments;

#[path = "../recorded_files/mod.rs"]
mod recorded_files;
