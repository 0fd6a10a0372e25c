//! Removes what was planned, in an order that never leaves a manifest pointing to what is gone.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::snapshots::{self, DiskSnapshot};
use super::{CloneFate, Places, Removal, uploads};
use crate::clone::{self, Holder, Lock, LockTimes, Writer};
use crate::error::Result;
use crate::event::{Artifact, EventKind, Events};
use crate::job::Opened;
use crate::vault::{VaultError, layout};

/// What was removed of one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Removed {
    /// Files of the vault.
    pub files: u64,
    /// Objects of the clone.
    pub objects: u64,
    /// Unfinished copies into the clone.
    pub uploads: u64,
    /// Snapshots of the disk.
    pub snapshots: u64,
}

/// What there is to remove beside the files, for whoever goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tombstone {
    pub(super) clone: CloneFate,
    pub(super) snapshots: Vec<DiskSnapshot>,
}

/// Removes one run. Done again, it goes on.
///
/// # Errors
/// `Busy` while somebody writes to the clone; those of the stores. What is left is named in the vault.
pub async fn remove(places: &Places<'_>, removal: &Removal, writer: &Writer, events: &Events) -> Result<Removed> {
    let CloneFate::Removed { url, objects, .. } = &removal.clone else {
        return remove_under_lock(places, removal, None, events).await;
    };
    let opened = places.stores.open_url(url)?;
    let bucket = Arc::clone(&opened.bucket);
    let holder = Holder { name: format!("removal of {}", removal.run), process: writer.process.clone() };
    // Before anything is written: whoever holds it is alive.
    let lock = Lock::take(&bucket, holder, |holder| (writer.is_dead)(holder), LockTimes::default()).await?;
    let clone = Clone { url, objects: *objects, opened: &opened };
    let removed = tokio::select! {
        biased;
        lost = lock.lost() => return Err(lost.into()),
        removed = remove_under_lock(places, removal, Some(clone), events) => removed?,
    };
    lock.give_back().await?;
    Ok(removed)
}

/// A clone that goes.
struct Clone<'a> {
    url: &'a str,
    objects: Option<u64>,
    opened: &'a Opened,
}

async fn remove_under_lock(
    places: &Places<'_>,
    removal: &Removal,
    clone: Option<Clone<'_>>,
    events: &Events,
) -> Result<Removed> {
    let (vault, run) = (places.vault, &removal.run);
    let tombstone = Tombstone { clone: removal.clone.clone(), snapshots: removal.snapshots.clone() };
    let marking = async {
        match vault.put_json_create_only(run, layout::DELETING, &tombstone).await {
            // An earlier removal has named what there was then; the plan was made of that.
            Ok(_) | Err(VaultError::Occupied { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    };
    events.change("write", format!("{run}/{}", layout::DELETING), marking).await?;
    vault.remove_files(run, &[layout::MANIFEST]).await?;
    vault.remove_files(run, &[layout::CAPTURED]).await?;
    let mut removed = Removed::default();
    if let Some(Clone { url, objects, opened }) = clone {
        let told = |done| {
            events.emit(EventKind::Progress { artifact: Artifact::Bucket, done, total: objects, bytes: None });
        };
        removed.objects = events.change("empty", url, clone::empty(&opened.bucket, told)).await?;
        removed.uploads = uploads::give_up(opened).await?;
    }
    for snapshot in &removal.snapshots {
        events.change("delete snapshot", &snapshot.id, snapshots::delete(places, snapshot)).await?;
        removed.snapshots += 1;
    }
    let files = vault.list_files(run).await?;
    let names: Vec<&str> =
        files.iter().map(|file| file.name.as_str()).filter(|name| *name != layout::DELETING).collect();
    vault.remove_files(run, &names).await?;
    events.change("delete", format!("{run}/"), vault.remove_files(run, &[layout::DELETING])).await?;
    removed.files = removal.files;
    Ok(removed)
}
