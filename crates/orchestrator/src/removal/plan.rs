//! What would be removed. Changes nothing.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use provider::{Key, ListRequest, ListingStart};
use serde::Deserialize;

use super::carry_out::Tombstone;
use super::snapshots::{self, DiskSnapshot};
use super::{CloneFate, OlderThan, Places, Removal, Why, uploads};
use crate::clone_use::Clones;
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::Artifacts;
use crate::retry::{RetryPolicy, retrying};
use crate::run_id::RunId;
use crate::vault::{RunState, VaultError, layout};

/// The part of a manifest, or of `captured.json`, that says what there is to remove. Read also where the rest is damaged.
#[derive(Deserialize)]
struct Recorded {
    artifacts: Artifacts,
}

/// What removing one run by name would do, however far it got.
///
/// # Errors
/// `NotFound` when the vault has no such run; `Configuration` when it has a snapshot in a cluster that isn't reached; those of
/// the stores.
pub async fn plan_delete(places: &Places<'_>, run: &RunId) -> Result<Removal> {
    let entry = places.vault.list_runs().await?.into_iter().find(|entry| entry.run == *run);
    let state = entry.map(|entry| entry.state).ok_or_else(|| {
        let message = format!("there is no run {run} of {} in {}", places.vault.cluster(), places.vault.location());
        Error::new(ErrorKind::NotFound, message).advise("`pachsnap list --all` shows those that are")
    })?;
    let tagged = snapshots::tagged(places).await?;
    let why = if state == RunState::Deleting { Why::Begun } else { Why::Asked };
    let clones = Clones::read(places.stores, places.vault_url).await?;
    plan(places, run, Some(state), why, &tagged, &clones).await
}

/// What dead runs have left, oldest first: runs that were never captured and are old enough, recovery points whose clone a later
/// run took over, removals that were begun, clones and snapshots that no run in the vault knows. Recovery points and runs that
/// can still become one are spared.
///
/// # Errors
/// Those of [`plan_delete`].
pub async fn plan_prune(places: &Places<'_>, older_than: OlderThan, now: Timestamp) -> Result<Vec<Removal>> {
    let age = SignedDuration::try_from(older_than.0).unwrap_or(SignedDuration::MAX);
    let is_old = |run: &RunId| now.duration_since(run.began()) > age;
    let runs = places.vault.list_runs().await?;
    let tagged = snapshots::tagged(places).await?;
    let clones = Clones::read(places.stores, places.vault_url).await?;
    let known: BTreeSet<RunId> = runs.iter().map(|entry| entry.run.clone()).collect();
    let mut planned = Vec::new();
    for entry in &runs {
        let why = match entry.state {
            RunState::Deleting => Why::Begun,
            RunState::Incomplete if is_old(&entry.run) => Why::Dead,
            RunState::Superseded if is_old(&entry.run) => Why::Superseded,
            _ => continue,
        };
        planned.push(plan(places, &entry.run, Some(entry.state), why, &tagged, &clones).await?);
    }
    let named = tagged.iter().filter_map(|(run, _)| run.parse::<RunId>().ok());
    let mut unknown: BTreeSet<RunId> = clones_named_for_runs(places).await?.into_iter().chain(named).collect();
    unknown.retain(|run| !known.contains(run) && is_old(run));
    for run in unknown {
        planned.push(plan(places, &run, None, Why::Dead, &tagged, &clones).await?);
    }
    planned.sort_by(|one, other| one.run.cmp(&other.run));
    Ok(planned)
}

async fn plan(
    places: &Places<'_>,
    run: &RunId,
    state: Option<RunState>,
    why: Why,
    tagged: &[(String, DiskSnapshot)],
    clones: &Clones,
) -> Result<Removal> {
    let files = places.vault.list_files(run).await?;
    let mut removal = Removal {
        run: run.clone(),
        why,
        files: files.len() as u64,
        file_bytes: files.iter().map(|file| file.size).sum(),
        clone: CloneFate::None,
        uploads: 0,
        snapshots: Vec::new(),
        notes: Vec::new(),
    };
    let begun = read::<Tombstone>(places, run, layout::DELETING).await?;
    let recorded = match read::<Recorded>(places, run, layout::MANIFEST).await? {
        Some(recorded) => Some(recorded),
        None => read::<Recorded>(places, run, layout::CAPTURED).await?,
    };
    if let Some(Tombstone { clone, snapshots }) = begun {
        (removal.clone, removal.snapshots) = (clone, snapshots);
    } else if let Some(Recorded { artifacts }) = recorded {
        let bucket = artifacts.bucket;
        removal.clone =
            CloneFate::Removed { url: bucket.url, objects: Some(bucket.objects), bytes: Some(bucket.bytes) };
        removal.snapshots =
            artifacts.volumes.into_iter().map(|volume| DiskSnapshot { id: volume.snapshot, of: volume.of }).collect();
    } else {
        let url = format!("{}/{}/{run}", places.clone_url.trim_end_matches('/'), places.vault.cluster());
        removal.clone = CloneFate::Removed { url, objects: None, bytes: None };
        removal.snapshots = Vec::new();
        if places.disks.is_none() {
            removal.notes.push("snapshots of the disk were not looked for: no cluster is reached".to_owned());
        }
    }
    for (owner, snapshot) in tagged {
        if owner == run.as_str() && !removal.snapshots.iter().any(|known| known.id == snapshot.id) {
            removal.snapshots.push(snapshot.clone());
        }
    }
    for snapshot in &removal.snapshots {
        snapshots::needed(places, snapshot)?;
    }
    (removal.clone, removal.uploads) = fate(places, run, state, removal.clone, clones).await?;
    Ok(removal)
}

/// What becomes of a clone, and how many copies into it are unfinished. One that another recovery point uses stays.
async fn fate(
    places: &Places<'_>,
    run: &RunId,
    state: Option<RunState>,
    clone: CloneFate,
    clones: &Clones,
) -> Result<(CloneFate, u64)> {
    let CloneFate::Removed { url, objects, bytes } = clone else { return Ok((clone, 0)) };
    let opened = places.stores.open_url(&url)?;
    let users = clones.users_of(&opened).filter(|user| *user != run.as_str());
    let used_by: Vec<String> = users.map(str::to_owned).collect();
    if state == Some(RunState::Superseded) || !used_by.is_empty() {
        return Ok((CloneFate::Kept { url, used_by }, 0));
    }
    let uploads = uploads::unfinished(&opened).await?.len() as u64;
    let first = ListRequest { max_keys: 1, ..ListRequest::default() };
    let page = retrying(RetryPolicy::default(), || opened.bucket.list(&first)).await;
    match page {
        Ok(page) if page.objects.is_empty() && page.next.is_none() && uploads == 0 => Ok((CloneFate::None, 0)),
        Ok(_) => Ok((CloneFate::Removed { url, objects, bytes }, uploads)),
        Err(error) if error.kind() == provider::ErrorKind::NotFound => Ok((CloneFate::None, 0)),
        Err(error) => Err(error.into()),
    }
}

/// A file of a run, if it is there and says what it should.
async fn read<T: serde::de::DeserializeOwned>(places: &Places<'_>, run: &RunId, name: &str) -> Result<Option<T>> {
    match places.vault.get_json(run, name).await {
        Ok(value) => Ok(Some(value)),
        Err(VaultError::Missing { .. } | VaultError::Json { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Clones below the place of all clones whose name is that of a run. One request for each, where a listing can begin anywhere.
async fn clones_named_for_runs(places: &Places<'_>) -> Result<Vec<RunId>> {
    let root = places.stores.open_url(places.clone_url)?.bucket;
    let prefix = format!("{}/", places.vault.cluster());
    let can_jump = root.capabilities().listing_start == ListingStart::AfterAnyKey;
    let mut request = ListRequest { prefix: prefix.clone(), ..ListRequest::default() };
    if can_jump {
        request.max_keys = 1;
    }
    let mut found = BTreeSet::new();
    loop {
        let page = retrying(RetryPolicy::default(), || root.list(&request)).await?;
        let mut last = None;
        for object in &page.objects {
            let Some((name, _)) = object.key.as_str().strip_prefix(&prefix).and_then(|rest| rest.split_once('/'))
            else {
                continue;
            };
            last = Some(format!("{prefix}{name}/{}", char::MAX));
            if let Ok(run) = name.parse::<RunId>() {
                found.insert(run);
            }
        }
        match (page.next, last) {
            (None, _) if !can_jump || page.objects.is_empty() => return Ok(found.into_iter().collect()),
            (_, Some(last)) if can_jump => request.after = Some(Key::new(last)),
            (_, None) if can_jump => request.after = page.objects.last().map(|object| object.key.clone()),
            (next, _) => request.token = next,
        }
    }
}
