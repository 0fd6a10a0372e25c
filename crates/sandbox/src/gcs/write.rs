//! What every write of an object has in common.

use super::accounts::Caller;
use super::failure::Failure;
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
