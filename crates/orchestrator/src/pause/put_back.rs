//! Putting a cluster back and letting go of it, whatever happened before.

use super::hold::Standing;
use super::patience::Patience;
use super::undo::{BY_OTHERS, UndoTools};
use super::{Hold, Undone, hold_lost, undo};
use crate::error::Result;
use crate::event::Events;

/// Puts everything back, then removes the record. A cluster that somebody else has taken over is theirs to put back: nothing
/// is changed then.
///
/// # Errors
/// What could not be put back; the record is still there, and the lease is given back so that a resume can go on at once.
pub(crate) async fn put_back(hold: Hold, tools: &UndoTools<'_>, events: &Events) -> Result<Undone> {
    let mut patience = Patience::new(tools.stall, tools.poll);
    match patience.call(|| hold.standing()).await {
        Ok(Standing::Ours) => {}
        Ok(Standing::TakenOver) => return Err(hold_lost("this run no longer holds the cluster")),
        Ok(Standing::PutBack) => {
            events.warn(BY_OTHERS.to_owned());
            return Ok(Undone { differences: vec![BY_OTHERS.to_owned()], ..Undone::default() });
        }
        // pachd may be reached where the Kubernetes API isn't: what can be put back is.
        Err(error) => events.warn(format!("the Kubernetes API can't be asked: {}", crate::error::chain(&error))),
    }
    match undo(&hold, tools, &mut patience, events).await {
        Ok(undone) => {
            let released = patience.call(|| hold.remove_record(events)).await;
            if let Err(error) = released {
                events.warn(format!(
                    "everything is back, but the undo record could not be removed ({}): `pachsnap resume` removes it",
                    crate::error::chain(&error)
                ));
            }
            hold.leave(events).await;
            Ok(undone)
        }
        Err(error) => {
            hold.leave(events).await;
            Err(error)
        }
    }
}
