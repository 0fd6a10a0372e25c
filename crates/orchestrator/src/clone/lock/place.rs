//! The object that a lock is.

use std::sync::Arc;

use provider::{Bucket, ErrorKind, Key, PutMode, PutRequest};
use serde::{Deserialize, Serialize};

use super::{Holder, LockTimes};
use crate::clone::{CloneError, Result, small_object};
use crate::retry::{RetryPolicy, retrying};

/// Largest lock that is read, in bytes.
const LARGEST: usize = 64 << 10;

/// What is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Content {
    pub(super) holder: Holder,
    /// Grows with each sign of life.
    pub(super) beat: u64,
}

/// Where a lock is.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) clone: Arc<dyn Bucket>,
    pub(super) key: String,
}

impl Place {
    pub(super) fn of(clone: &Arc<dyn Bucket>, key: &str) -> Self {
        Self { clone: Arc::clone(clone), key: key.to_owned() }
    }

    pub(super) async fn delete(&self) -> provider::Result<()> {
        let keys = [Key::from(self.key.as_str())];
        let delete = || small_object::delete(self.clone.as_ref(), &keys);
        retrying(RetryPolicy::default(), delete).await
    }

    /// Writes the lock if there is none.
    pub(super) async fn create(&self, content: &Content) -> Result<bool> {
        let at = || CloneError::at(self.clone.location());
        if !self.clone.capabilities().create_only_put {
            if self.read().await?.is_some() {
                return Ok(false);
            }
            return self.write(content, PutMode::Overwrite).await.map(|()| true).map_err(at());
        }
        match self.write(content, PutMode::CreateOnly).await {
            Ok(()) => Ok(true),
            // Ours, if the reply to an earlier try was lost.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                Ok(self.read().await?.is_some_and(|found| found.holder == content.holder))
            }
            Err(error) => Err(at()(error)),
        }
    }

    /// Waits until the holder counts as dead.
    pub(super) async fn wait_for_death(
        &self,
        is_dead: &impl Fn(&Holder) -> Option<bool>,
        times: LockTimes,
    ) -> Result<()> {
        let Some(first) = self.read().await? else { return Ok(()) };
        match is_dead(&first.holder) {
            Some(true) => return Ok(()),
            Some(false) => return Err(locked(&self.clone, &first.holder)),
            None => {}
        }
        let ends = tokio::time::Instant::now() + times.dead;
        while tokio::time::Instant::now() < ends {
            tokio::time::sleep(times.beat.min(times.dead)).await;
            match self.read().await? {
                None => return Ok(()),
                Some(now) if now != first => return Err(locked(&self.clone, &now.holder)),
                Some(_) => {}
            }
        }
        Ok(())
    }

    pub(super) async fn write(&self, content: &Content, mode: PutMode) -> provider::Result<()> {
        let text = serde_json::to_vec(content)
            .map_err(|error| provider::Error::new(ErrorKind::Invalid, "write", &self.key).with_source(error))?;
        let put = || self.clone.put(PutRequest::bytes(self.key.as_str(), mode, text.clone()));
        retrying(RetryPolicy::default(), put).await.map(|_| ())
    }

    pub(super) async fn read(&self) -> Result<Option<Content>> {
        let at = || CloneError::at(self.clone.location());
        let read = small_object::read(self.clone.as_ref(), &self.key, LARGEST).await;
        let Some(bytes) = read.map_err(at())? else { return Ok(None) };
        let damaged = |error: serde_json::Error| {
            at()(provider::Error::new(ErrorKind::Corrupt, "read", &self.key).with_source(error))
        };
        serde_json::from_slice(&bytes).map(Some).map_err(damaged)
    }
}

pub(super) fn locked(clone: &Arc<dyn Bucket>, holder: &Holder) -> CloneError {
    CloneError::Locked { destination: clone.location(), holder: describe(holder) }
}

pub(super) fn describe(holder: &Holder) -> String {
    if holder.process.is_empty() { holder.name.clone() } else { format!("{} ({})", holder.name, holder.process) }
}
