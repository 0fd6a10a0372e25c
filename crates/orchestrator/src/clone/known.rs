//! What is known of a clone before a pass.

use super::inventory::Inventory;

/// What the caller knows of a clone before a pass.
#[derive(Clone, Debug, Default)]
pub enum Before {
    /// Nothing. Its place is empty, or its objects are looked at one by one; keys that the source lacks are foreign then, and
    /// nothing is written.
    #[default]
    Unknown,
    /// It is exactly what an inventory says: an earlier pass wrote it, and a lock kept everybody else away since. Only the
    /// source is listed.
    Recorded(Inventory),
    /// An inventory was true once; somebody may have written since. Both source and clone are listed.
    Touched(Inventory),
}

/// What a pass knows, once it has looked.
#[derive(Clone, Debug)]
pub(super) enum Known {
    /// The place is empty.
    Empty,
    /// See [`Before::Recorded`].
    Recorded(Inventory),
    /// Both have to be listed; with an inventory, if there is one.
    Listed(Option<Inventory>),
}

impl Known {
    pub(super) fn inventory(&self) -> Option<&Inventory> {
        match self {
            Self::Empty | Self::Listed(None) => None,
            Self::Recorded(inventory) | Self::Listed(Some(inventory)) => Some(inventory),
        }
    }

    pub(super) fn has_to_be_listed(&self) -> bool {
        matches!(self, Self::Listed(_))
    }
}
