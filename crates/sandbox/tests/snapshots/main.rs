//! Volume snapshots of the sandbox's CSI driver, through a real client: each case as it was recorded on real controllers.
#![cfg(feature = "kubernetes")]
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod api;
mod bench;
mod cluster;
mod creation;
mod deletion;
mod failures;
mod restore;
