//! A clone for its own sake: without a cluster, locked while it is written, and brought up to date again and again.

use std::fmt;
use std::sync::Arc;

use super::context::Context;
use super::copier::WhenChanged;
use super::lock::{Holder, Lock, LockTimes};
use super::order::Kind;
use super::pass::{Extra, Manner, pass};
use super::report::ClonePass;
use super::state::CloneState;
use super::{CloneSpec, Result, destination};

/// Tells whether the holder of a lock is dead, or alive, where that can be known at once.
pub type IsDead = Arc<dyn Fn(&Holder) -> Option<bool> + Send + Sync>;

/// A clone to bring up to date.
#[derive(Clone)]
pub struct CloneJob {
    /// What to clone, where to, and how.
    pub spec: CloneSpec,
    /// Who writes.
    pub holder: Holder,
    /// Tells whether another writer is dead.
    pub is_dead: IsDead,
    /// Whether keys that the source lacks are deleted from the clone.
    pub delete_extra: bool,
    /// Whether the clone is listed too, for somebody else may have written to it since the last pass.
    pub look: bool,
}

impl fmt::Debug for CloneJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloneJob").field("spec", &self.spec).field("holder", &self.holder).finish_non_exhaustive()
    }
}

/// Brings a clone up to date: it goes on with a pass that was interrupted, else it makes a new one.
///
/// # Errors
/// [`CloneError`](super::CloneError), any variant. What was copied stays, and what is kept of it is not copied again.
pub async fn bring_up_to_date(job: &CloneJob, state: &CloneState) -> Result<ClonePass> {
    // Nothing may be written into the source, not even a lock.
    destination::ensure_apart(&Context::new(&job.spec))?;
    let is_dead = |holder: &Holder| (job.is_dead)(holder);
    let lock = Lock::take(&job.spec.destination, job.holder.clone(), is_dead, LockTimes::default()).await?;
    let passed = tokio::select! {
        biased;
        lost = lock.lost() => Err(lost),
        passed = make_pass(job, state) => passed,
    };
    let given_back = lock.give_back().await;
    let passed = passed?;
    given_back.map(|()| passed)
}

async fn make_pass(job: &CloneJob, state: &CloneState) -> Result<ClonePass> {
    let before = state.before(job.look).await?;
    let ledger = Arc::new(state.ledger().await?);
    let extra = if job.delete_extra { Extra::Delete } else { Extra::Ignore };
    let manner = Manner { when_changed: WhenChanged::LookAgain, extra };
    let passed = pass(&job.spec, &Kind::ALL, manner, &before, &ledger).await?;
    state.finish(&ledger, &passed.report).await?;
    Ok(passed)
}
