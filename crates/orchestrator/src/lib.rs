//! The workflows of pachsnap: take a recovery point, put a cluster back, check a recovery point, restore
//! a cluster from one.
//!
//! Nothing here prints, reads the environment, or exits: workflows emit [`event::Event`]s and return values.

mod bucket_reader;
mod cancel;
pub mod clone;
pub mod clone_progress;
pub mod clone_use;
pub mod cluster;
mod digest;
pub mod drill;
pub mod error;
pub mod event;
pub mod job;
pub mod manifest;
pub mod outcome;
pub mod pause;
pub mod removal;
pub mod restore;
pub mod retry;
pub mod run_id;
pub mod snapshot;
pub mod vault;
pub mod verify;

pub use error::{Error, ErrorKind, Result};
