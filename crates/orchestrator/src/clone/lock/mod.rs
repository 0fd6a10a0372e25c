//! Keeps everybody else from writing to a clone while it is written.
//!
//! The lock is an object in the clone itself, under a key that no source may have, so that it holds for everybody who can
//! write there, whatever vault they use. Its holder rewrites it again and again. Whether a holder is dead is told by whether it
//! still does, never by comparing clocks.
//!
//! Shards of one plan write side by side: each holds a lock of its own. Whoever writes to the whole clone takes its lock, then
//! looks for theirs; a shard takes its own lock, then looks for the whole clone's. So of two that begin at the same time, at
//! least one sees the other.

mod place;

use std::sync::Arc;
use std::time::Duration;

use futures::future::try_join_all;
use provider::cleanup::Owed;
use provider::{Bucket, ListRequest, PutMode};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use place::{Content, Place, describe, locked};

use super::{CloneError, Result};
use crate::retry::{RetryPolicy, retrying};

const KEY: &str = ".pachsnap-lock";
/// What the locks of shards begin with.
const SHARDS: &str = ".pachsnap-lock-shard-";
/// Key of the mark that keeps a whole bucket for one drill.
pub const DRILL_LOCK: &str = ".pachsnap-lock-drill";

/// Whether a key of a clone, or of a bucket that is filled from one, is a lock, which is no part of it.
#[must_use]
pub fn is_lock(key: &str) -> bool {
    // Hardly any key begins so.
    key.starts_with('.') && (key == KEY || key == DRILL_LOCK || key.starts_with(SHARDS))
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

/// A lock that is held. Dropped without [`Lock::give_back`], it is given back by a task of its own, if the process still
/// has the time.
#[derive(Debug)]
pub struct Lock {
    place: Place,
    lost: watch::Receiver<Option<Holder>>,
    beating: AbortOnDropHandle<()>,
    owed: Option<Owed>,
}

impl Lock {
    /// Takes the lock of a clone. `is_dead` may know at once that a holder is dead, or that it is alive; without knowledge, its
    /// signs of life are waited for.
    ///
    /// # Errors
    /// [`CloneError::Locked`] when a living holder has it, or a shard is written; those of the store.
    pub async fn take(
        clone: &Arc<dyn Bucket>,
        holder: Holder,
        is_dead: impl Fn(&Holder) -> Option<bool>,
        times: LockTimes,
    ) -> Result<Self> {
        let lock = Self::take_whole(clone, holder, &is_dead, times).await?;
        match lock.ensure_no_shards(&is_dead, times).await {
            Ok(()) => Ok(lock),
            Err(error) => {
                lock.give_back().await?;
                Err(error)
            }
        }
    }

    /// The same, but whether a shard is written is not looked at: nothing may be written before [`Lock::ensure_no_shards`].
    pub(super) async fn take_whole(
        clone: &Arc<dyn Bucket>,
        holder: Holder,
        is_dead: &impl Fn(&Holder) -> Option<bool>,
        times: LockTimes,
    ) -> Result<Self> {
        Self::take_at(Place::of(clone, KEY), holder, is_dead, times).await
    }

    /// Refuses while a shard is written. Locks of shards that are dead are deleted.
    ///
    /// # Errors
    /// [`CloneError::Locked`] when a shard is written; those of the store.
    pub(super) async fn ensure_no_shards(
        &self,
        is_dead: &impl Fn(&Holder) -> Option<bool>,
        times: LockTimes,
    ) -> Result<()> {
        ensure_no_shards(&self.place.clone, is_dead, times).await
    }

    /// Takes the lock of one shard of a clone, by a name that the shard shares with no other.
    ///
    /// # Errors
    /// [`CloneError::Locked`] when a living holder has it, or anybody the whole clone's; those of the store.
    pub async fn take_shard(
        clone: &Arc<dyn Bucket>,
        shard: &str,
        holder: Holder,
        is_dead: impl Fn(&Holder) -> Option<bool>,
        times: LockTimes,
    ) -> Result<Self> {
        let lock = Self::take_at(Place::of(clone, &format!("{SHARDS}{shard}")), holder, &is_dead, times).await?;
        let whole = match Place::of(clone, KEY).read().await {
            Ok(None) => return Ok(lock),
            // Whether that holder is dead is for the next one to find out who writes to the whole clone.
            Ok(Some(found)) => Err(locked(clone, &found.holder)),
            Err(error) => Err(error),
        };
        lock.give_back().await?;
        whole
    }

    async fn take_at(
        place: Place,
        holder: Holder,
        is_dead: &impl Fn(&Holder) -> Option<bool>,
        times: LockTimes,
    ) -> Result<Self> {
        let (clone, content) = (&place.clone, Content { holder, beat: 0 });
        let created = place.create(&content).await?;
        if !created {
            place.wait_for_death(is_dead, times).await?;
            place.write(&content, PutMode::Overwrite).await.map_err(CloneError::at(clone.location()))?;
        }
        // Only one can have created it, where the store knows of that; else somebody may have written over it.
        if !(created && clone.capabilities().create_only_put) {
            tokio::time::sleep(times.settle).await;
            match place.read().await? {
                Some(found) if found.holder == content.holder => {}
                Some(other) => return Err(locked(clone, &other.holder)),
                None => {
                    let name = "somebody who deleted the lock".to_owned();
                    return Err(locked(clone, &Holder { name, process: String::new() }));
                }
            }
        }
        let (sender, lost) = watch::channel(None);
        let beating = tokio::spawn(beat(place.clone(), content, times.beat, sender));
        Ok(Self { place, lost, beating: AbortOnDropHandle::new(beating), owed: Some(Owed::announce()) })
    }

    /// Waits until the lock is lost, which is usually for ever.
    pub async fn lost(&self) -> CloneError {
        let mut lost = self.lost.clone();
        let holder = match lost.wait_for(Option::is_some).await {
            Ok(holder) => holder.as_ref().map_or_else(String::new, describe),
            Err(_) => std::future::pending().await,
        };
        CloneError::LockLost { destination: self.place.clone.location(), holder }
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
        self.place.delete().await.map_err(CloneError::at(self.place.clone.location()))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let Some(owed) = self.owed.take() else { return };
        self.beating.abort();
        if self.lost.borrow().is_some() {
            return;
        }
        let place = self.place.clone();
        let give_back = async move {
            if let Err(error) = place.delete().await {
                tracing::warn!(%error, "the lock of the clone stays");
            }
        };
        if !owed.spawn(give_back) {
            tracing::warn!("the lock of the clone stays");
        }
    }
}

async fn ensure_no_shards(
    clone: &Arc<dyn Bucket>,
    is_dead: &impl Fn(&Holder) -> Option<bool>,
    times: LockTimes,
) -> Result<()> {
    let mut request = ListRequest { prefix: SHARDS.to_owned(), ..ListRequest::default() };
    let mut shards = Vec::new();
    loop {
        let page = retrying(RetryPolicy::default(), || clone.list(&request)).await;
        let page = page.map_err(CloneError::at(clone.location()))?;
        shards.extend(page.objects.into_iter().map(|object| Place::of(clone, object.key.as_str())));
        match page.next {
            Some(token) => request.token = Some(token),
            None => break,
        }
    }
    let bury = |place: Place| async move {
        place.wait_for_death(is_dead, times).await?;
        place.delete().await.map_err(CloneError::at(clone.location()))
    };
    try_join_all(shards.into_iter().map(bury)).await.map(drop)
}

async fn beat(place: Place, mut content: Content, every: Duration, lost: watch::Sender<Option<Holder>>) {
    loop {
        tokio::time::sleep(every).await;
        // A store that is away for a while is no reason to give up: nobody else can take the lock meanwhile.
        match place.read().await {
            Ok(Some(found)) if found.holder != content.holder => {
                let _ = lost.send(Some(found.holder));
                return;
            }
            // Whoever took a shard for dead deletes its lock. That of a clone is only ever taken over.
            Ok(None) if place.key != KEY => {
                let name = "somebody who took this process for dead".to_owned();
                let _ = lost.send(Some(Holder { name, process: String::new() }));
                return;
            }
            Ok(_) => {
                content.beat += 1;
                if let Err(error) = place.write(&content, PutMode::Overwrite).await {
                    tracing::warn!(%error, "the lock of the clone can't be renewed");
                }
            }
            Err(error) => tracing::warn!(%error, "the lock of the clone can't be read"),
        }
    }
}
