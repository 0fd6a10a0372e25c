//! The clone of a Pachyderm bucket: exact, resumable from its inventory, and with bounded memory.
//!
//! A clone belongs to one recovery point, and its keys are exactly the source's. It is made in two steps: [`pre_copy()`]
//! while the cluster runs, as often as wanted, and one [`final_pass()`] that makes the clone equal to the source.
//!
//! The final pass goes kind by kind, `tag/`, `object/`, `block/`, then everything else, and lists each kind when its turn
//! comes. Pachyderm writes a block before the object that points to it, and an object before the tag that points to that,
//! so what a copied key points to is there when its own kind is listed: the clone is *closed* by construction.
//!
//! ```text
//! source listing ────┐
//! clone's listing ───┼─► decision ─► copy | skip | delete ─► inventory (sorted Parquet)
//! inventory before ──┘
//! ```
//!
//! The parts: [`lister`] pages into a bounded channel, [`decision`] merges three sorted streams, [`copier`] copies one object,
//! [`kind_pass`] runs many of them at once at the [`pace`] that the store allows, [`inventory`] keeps the result.

mod context;
mod copier;
mod decision;
mod destination;
mod error;
mod feed;
mod final_pass;
pub mod inventory;
mod kind_pass;
mod lister;
mod order;
mod overlap;
mod pace;
mod pre_copy;
mod report;
mod spec;
mod transfer;
mod unfinished;
mod verify;

pub use error::{CloneError, Result};
pub use final_pass::final_pass;
pub use inventory::{Inventory, InventoryEntry, InventoryPart};
pub use order::{CloneOrder, Kind, KindPrefixes};
pub use overlap::overlap;
pub use pre_copy::{PreCopyScope, pre_copy};
pub use report::{ClonePass, CloneReport};
pub use spec::{CloneProgress, CloneSpec, CopyPath, Silent};
pub use verify::{CloneDifferences, CloneVerification, verify_clone};
