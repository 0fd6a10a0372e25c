//! What a store keeps for a copy in several steps, given back when the copy isn't finished.

use std::sync::Arc;

use provider::cleanup::Owed;
use provider::{Bucket, CopyToken, Key};

use super::CloneSpec;
use crate::retry::{RetryPolicy, retrying};

/// Where a copy in several steps was left. Dropped there, as a cancelled pass does, it is abandoned in a task of its
/// own: what the store keeps for it costs money. Unless it is kept where another process finds it.
#[derive(Default)]
pub(super) struct UnfinishedCopy {
    left: Option<Left>,
    kept: bool,
}

struct Left {
    destination: Arc<dyn Bucket>,
    to: Key,
    token: CopyToken,
    retry: RetryPolicy,
    owed: Owed,
}

impl UnfinishedCopy {
    /// Where to go on; nowhere before the first step.
    pub(super) fn token(&self) -> Option<CopyToken> {
        self.left.as_ref().map(|left| left.token.clone())
    }

    /// The copy to this key goes on here.
    pub(super) fn left_at(&mut self, spec: &CloneSpec, to: &Key, token: CopyToken) {
        let (destination, to, retry) = (Arc::clone(&spec.destination), to.clone(), spec.retry);
        self.left = Some(Left { destination, to, token, retry, owed: Owed::announce() });
    }

    /// From now on another process can go on with it.
    pub(super) fn keep(&mut self) {
        self.kept = true;
    }

    /// Whether something of it is kept, which has to be forgotten when it is whole or given up.
    pub(super) fn is_kept(&self) -> bool {
        self.kept
    }

    /// The copy is whole; the store keeps nothing for it.
    pub(super) fn finished(&mut self) {
        self.left = None;
    }

    /// Gives up what is left. What keeps it from that is only logged: the caller has an error of its own to tell. A caller that
    /// is cancelled meanwhile changes nothing.
    pub(super) async fn abandon(&mut self) {
        self.kept = false;
        if let Some(Left { destination, to, token, retry, .. }) = &self.left {
            abandon(&**destination, to, token, *retry).await;
            self.left = None;
        }
    }
}

impl Drop for UnfinishedCopy {
    fn drop(&mut self) {
        let Some(Left { destination, to, token, retry, owed }) = self.left.take() else { return };
        if self.kept {
            return;
        }
        let key = to.clone();
        if !owed.spawn(async move { abandon(&*destination, &to, &token, retry).await }) {
            tracing::warn!(%key, "an unfinished copy is left behind in the store");
        }
    }
}

/// Frees what a store keeps for a copy. What keeps it from that is only logged.
pub(super) async fn abandon(destination: &dyn Bucket, to: &Key, token: &CopyToken, retry: RetryPolicy) {
    if let Err(error) = retrying(retry, || destination.abandon_copy(to, token)).await {
        tracing::warn!(key = %to, %error, "an unfinished copy is left behind in the store");
    }
}
