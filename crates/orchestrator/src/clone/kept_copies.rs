//! Where large copies were left, kept beside the inventory's parts: after a crash in the middle of terabytes another process
//! goes on there.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use provider::{Bucket, CopyToken, Key, ObjectMeta, ObjectVersion, PutMode, PutRequest};
use serde::{Deserialize, Serialize};

use super::ledger::Store;
use super::small_object;
use super::unfinished::abandon;
use crate::digest;
use crate::retry::{RetryPolicy, retrying};

/// What the names begin with.
const COPY: &str = "copy-";
/// Largest one that is read, in bytes: ten thousand parts of forty digits, and more.
const LARGEST: usize = 4 << 20;

/// Where a copy was left.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Left {
    from: Key,
    to: Key,
    version: ObjectVersion,
    size: u64,
    token: CopyToken,
}

/// The large copies of one pass that are under way, or were when a process ended. Without a store, nothing is kept.
#[derive(Debug, Default)]
pub(super) struct KeptCopies {
    store: Option<Store>,
    /// Names of those that an earlier process left and that nobody has gone on with.
    left: Mutex<BTreeSet<String>>,
}

/// Whether a name in the ledger is of a copy.
pub(super) fn is_copy(name: &str) -> bool {
    name.starts_with(COPY)
}

impl KeptCopies {
    /// What is kept in a store, with the names that are there.
    pub(super) fn of(store: Store, left: BTreeSet<String>) -> Self {
        Self { store: Some(store), left: Mutex::new(left) }
    }

    /// Where an earlier process left the copy of this version of an object. One of another version is given up.
    pub(super) async fn take(&self, clone: &dyn Bucket, object: &ObjectMeta, to: &Key) -> Option<CopyToken> {
        let name = name_of(&object.key);
        if !self.left.lock().unwrap_or_else(PoisonError::into_inner).remove(&name) {
            return None;
        }
        let left = self.read(&name).await?;
        if (&left.from, &left.to, &left.version, left.size) == (&object.key, to, &object.version, object.size) {
            return Some(left.token);
        }
        self.give_up(clone, &name, left).await;
        None
    }

    /// Keeps where a copy is. Whether it is kept: if not, which is logged, a crash makes the copy begin again.
    pub(super) async fn keep(&self, object: &ObjectMeta, to: &Key, token: &CopyToken) -> bool {
        let Some(store) = &self.store else { return false };
        let left = Left {
            from: object.key.clone(),
            to: to.clone(),
            version: object.version.clone(),
            size: object.size,
            token: token.clone(),
        };
        let Ok(text) = serde_json::to_vec(&left) else { return false };
        let key = store.key(&name_of(&object.key));
        let put = || store.bucket.put(PutRequest::bytes(key.as_str(), PutMode::Overwrite, text.clone()));
        let kept = retrying(RetryPolicy::default(), put).await;
        if let Err(error) = &kept {
            tracing::warn!(key = %object.key, %error, "where a large copy is can't be kept");
        }
        kept.is_ok()
    }

    /// The copy of an object is whole, or given up.
    pub(super) async fn forget(&self, from: &Key) {
        self.delete(&name_of(from)).await;
    }

    /// Gives up what nobody went on with, because its object is gone.
    pub(super) async fn give_up_rest(&self, clone: &dyn Bucket) {
        let rest = std::mem::take(&mut *self.left.lock().unwrap_or_else(PoisonError::into_inner));
        for name in rest {
            if let Some(left) = self.read(&name).await {
                self.give_up(clone, &name, left).await;
            }
        }
    }

    async fn give_up(&self, clone: &dyn Bucket, name: &str, left: Left) {
        abandon(clone, &left.to, &left.token, RetryPolicy::default()).await;
        self.delete(name).await;
    }

    async fn read(&self, name: &str) -> Option<Left> {
        let store = self.store.as_ref()?;
        let bytes = match small_object::read(&*store.bucket, &store.key(name), LARGEST).await {
            Ok(bytes) => bytes?,
            Err(error) => {
                tracing::warn!(name, %error, "where a large copy was left can't be read, so it begins again");
                return None;
            }
        };
        let left = serde_json::from_slice(&bytes);
        if let Err(error) = &left {
            tracing::warn!(name, %error, "where a large copy was left can't be read, so it begins again");
        }
        left.ok()
    }

    async fn delete(&self, name: &str) {
        let Some(store) = &self.store else { return };
        let keys = [Key::new(store.key(name))];
        let deleted = retrying(RetryPolicy::default(), || small_object::delete(&*store.bucket, &keys)).await;
        if let Err(error) = deleted {
            tracing::warn!(name, %error, "where a large copy was left can't be deleted");
        }
    }
}

/// The name for the copy of an object.
fn name_of(from: &Key) -> String {
    let digest = digest::of_bytes(from.as_str().as_bytes()).sha256;
    format!("{COPY}{}.json", hex::encode(&digest[..16]))
}
