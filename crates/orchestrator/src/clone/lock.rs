//! Keeps everybody else from writing to a clone while it is written.
//!
//! The lock is an object in the clone itself, under a key that no source may have, so that it holds for everybody who can
//! write there, whatever vault they use. Its holder rewrites it again and again. Whether a holder is dead is told by whether it
//! still does, never by comparing clocks.

use std::sync::Arc;
use std::time::Duration;

use provider::cleanup::Owed;
use provider::{Bucket, ErrorKind, Key, PutMode, PutRequest};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::{CloneError, Result, small_object};
use crate::retry::{RetryPolicy, retrying};

const KEY: &str = ".pachsnap-lock";
/// Largest lock that is read, in bytes.
const LARGEST: usize = 64 << 10;

/// Whether a key of a clone is its lock, which is no part of it.
#[must_use]
pub fn is_lock(key: &str) -> bool {
    key == KEY
}

/// Who writes to a clone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holder {
    /// The run, or what else a person would look for.
    pub name: String,
    /// Tells this process apart from every other one, dead or alive.
    pub process: String,
}

/// Tells whether a holder is dead, or alive, where that can be known at once.
pub type IsDead = Arc<dyn Fn(&Holder) -> Option<bool> + Send + Sync>;

/// This process, and what it can tell of others.
#[derive(Clone)]
pub struct Writer {
    /// Tells this process apart from every other one, dead or alive; empty when that is left to the run's id.
    pub process: String,
    /// Tells whether a holder is dead, or alive, where that can be known at once.
    pub is_dead: IsDead,
}

impl Default for Writer {
    /// Nothing is known of any process.
    fn default() -> Self {
        Self { process: String::new(), is_dead: Arc::new(|_| None) }
    }
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("process", &self.process).finish_non_exhaustive()
    }
}

/// How long to wait, when somebody holds the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockTimes {
    /// Between two signs of life.
    pub beat: Duration,
    /// A holder that gave no sign for so long is taken for dead; several beats.
    pub dead: Duration,
    /// How long whoever takes over waits before looking whether somebody else did so too.
    pub settle: Duration,
}

impl Default for LockTimes {
    fn default() -> Self {
        Self { beat: Duration::from_secs(10), dead: Duration::from_secs(45), settle: Duration::from_secs(2) }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    holder: Holder,
    /// Grows with each sign of life.
    beat: u64,
}

/// A lock that is held. Dropped without [`Lock::give_back`], it is given back by a task of its own, if the process still
/// has the time.
#[derive(Debug)]
pub struct Lock {
    clone: Arc<dyn Bucket>,
    lost: watch::Receiver<Option<Holder>>,
    beating: AbortOnDropHandle<()>,
    owed: Option<Owed>,
}

impl Lock {
    /// Takes the lock of a clone. `is_dead` may know at once that a holder is dead, or that it is alive; without knowledge, its
    /// signs of life are waited for.
    ///
    /// # Errors
    /// [`CloneError::Locked`] when a living holder has it; those of the store.
    pub async fn take(
        clone: &Arc<dyn Bucket>,
        holder: Holder,
        is_dead: impl Fn(&Holder) -> Option<bool>,
        times: LockTimes,
    ) -> Result<Self> {
        let content = Content { holder, beat: 0 };
        if !create(clone, &content).await? {
            wait_for_death(clone, is_dead, times).await?;
            write(clone, &content, PutMode::Overwrite).await.map_err(CloneError::at(clone.location()))?;
            tokio::time::sleep(times.settle).await;
        } else if !clone.capabilities().create_only_put {
            tokio::time::sleep(times.settle).await;
        }
        match read(clone).await? {
            Some(found) if found.holder == content.holder => {}
            Some(other) => return Err(locked(clone, &other.holder)),
            None => {
                return Err(locked(
                    clone,
                    &Holder { name: "somebody who deleted the lock".to_owned(), process: String::new() },
                ));
            }
        }
        let (sender, lost) = watch::channel(None);
        let beating = tokio::spawn(beat(Arc::clone(clone), content, times.beat, sender));
        Ok(Self {
            clone: Arc::clone(clone),
            lost,
            beating: AbortOnDropHandle::new(beating),
            owed: Some(Owed::announce()),
        })
    }

    /// Waits until the lock is lost, which is usually for ever.
    pub async fn lost(&self) -> CloneError {
        let mut lost = self.lost.clone();
        let holder = match lost.wait_for(Option::is_some).await {
            Ok(holder) => holder.as_ref().map_or_else(String::new, describe),
            Err(_) => std::future::pending().await,
        };
        CloneError::LockLost { destination: self.clone.location(), holder }
    }

    /// Gives the lock back.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn give_back(mut self) -> Result<()> {
        self.owed = None;
        self.beating.abort();
        if self.lost.borrow().is_some() {
            return Ok(());
        }
        delete(&self.clone).await.map_err(CloneError::at(self.clone.location()))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let Some(owed) = self.owed.take() else { return };
        self.beating.abort();
        if self.lost.borrow().is_some() {
            return;
        }
        let clone = Arc::clone(&self.clone);
        let give_back = async move {
            if let Err(error) = delete(&clone).await {
                tracing::warn!(%error, "the lock of the clone stays");
            }
        };
        if !owed.spawn(give_back) {
            tracing::warn!("the lock of the clone stays");
        }
    }
}

async fn delete(clone: &Arc<dyn Bucket>) -> provider::Result<()> {
    let keys = [Key::from(KEY)];
    let delete = || small_object::delete(clone.as_ref(), &keys);
    retrying(RetryPolicy::default(), delete).await
}

/// Writes the lock if there is none.
async fn create(clone: &Arc<dyn Bucket>, content: &Content) -> Result<bool> {
    let at = || CloneError::at(clone.location());
    if !clone.capabilities().create_only_put {
        if read(clone).await?.is_some() {
            return Ok(false);
        }
        return write(clone, content, PutMode::Overwrite).await.map(|()| true).map_err(at());
    }
    match write(clone, content, PutMode::CreateOnly).await {
        Ok(()) => Ok(true),
        // Ours, if the reply to an earlier try was lost.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Ok(read(clone).await?.is_some_and(|found| found.holder == content.holder))
        }
        Err(error) => Err(at()(error)),
    }
}

/// Waits until the holder counts as dead.
async fn wait_for_death(
    clone: &Arc<dyn Bucket>,
    is_dead: impl Fn(&Holder) -> Option<bool>,
    times: LockTimes,
) -> Result<()> {
    let Some(first) = read(clone).await? else { return Ok(()) };
    match is_dead(&first.holder) {
        Some(true) => return Ok(()),
        Some(false) => return Err(locked(clone, &first.holder)),
        None => {}
    }
    let ends = tokio::time::Instant::now() + times.dead;
    while tokio::time::Instant::now() < ends {
        tokio::time::sleep(times.beat.min(times.dead)).await;
        match read(clone).await? {
            None => return Ok(()),
            Some(now) if now != first => return Err(locked(clone, &now.holder)),
            Some(_) => {}
        }
    }
    Ok(())
}

async fn beat(clone: Arc<dyn Bucket>, mut content: Content, every: Duration, lost: watch::Sender<Option<Holder>>) {
    loop {
        tokio::time::sleep(every).await;
        // A store that is away for a while is no reason to give up: nobody else can take the lock meanwhile.
        match read(&clone).await {
            Ok(Some(found)) if found.holder != content.holder => {
                let _ = lost.send(Some(found.holder));
                return;
            }
            Ok(_) => {
                content.beat += 1;
                if let Err(error) = write(&clone, &content, PutMode::Overwrite).await {
                    tracing::warn!(%error, "the lock of the clone can't be renewed");
                }
            }
            Err(error) => tracing::warn!(%error, "the lock of the clone can't be read"),
        }
    }
}

async fn write(clone: &Arc<dyn Bucket>, content: &Content, mode: PutMode) -> provider::Result<()> {
    let text = serde_json::to_vec(content)
        .map_err(|error| provider::Error::new(ErrorKind::Invalid, "write", KEY).with_source(error))?;
    retrying(RetryPolicy::default(), || clone.put(PutRequest::bytes(KEY, mode, text.clone()))).await.map(|_| ())
}

async fn read(clone: &Arc<dyn Bucket>) -> Result<Option<Content>> {
    let at = || CloneError::at(clone.location());
    let read = small_object::read(clone.as_ref(), KEY, LARGEST).await;
    let Some(bytes) = read.map_err(at())? else { return Ok(None) };
    let damaged =
        |error: serde_json::Error| at()(provider::Error::new(ErrorKind::Corrupt, "read", KEY).with_source(error));
    serde_json::from_slice(&bytes).map(Some).map_err(damaged)
}

fn locked(clone: &Arc<dyn Bucket>, holder: &Holder) -> CloneError {
    CloneError::Locked { destination: clone.location(), holder: describe(holder) }
}

fn describe(holder: &Holder) -> String {
    if holder.process.is_empty() { holder.name.clone() } else { format!("{} ({})", holder.name, holder.process) }
}
