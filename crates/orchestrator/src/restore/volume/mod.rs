//! The path by the disk's snapshot: what it takes to put a disk under the target's etcd.

mod bare;
mod chosen;
mod claim;
mod disk;

pub(super) use chosen::{Chosen, choose};
pub(super) use claim::{keep_volume, replace};
pub(super) use disk::{compare, scale, start, stop};
