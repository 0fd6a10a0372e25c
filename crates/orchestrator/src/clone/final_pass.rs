//! Makes the clone equal to the source.

use std::path::Path;

use super::copier::WhenChanged;
use super::inventory::Inventory;
use super::kind_pass::{Extra, Manner};
use super::order::Kind;
use super::pre_copy::pass;
use super::report::ClonePass;
use super::{CloneSpec, Result};

/// Makes the clone equal to the source, kind by kind: `tag/`, `object/`, `block/`, everything else, each listed when its
/// turn comes.
///
/// What `known` (the pre-copy's inventory) records and both listings confirm is skipped; everything else is copied; keys that
/// only the clone has are deleted: a stale `object/` key whose block is missing would make the restored cluster lose data.
/// The new inventory, in `inventory_folder` (which must hold none yet), has every object of the clone. Dropping the
/// future leaves only whole objects.
///
/// # Errors
/// [`CloneError`](super::CloneError), any variant. The clone is then between two states; the pass can be made again.
pub async fn final_pass(spec: &CloneSpec, known: Option<&Inventory>, inventory_folder: &Path) -> Result<ClonePass> {
    let manner = Manner { when_changed: WhenChanged::LookAgain, extra: Extra::Delete };
    pass(spec, &Kind::ALL, manner, known, inventory_folder).await
}
