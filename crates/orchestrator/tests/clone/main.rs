//! The clone against buckets in memory: exact whatever happens meanwhile.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, clippy::print_stdout)]

#[path = "../hooked/mod.rs"]
mod hooked;

mod cancelled;
mod changes;
mod deletes;
mod exact;
mod faults;
mod inventory_files;
mod key_maps;
mod kind_order;
mod listing;
mod locks;
mod refusals;
mod resume;
mod simulated;
mod two_passes;
mod verification;
mod world;
