//! The keys of one kind, from the inventory.

use futures::stream::{self, Stream};
use pachyderm::layout::{KeyKind, Layout};
use provider::Key;

use crate::clone::{Inventory, KeyRange};
use crate::error::Result;

/// Which keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// `object/`
    Objects,
    /// `tag/`
    Tags,
}

/// The keys in the clone of one kind, with what they are called.
pub(super) fn keys_of(
    inventory: &Inventory,
    layout: &Layout,
    wanted: Wanted,
) -> impl Stream<Item = Result<(Key, KeyKind)>> + use<> {
    // Reversed, the kinds lie among one another.
    let prefix = match wanted {
        _ if layout.is_reversed() => String::new(),
        Wanted::Objects => layout.object(""),
        Wanted::Tags => layout.tag(""),
    };
    let (entries, layout) = (inventory.entries_in(&KeyRange::with_prefix(prefix)), layout.clone());
    stream::try_unfold(entries, move |mut entries| {
        let layout = layout.clone();
        async move {
            while let Some(entry) = entries.next().await? {
                let kind = layout.classify(entry.source_key.as_str());
                let is_wanted = match wanted {
                    Wanted::Objects => matches!(kind, KeyKind::Object { .. }),
                    Wanted::Tags => matches!(kind, KeyKind::Tag { .. }),
                };
                if is_wanted {
                    return Ok(Some(((entry.into_destination().0, kind), entries)));
                }
            }
            Ok(None)
        }
    })
}
