//! Large copies that were begun and never finished: the store keeps their parts until somebody gives them up.

use provider::UnfinishedUpload;

use crate::error::Result;
use crate::job::Opened;
use crate::retry::{RetryPolicy, retrying};

/// Those into a clone; none where the store has no such thing, or does not tell.
///
/// # Errors
/// Those of the store.
pub(super) async fn unfinished(clone: &Opened) -> Result<Vec<UnfinishedUpload>> {
    let Some(facts) = &clone.facts else { return Ok(Vec::new()) };
    match retrying(RetryPolicy::default(), || facts.unfinished_uploads()).await {
        Err(error) if error.kind() == provider::ErrorKind::Unsupported => Ok(Vec::new()),
        Err(error) if error.kind() == provider::ErrorKind::NotFound => Ok(Vec::new()),
        found => Ok(found?),
    }
}

/// Gives them up, and answers how many there were. Done again, it goes on.
///
/// # Errors
/// Those of the store.
pub(super) async fn give_up(clone: &Opened) -> Result<u64> {
    let mut given_up = 0;
    for upload in unfinished(clone).await? {
        retrying(RetryPolicy::default(), || clone.bucket.abandon_copy(&upload.key, &upload.token)).await?;
        given_up += 1;
    }
    Ok(given_up)
}
