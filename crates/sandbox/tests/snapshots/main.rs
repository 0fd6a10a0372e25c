//! Volume snapshots, through a real client: each case on the real controllers over a CSI driver whose volumes are folders, and on
//! the sandbox's.
#![cfg(feature = "programs")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs)]

mod api;
mod bench;
mod cluster;
mod creation;
mod deletion;
mod failures;
mod restore;
