//! Two clones that recovery points take in turn: the older one is updated in place, so that a run copies only what changed.
//!
//! While one is written, the other one's recovery point is whole. The older recovery point is marked as superseded before the
//! first write to its clone, and is none from then on.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::staging::Staging;
use crate::clone::{Before, Inventory};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Events;
use crate::job::SnapshotSettings;
use crate::manifest::{self, Manifest};
use crate::run_id::RunId;
use crate::vault::{RunState, Vault, layout};

/// Who took a recovery point's clone over, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Superseded {
    /// The run that writes to the clone now.
    pub by: RunId,
    /// When it began to.
    pub at: Timestamp,
}

/// Where a run's clone goes, and what is known of what is there.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) url: String,
    pub(super) before: Before,
    /// The recovery point that this clone belongs to so far.
    supersedes: Option<RunId>,
}

impl Place {
    /// A place of the run's own, where nothing is.
    pub(super) fn fresh(url: String) -> Self {
        Self { url, before: Before::Unknown, supersedes: None }
    }

    /// Of the two clones the one that the newest recovery point doesn't use.
    pub(super) async fn of_mirror(
        vault: &Vault,
        settings: &SnapshotSettings,
        names: &[String; 2],
        staging: &Staging,
    ) -> Result<Self> {
        let root = settings.clone.trim_end_matches('/');
        let urls = names.each_ref().map(|name| format!("{root}/{}/{name}", settings.cluster_name));
        let mut newest: Option<usize> = None;
        let mut last: [Option<(Manifest, RunState)>; 2] = [None, None];
        for entry in vault.list_runs().await? {
            if !matches!(entry.state, RunState::Complete | RunState::Superseded) {
                continue;
            }
            let manifest = manifest::read(&vault.read_manifest(&entry.run).await?)?;
            let Some(at) = urls.iter().position(|url| *url == manifest.artifacts.bucket.url) else { continue };
            if entry.state == RunState::Complete {
                newest = Some(at);
            }
            last[at] = Some((manifest, entry.state));
        }
        let at = newest.map_or(0, |newest| 1 - newest);
        let (url, last) = (urls[at].clone(), last[at].take());
        let Some((manifest, state)) = last else { return Ok(Self::fresh(url)) };
        let inventory = fetch(vault, &manifest, staging).await?;
        let run = manifest.run.parse().map_err(|cause| {
            Error::new(ErrorKind::Damaged, format!("{:?} in a manifest is no run", manifest.run)).because(cause)
        })?;
        Ok(match state {
            RunState::Complete => Self { url, before: Before::Recorded(inventory), supersedes: Some(run) },
            // A run that took it over did not get to its end: what it wrote is in no manifest.
            _ => Self { url, before: Before::Touched(inventory), supersedes: None },
        })
    }

    /// Marks the recovery point of this clone: from here on it is none. To be done before the first write.
    pub(super) async fn take_over(&self, vault: &Vault, run: &RunId, events: &Events) -> Result<()> {
        let Some(older) = &self.supersedes else { return Ok(()) };
        let superseded = Superseded { by: run.clone(), at: Timestamp::now() };
        let resource = format!("{older}/{}", layout::SUPERSEDED);
        events.change("write", &resource, vault.put_json_create_only(older, layout::SUPERSEDED, &superseded)).await?;
        Ok(())
    }
}

async fn fetch(vault: &Vault, manifest: &Manifest, staging: &Staging) -> Result<Inventory> {
    let run: RunId = manifest.run.parse().map_err(|cause| {
        Error::new(ErrorKind::Damaged, format!("{:?} in a manifest is no run", manifest.run)).because(cause)
    })?;
    let folder = staging.folder("inventory-of-the-older")?;
    let mut paths = Vec::new();
    tokio::fs::create_dir_all(&folder)
        .await
        .map_err(|cause| Error::new(ErrorKind::Failed, "the staging folder can't be written").because(cause))?;
    for (number, part) in manifest.artifacts.bucket.inventory.iter().enumerate() {
        let path = folder.join(format!("part-{number:05}.parquet"));
        let fetched = vault.get_file_to_path(&run, &part.name, &path).await?;
        if fetched.sha256 != part.sha256 {
            let message = format!("{} of run {run} is not what its manifest says", part.name);
            return Err(Error::new(ErrorKind::Damaged, message).advise("see `pachsnap verify`"));
        }
        paths.push(path);
    }
    Ok(Inventory::open(&paths).await?)
}
