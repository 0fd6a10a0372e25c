//! Copies one object of the source, also when it changes meanwhile.

use provider::{Error, ErrorKind, Key, ObjectMeta};

use super::context::{Context, Sort};
use super::inventory::InventoryEntry;
use super::transfer::{Transferred, transfer};
use super::{CloneError, Result};
use crate::retry::Backoff;

/// How often an object is looked at again before its source counts as being written to without end.
const MOST_LOOKS: u32 = 8;

/// What to do with an object that changed since it was listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WhenChanged {
    /// Leave it to a later pass.
    Leave,
    /// List it again by itself, and copy what is there now.
    LookAgain,
}

/// What became of one object.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The clone has this version of it.
    Copied {
        /// For the inventory.
        entry: InventoryEntry,
        /// Whether it is another version than the one listed.
        changed: bool,
    },
    /// It changed; the clone has the earlier copy, or none.
    Left(Key),
    /// The source has it no more.
    Gone(Key),
}

/// Copies an object, under another key if it is `renamed`: one whole version of it, never a mixture.
pub(super) async fn copy(
    context: &Context,
    listed: ObjectMeta,
    renamed: Option<Key>,
    when_changed: WhenChanged,
) -> Result<Outcome> {
    let spec = &context.spec;
    let mut object = listed;
    let mut looks = 0;
    let mut backoff = Backoff::new(spec.retry);
    loop {
        let error = match transfer(context, &object, renamed.as_ref().unwrap_or(&object.key)).await {
            Ok(Transferred { version, checksum }) => {
                let entry = InventoryEntry::new(object, renamed, version, checksum);
                return Ok(Outcome::Copied { entry, changed: looks > 0 });
            }
            Err(error) if matches!(error.kind(), ErrorKind::Changed | ErrorKind::NotFound) => error,
            Err(error) => return Err(CloneError::at(both(context))(error)),
        };
        let now = context
            .call(Sort::Head, || spec.source.head(&object.key))
            .await
            .map_err(CloneError::at(spec.source.location()))?;
        match now {
            None => return Ok(Outcome::Gone(object.key)),
            Some(now) if now.version == object.version && now.size == object.size => {
                // The source is as listed, so the answer was about something else: an upload that is gone, the clone's bucket.
                let again =
                    Error::new(error.kind(), error.operation(), error.resource()).with_retry(provider::Retry::Again);
                match backoff.wait_after(&again) {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => return Err(CloneError::at(both(context))(error)),
                }
            }
            Some(_) if when_changed == WhenChanged::Leave => return Ok(Outcome::Left(object.key)),
            Some(now) => {
                looks += 1;
                if looks >= MOST_LOOKS {
                    let (origin, key) = (spec.source.location(), object.key.into_string());
                    return Err(CloneError::SourceKeepsChanging { origin, key, times: looks });
                }
                object = now;
            }
        }
    }
}

/// Both places: an error of a copy can be about either of them.
fn both(context: &Context) -> String {
    format!("{} from {}", context.spec.destination.location(), context.spec.source.location())
}
