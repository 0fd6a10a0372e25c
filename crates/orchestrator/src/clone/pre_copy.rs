//! Fills the clone while the cluster runs.

use std::sync::Arc;

use super::copier::WhenChanged;
use super::known::Before;
use super::ledger::Ledger;
use super::order::Kind;
use super::pass::{Extra, Looked, Manner, pass};
use super::report::ClonePass;
use super::{CloneSpec, Result};

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
/// Objects that change meanwhile are left to the final pass. Dropping the future leaves only whole objects.
///
/// # Errors
/// [`CloneError`](super::CloneError), any variant; [`TooManyDeletes`](super::CloneError::TooManyDeletes) when the final
/// pass would have to delete too much. What was copied stays, and what the ledger keeps is not copied again.
pub async fn pre_copy(
    spec: &CloneSpec,
    scope: PreCopyScope,
    before: &Before,
    ledger: &Arc<Ledger>,
) -> Result<ClonePass> {
    let manner = Manner { when_changed: WhenChanged::Leave, extra: Extra::Keep };
    let kinds: &[Kind] = match scope {
        PreCopyScope::Blocks => &[Kind::Block],
        PreCopyScope::Everything => &Kind::ALL,
    };
    pass(Looked::at(spec, before, ledger).await?, kinds, manner, ledger).await
}
