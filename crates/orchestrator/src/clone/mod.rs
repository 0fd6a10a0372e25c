//! The clone of a bucket: exact, resumable, and with bounded memory at any number of objects.
//!
//! A clone belongs to one recovery point, and its keys are exactly the source's. It is made in two steps: [`pre_copy()`]
//! while the cluster runs, as often as wanted, and one [`final_pass()`] that makes the clone equal to the source.
//! `docs/clone.md` has the picture and what is true after each write.
//!
//! ```text
//! ranges ─► lister ─► decision ─► copier ─► recorder ─► inventory part ─► ledger
//!   ▲ an idle worker takes half           (in the order of the keys)
//! ```
//!
//! The final pass goes kind by kind, `tag/`, `object/`, `block/`, then everything else, and lists each kind when its turn
//! comes. Pachyderm writes a block before the object that points to it, and an object before the tag that points to that,
//! so what a copied key points to is there when its own kind is listed: the clone is *closed* by construction.
//!
//! The parts: [`ranges`] tells who lists which keys and cuts [`range`]s in half, by the [`alphabet`] of the keys; [`lister`] pages into a bounded channel;
//! [`decision`] merges what is listed with what an earlier pass recorded; [`copier`] copies one object; [`recorder`] brings the
//! results back into order and writes the [`inventory`]; [`ledger`] keeps its parts. [`shard`] joins these for one range,
//! [`worker`] runs shards side by side, [`threads`] runs workers, [`pass`] goes through the [`groups`] of keys and lets
//! [`extras`] delete what only the clone has. [`lanes`], [`pace`], [`distance`] and [`limits`] say how much may be in flight. [`kept_copies`] holds where
//! large copies are, [`pieces`] reads a large object, and [`plan`] cuts a clone into shards for other processes.

mod alphabet;
mod context;
mod copier;
mod decision;
mod destination;
mod distance;
mod empty;
mod error;
mod external_sort;
mod extras;
mod feed;
mod final_pass;
mod groups;
pub mod inventory;
mod kept_copies;
mod key_map;
mod known;
mod lanes;
mod ledger;
mod limits;
mod lister;
mod lock;
mod order;
mod overlap;
mod pace;
mod pass;
mod pieces;
mod plan;
mod pre_copy;
mod range;
mod ranges;
mod recorder;
mod report;
mod shard;
pub(crate) mod small_object;
mod spec;
mod standalone;
mod state;
mod stock;
mod survey;
mod threads;
mod transfer;
mod unfinished;
mod verify;
mod worker;

pub(crate) use empty::delete_where;
pub use empty::empty;
pub use error::{CloneError, Result};
pub use final_pass::final_pass;
pub use inventory::{Inventory, InventoryEntry, InventoryPart};
pub use key_map::{KeyMap, KeyMapError};
pub use known::Before;
pub use ledger::Ledger;
pub use limits::{Ceilings, RampedWrites};
pub use lock::{DRILL_LOCK, Holder, IsDead, Lock, LockTimes, Writer, is_lock};
pub use order::{CloneOrder, Kind, KindPrefixes};
pub use overlap::overlap;
pub use plan::{CloneShard, bring_shard_up_to_date, plan_shards};
pub use pre_copy::{PreCopyScope, pre_copy};
pub use range::KeyRange;
pub use report::{ClonePass, CloneReport, Requests};
pub use spec::{CloneProgress, CloneSpec, CopyPath, KeyFilter, Silent};
pub use standalone::{CloneJob, bring_up_to_date};
pub use state::{CloneIdentity, CloneState};
pub use survey::{Survey, survey};
pub use verify::{CloneDifferences, CloneVerification, Compared, verify_clone, verify_clone_with};
