//! What a store keeps for a copy in several steps, given back when the copy isn't finished.

use std::sync::Arc;

use provider::cleanup::Owed;
use provider::{Bucket, CopyToken, Key};

use super::CloneSpec;
use crate::retry::{RetryPolicy, retrying};

/// Where a copy in several steps was left. Dropped there, as a cancelled pass does, it is abandoned in a task of its
/// own: what the store keeps for it costs money.
pub(super) struct UnfinishedCopy {
    destination: Arc<dyn Bucket>,
    to: Key,
    retry: RetryPolicy,
    left: Option<(CopyToken, Owed)>,
}

impl UnfinishedCopy {
    /// A copy that leaves nothing so far.
    pub(super) fn new(spec: &CloneSpec, to: &Key) -> Self {
        Self { destination: Arc::clone(&spec.destination), to: to.clone(), retry: spec.retry, left: None }
    }

    /// Where to go on.
    pub(super) fn token(&self) -> Option<CopyToken> {
        self.left.as_ref().map(|(token, _)| token.clone())
    }

    /// The copy goes on here.
    pub(super) fn left_at(&mut self, token: CopyToken) {
        self.left = Some((token, Owed::announce()));
    }

    /// The copy is whole; nothing is kept for it.
    pub(super) fn finished(&mut self) {
        self.left = None;
    }

    /// Gives up what is left. What keeps it from that is only logged: the caller has an error of its own to tell.
    pub(super) async fn abandon(mut self) {
        if let Some((token, _)) = &self.left {
            abandon(&*self.destination, &self.to, token, self.retry).await;
            self.left = None;
        }
    }
}

impl Drop for UnfinishedCopy {
    fn drop(&mut self) {
        let Some((token, owed)) = self.left.take() else { return };
        let (destination, to, retry) = (Arc::clone(&self.destination), self.to.clone(), self.retry);
        if !owed.spawn(async move { abandon(&*destination, &to, &token, retry).await }) {
            tracing::warn!(key = %self.to, "an unfinished copy is left behind in the store");
        }
    }
}

async fn abandon(destination: &dyn Bucket, to: &Key, token: &CopyToken, retry: RetryPolicy) {
    if let Err(error) = retrying(retry, || destination.abandon_copy(to, token)).await {
        tracing::warn!(key = %to, %error, "an unfinished copy is left behind in the store");
    }
}
