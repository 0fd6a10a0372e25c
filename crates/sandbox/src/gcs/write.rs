//! What every write of an object has in common.

use super::accounts::Caller;
use super::failure::Failure;
use super::object::Holds;
use super::preconditions::Preconditions;
use super::shared::Shared;
use super::store::StoredBucket;

/// Refuses a write whose preconditions don't hold, or that would replace what may not be deleted.
pub(super) fn check_replaced(
    server: &Shared,
    caller: &Caller,
    bucket: &StoredBucket,
    key: &str,
    conditions: &Preconditions,
) -> Result<(), Failure> {
    let live = bucket.objects.get(key);
    conditions.check(live)?;
    let Some(live) = live else { return Ok(()) };
    server.permit(caller, "storage.objects.delete", &bucket.name, "object")?;
    bucket.check_unheld(key, live)
}

/// Refuses a retention that the bucket's objects can't have or the caller may not set.
pub(super) fn check_retention(
    server: &Shared,
    caller: &Caller,
    bucket: &StoredBucket,
    holds: &Holds,
) -> Result<(), Failure> {
    if holds.retention.is_none() {
        return Ok(());
    }
    server.permit(caller, "storage.objects.setRetention", &bucket.name, "object")?;
    if bucket.facts.object_retention {
        return Ok(());
    }
    Err(Failure::invalid("Object retention is not enabled on the bucket."))
}
