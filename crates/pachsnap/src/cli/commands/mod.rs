//! One file per command.

pub(crate) mod clone;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod delete;
#[cfg(feature = "demo")]
pub(crate) mod demo;
pub(crate) mod discover;
pub(crate) mod drill;
pub(crate) mod extract;
pub(crate) mod finish;
#[cfg(any(feature = "aws", feature = "gcp"))]
pub(crate) mod iam;
pub(crate) mod list;
pub(crate) mod pause;
pub(crate) mod plan;
pub(crate) mod prune;
pub(crate) mod rbac;
mod removal;
pub(crate) mod restore;
pub(crate) mod resume;
pub(crate) mod schema;
pub(crate) mod show;
pub(crate) mod snapshot;
pub(crate) mod verify;
