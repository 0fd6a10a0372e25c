//! Makes the clone equal to the source.

use std::sync::Arc;

use super::copier::WhenChanged;
use super::known::Before;
use super::ledger::Ledger;
use super::order::Kind;
use super::pass::{Extra, Looked, Manner, pass};
use super::report::ClonePass;
use super::{CloneSpec, Result};

/// Makes the clone equal to the source, kind by kind: `tag/`, `object/`, `block/`, everything else, each listed when its
/// turn comes.
///
/// What is recorded of the clone and confirmed by the source's listing is skipped; everything else is copied; then keys that only
/// the clone has are deleted: a stale `object/` key whose block is missing would make the restored cluster lose data. The
/// new inventory has every object of the clone. Dropping the future leaves only whole objects.
///
/// # Errors
/// [`CloneError`](super::CloneError), any variant. The clone is then between two states; the pass can be made again.
pub async fn final_pass(spec: &CloneSpec, before: &Before, ledger: &Arc<Ledger>) -> Result<ClonePass> {
    let manner = Manner { when_changed: WhenChanged::LookAgain, extra: Extra::Delete };
    pass(Looked::at(spec, before, ledger).await?, &Kind::ALL, manner, ledger).await
}
