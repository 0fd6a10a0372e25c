//! The clone against buckets in memory: exact whatever happens meanwhile.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

#[path = "../hooked/mod.rs"]
mod hooked;

mod cancelled;
mod changes;
mod exact;
mod faults;
mod inventory_files;
mod kind_order;
mod refusals;
mod two_passes;
mod verification;
mod world;
