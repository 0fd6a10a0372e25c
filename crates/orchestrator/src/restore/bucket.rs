//! The target's bucket is filled from the clone, and proven to hold it, before any metadata is written.

use std::sync::Arc;

use pachyderm::layout::KeyKind;
use provider::{Bucket, Checksum, Key, ListRequest};
use sha2::{Digest, Sha256};

use super::RestoreSettings;
use super::keys_between::KeysBetween;
use super::point::Point;
use crate::clone::{
    CloneDifferences, CloneIdentity, CloneJob, CloneSpec, CloneState, CopyPath, Inventory, InventoryEntry,
    bring_up_to_date, is_lock, verify_clone,
};
use crate::clone_progress::EventProgress;
use crate::cluster::Ground;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{EventKind, Events};
use crate::job::Stores;
use crate::retry::{RetryPolicy, retrying};
use crate::snapshot::clone_order;

/// Threads of the engine: beyond that, the stores are what is waited for.
const MOST_THREADS: usize = 4;
/// Keys of a bucket in use that are looked at, and named.
const LOOKED_AT: usize = 20;

/// How the bytes get there.
pub(super) fn path(point: &Point, ground: &Ground, settings: &RestoreSettings) -> CopyPath {
    let is_one_store = point.clone.realm == ground.bucket_realm;
    if is_one_store && !settings.through_here { CopyPath::ServerSide } else { CopyPath::Streamed }
}

fn identity(point: &Point, ground: &Ground, keys: &KeysBetween) -> CloneIdentity {
    CloneIdentity {
        source: point.clone.bucket.location(),
        destination: ground.bucket.location(),
        key_map: keys.map.clone(),
        filter: keys.filter.iter().map(|_| "keys of data".to_owned()).collect(),
    }
}

/// Where in the vault it is kept how far the bucket is.
fn state_prefix(identity: &CloneIdentity, settings: &RestoreSettings) -> String {
    let text = format!("{} {} {}", identity.source, identity.destination, identity.key_map);
    format!("{}{}/", settings.state, hex::encode(&Sha256::digest(text)[..8]))
}

/// Refuses a bucket that holds something else than what an earlier attempt of this restore put there. Writes nothing.
///
/// # Errors
/// `Busy` naming keys.
pub(super) async fn ensure_free(
    point: &Point,
    ground: &Ground,
    keys: &KeysBetween,
    stores: &dyn Stores,
    settings: &RestoreSettings,
) -> Result<()> {
    let first = ListRequest { max_keys: LOOKED_AT, ..ListRequest::default() };
    let page = retrying(RetryPolicy::default(), || ground.bucket.list(&first)).await?;
    let present =
        page.objects.iter().filter(|object| !is_lock(object.key.as_str()) && !is_passing(ground, &object.key));
    let present: Vec<&Key> = present.map(|object| &object.key).collect();
    if present.is_empty()
        || has_state(stores, settings, &state_prefix(&identity(point, ground, keys), settings)).await?
    {
        return Ok(());
    }
    let names: Vec<&str> = present.iter().map(|key| key.as_str()).collect();
    let message = format!("the target's bucket {} is not empty: {}", ground.location.describe(), names.join(", "));
    Err(Error::new(ErrorKind::Busy, message)
        .advise("give the target a bucket of its own: what is in this one may be somebody's data"))
}

/// A pachd that starts writes a few bytes under a random name, and deletes them.
fn is_passing(ground: &Ground, key: &Key) -> bool {
    matches!(ground.location.layout.classify(key.as_str()), KeyKind::SelfTest { .. })
}

async fn has_state(stores: &dyn Stores, settings: &RestoreSettings, prefix: &str) -> Result<bool> {
    let vault = stores.open_url(&settings.vault)?.bucket;
    let request = ListRequest { prefix: prefix.to_owned(), max_keys: 1, ..ListRequest::default() };
    let page = retrying(RetryPolicy::default(), || vault.list(&request)).await?;
    Ok(!page.objects.is_empty())
}

/// Copies the clone into the target's bucket, or what is left of it, with every key as the target names it.
///
/// # Errors
/// Those of the clone engine. What was copied stays, and the next call goes on from there.
pub(super) async fn fill(
    point: &Point,
    ground: &Ground,
    keys: &KeysBetween,
    stores: &dyn Stores,
    settings: &RestoreSettings,
    events: &Events,
) -> Result<(Inventory, String)> {
    let identity = identity(point, ground, keys);
    let prefix = state_prefix(&identity, settings);
    let vault = stores.open_url(&settings.vault)?.bucket;
    let folder = settings.staging.join(&prefix);
    let state = CloneState::open(vault, prefix, folder, &identity).await?;
    let (clone, order) = (Arc::clone(&point.clone.bucket), clone_order(&point.layout));
    let spec = CloneSpec {
        in_turn: false,
        key_map: keys.map.clone(),
        filter: keys.filter.clone(),
        concurrency: settings.copy_parallelism.max(1),
        threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(MOST_THREADS),
        progress: Arc::new(EventProgress::new(events.clone())),
        ..CloneSpec::new(clone, Arc::clone(&ground.bucket), path(point, ground, settings), order)
    };
    let job = CloneJob {
        spec,
        name: format!("pachsnap restore {}", point.run),
        writer: settings.writer.clone(),
        delete_extra: false,
        look: true,
    };
    let pass = bring_up_to_date(&job, &state).await.map_err(|error| {
        let error = Error::from(error);
        match (error.kind(), job.spec.path) {
            (ErrorKind::Denied, CopyPath::ServerSide) => error.advise(
                "the store copies by itself, with the credentials of the target's bucket: let these read the clone, or copy with \
                 --through-here",
            ),
            _ => error,
        }
    })?;
    events.emit(EventKind::Cloned { report: pass.report.clone() });
    let report = &pass.report;
    let text =
        format!("{} objects copied ({} bytes), {} were there", report.copied, report.copied_bytes, report.skipped);
    Ok((pass.inventory, text))
}

/// Holds the filled bucket against the recovery point: a fresh listing of it against what was copied, and that against the
/// manifest's inventory, object by object.
///
/// # Errors
/// `Damaged` when the clone is not what the manifest says, `Incomplete` when the bucket isn't what was copied.
pub(super) async fn compare(
    point: &Point,
    ground: &Ground,
    keys: &KeysBetween,
    copied: &Inventory,
) -> Result<((), String)> {
    let objects = same_objects(point, keys, copied).await?;
    let bucket: Arc<dyn Bucket> = Arc::clone(&ground.bucket);
    let found = verify_clone(bucket, copied, &keys.map, RetryPolicy::default()).await?;
    let only_passing = found.extra.count as usize == found.extra.first.len()
        && found.extra.first.iter().all(|key| is_passing(ground, &Key::new(key.clone())));
    if found.missing.count == 0 && found.changed.count == 0 && only_passing {
        return Ok(((), format!("{objects} objects, {} bytes are as in the recovery point", found.bytes)));
    }
    let lists: [(&str, &CloneDifferences); 3] =
        [("missing", &found.missing), ("extra", &found.extra), ("changed", &found.changed)];
    let words = lists.iter().filter(|(_, list)| list.count > 0);
    let words: Vec<String> =
        words.map(|(what, list)| format!("{} {what}: {}", list.count, list.first.join(", "))).collect();
    let message =
        format!("the target's bucket {} is not as it was filled: {}", ground.location.describe(), words.join("; "));
    Err(Error::new(ErrorKind::Incomplete, message).advise(
        "somebody else writes to it: find out who; run the same command again, or give the target another bucket",
    ))
}

/// Whether the same objects were copied that the manifest's inventory names. Answers how many.
async fn same_objects(point: &Point, keys: &KeysBetween, copied: &Inventory) -> Result<u64> {
    let (mut recorded, mut there) = (point.inventory.entries(), copied.entries());
    let mut objects = 0;
    loop {
        let expected = loop {
            match recorded.next().await? {
                Some(entry) if entry.is_unknown() || !keys.includes(entry.destination_key().as_str()) => {}
                next => break next,
            }
        };
        let copied = loop {
            match there.next().await? {
                Some(entry) if entry.is_unknown() => {}
                next => break next,
            }
        };
        match (expected, copied) {
            (None, None) => return Ok(objects),
            (Some(expected), Some(copied)) if is_copy_of(&copied, &expected) => objects += 1,
            (expected, copied) => {
                let key = match (&expected, &copied) {
                    (Some(expected), Some(copied)) => expected.destination_key().min(&copied.source_key).to_string(),
                    (Some(one), None) => one.destination_key().to_string(),
                    (None, Some(one)) => one.source_key.to_string(),
                    (None, None) => String::new(),
                };
                let message = format!("the clone is not what the recovery point says: it differs at {key}");
                return Err(Error::new(ErrorKind::Damaged, message)
                    .advise(format!("see `pachsnap verify {} --full`", point.run)));
            }
        }
    }
}

/// Whether what was copied is the clone's object that the recovery point names.
fn is_copy_of(copied: &InventoryEntry, recorded: &InventoryEntry) -> bool {
    let same_checksum = match (&copied.checksum, &recorded.checksum) {
        (Some(Checksum::Sha256(copied)), Some(Checksum::Sha256(recorded))) => copied == recorded,
        _ => true,
    };
    copied.source_key == *recorded.destination_key()
        && copied.size == recorded.size
        && copied.source_version == *recorded.destination_version()
        && same_checksum
}
