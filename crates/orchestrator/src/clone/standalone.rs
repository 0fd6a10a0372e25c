//! A clone for its own sake: without a cluster, locked while it is written, and brought up to date again and again.

use std::fmt;
use std::sync::Arc;

use super::context::Context;
use super::copier::WhenChanged;
use super::lock::{Holder, Lock, LockTimes, Writer};
use super::order::Kind;
use super::pass::{Extra, Looked, Manner, pass};
use super::report::ClonePass;
use super::state::CloneState;
use super::{CloneSpec, Result, destination};

/// A clone to bring up to date.
#[derive(Clone)]
pub struct CloneJob {
    /// What to clone, where to, and how.
    pub spec: CloneSpec,
    /// What a person would look for, who finds the clone locked.
    pub name: String,
    /// Who writes.
    pub writer: Writer,
    /// Whether keys that the source lacks are deleted from the clone.
    pub delete_extra: bool,
    /// Whether the clone is listed too, for somebody else may have written to it since the last pass.
    pub look: bool,
}

impl fmt::Debug for CloneJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloneJob").field("spec", &self.spec).field("name", &self.name).finish_non_exhaustive()
    }
}

impl CloneJob {
    pub(super) fn holder(&self) -> Holder {
        Holder { name: self.name.clone(), process: self.writer.process.clone() }
    }
}

/// Brings a clone up to date: it goes on with a pass that was interrupted, else it makes a new one.
///
/// # Errors
/// [`CloneError`](super::CloneError), any variant. What was copied stays, and what is kept of it is not copied again.
pub async fn bring_up_to_date(job: &CloneJob, state: &CloneState) -> Result<ClonePass> {
    // Nothing may be written into the source, not even a lock.
    destination::ensure_apart(&Context::new(&job.spec))?;
    let is_dead = |holder: &Holder| (job.writer.is_dead)(holder);
    let times = LockTimes::default();
    let lock = Lock::take_whole(&job.spec.destination, job.holder(), &is_dead, times).await?;
    let passed = tokio::select! {
        biased;
        lost = lock.lost() => Err(lost),
        passed = make_pass(job, state, lock.ensure_no_shards(&is_dead, times)) => passed,
    };
    let given_back = lock.give_back().await;
    let passed = passed?;
    given_back.map(|()| passed)
}

/// Nothing is written to the clone before `alone` has ended well.
async fn make_pass(job: &CloneJob, state: &CloneState, alone: impl Future<Output = Result<()>>) -> Result<ClonePass> {
    let before = state.before(job.look).await?;
    let ledger = Arc::new(state.ledger().await?);
    let look = Looked::at(&job.spec, &before, &ledger);
    let (looked, ()) = futures::future::try_join(look, alone).await?;
    let extra = if job.delete_extra { Extra::Delete } else { Extra::Ignore };
    let manner = Manner { when_changed: WhenChanged::LookAgain, extra };
    let passed = pass(looked, &Kind::ALL, manner, &ledger).await?;
    state.finish(&ledger, &passed.report).await?;
    Ok(passed)
}
