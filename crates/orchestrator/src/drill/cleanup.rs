//! Taking away what a killed drill has left, or one that was told to keep its scratch cluster.

use super::record::DrillRecord;
use super::{DrillSettings, teardown};
use crate::error::Result;
use crate::event::Events;
use crate::job::{Stores, Target};
use crate::run_id::RunId;

/// Takes away everything of a drill, from any machine, and answers with what its record said. Done again after a failure, it
/// goes on.
///
/// # Errors
/// `NotFound` when nothing is left of that drill, `Configuration` when its scratch cluster is in another Kubernetes; what could
/// not be taken away.
pub async fn cleanup(
    home: &Target,
    drill: &RunId,
    settings: &DrillSettings,
    stores: &dyn Stores,
    events: &Events,
) -> Result<DrillRecord> {
    let record = DrillRecord::read(stores, &settings.restore.vault, drill).await?;
    teardown::tear_down(home, &record, stores, settings, events).await?;
    Ok(record)
}
