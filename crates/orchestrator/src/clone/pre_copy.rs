//! Fills the clone while the cluster runs.

use std::path::Path;
use std::sync::Arc;

use super::context::Context;
use super::copier::WhenChanged;
use super::inventory::{Inventory, InventoryWriter};
use super::kind_pass::{self, Extra, Manner};
use super::order::Kind;
use super::report::{ClonePass, CloneReport};
use super::{CloneSpec, Result, destination};

/// What a pre-copy copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PreCopyScope {
    /// Only blocks: nearly all of the bytes, and they never change under their key.
    Blocks,
    /// Everything. The final pass looks at every key again.
    Everything,
}

/// Copies what is there while the cluster runs, so that the pause is short. Deletes nothing.
///
/// `known` is the inventory of an earlier pass over the same clone; `inventory_folder` gets the new one and must hold
/// none yet. Objects that change meanwhile are left to the final pass. Dropping the future leaves only whole objects.
///
/// # Errors
/// [`CloneError`](super::CloneError), any variant. What was copied stays.
pub async fn pre_copy(
    spec: &CloneSpec,
    scope: PreCopyScope,
    known: Option<&Inventory>,
    inventory_folder: &Path,
) -> Result<ClonePass> {
    let manner = Manner { when_changed: WhenChanged::Leave, extra: Extra::Keep };
    let kinds: &[Kind] = match scope {
        PreCopyScope::Blocks => &[Kind::Block],
        PreCopyScope::Everything => &Kind::ALL,
    };
    pass(spec, kinds, manner, known, inventory_folder).await
}

/// One pass over some kinds, in the order given.
pub(super) async fn pass(
    spec: &CloneSpec,
    kinds: &[Kind],
    manner: Manner,
    known: Option<&Inventory>,
    inventory_folder: &Path,
) -> Result<ClonePass> {
    let context = Arc::new(Context::new(spec));
    destination::ensure_apart(&context)?;
    if known.is_none() {
        destination::ensure_ours(&context).await?;
    }
    let mut inventory = InventoryWriter::start(inventory_folder);
    let mut report = CloneReport::default();
    for kind in kinds {
        kind_pass::run(&context, *kind, known, manner, &mut inventory, &mut report).await?;
    }
    report.requests = context.requests();
    Ok(ClonePass { report, inventory: Inventory::of(inventory.finish().await?) })
}
