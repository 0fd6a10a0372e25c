//! Recovery points that nobody needs any more, and what dead runs have left: named first, removed when told to.
//!
//! ```text
//! deleting.json ─► manifest.json, captured.json ─► clone, unfinished copies into it ─► snapshots of the disk ─► other files ─► deleting.json
//! ```
//!
//! With the first file a run is no recovery point any more, so no manifest ever points to what is gone; with the last one it is
//! gone itself. In between the same command goes on, from any machine: the first file names what there is to remove.
//! Only what carries our names is touched: files of runs in the vault, clones that a manifest names or whose place is named for
//! a run, and snapshots with our tags.

mod carry_out;
mod plan;
mod snapshots;
mod uploads;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use carry_out::{Removed, remove};
pub use plan::{plan_delete, plan_prune};
pub use snapshots::DiskSnapshot;

use crate::job::Stores;
use crate::manifest::EtcdVolumeRecord;
use crate::run_id::RunId;
use crate::vault::Vault;

/// Where to look, and by what means.
#[derive(Clone, Copy)]
pub struct Places<'a> {
    /// The cluster's part of the vault.
    pub vault: &'a Vault,
    /// URL of the whole vault: recovery points of other clusters may use a clone too.
    pub vault_url: &'a str,
    /// URL under which each run's clone has a place of its own.
    pub clone_url: &'a str,
    /// Opens clones.
    pub stores: &'a dyn Stores,
    /// The cluster that holds snapshots of the disk, if it can be reached.
    pub disks: Option<&'a Disks>,
}

/// A cluster whose volumes have snapshots.
#[derive(Clone)]
pub struct Disks {
    /// Its Kubernetes.
    pub kubernetes: kube::Client,
    /// The namespace of Pachyderm.
    pub namespace: String,
    /// The volumes under etcd now.
    pub volumes: Vec<EtcdVolumeRecord>,
}

/// How old what dead runs have left must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OlderThan(pub Duration);

/// Why something is to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// Somebody asked for it by name.
    Asked,
    /// The run died before it was captured: nothing can be restored from it.
    Dead,
    /// A later run took its clone over.
    Superseded,
    /// Its removal was begun.
    Begun,
}

/// What is to be removed of one run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Removal {
    /// The run.
    pub run: RunId,
    /// Why.
    pub why: Why,
    /// Its files in the vault.
    pub files: u64,
    /// Their bytes.
    pub file_bytes: u64,
    /// What becomes of its clone.
    pub clone: CloneFate,
    /// Large copies into that clone that were begun and never finished: no listing shows them, and they cost money.
    pub uploads: u64,
    /// Its snapshots of the disk.
    pub snapshots: Vec<DiskSnapshot>,
    /// What can't be told or done, a sentence each.
    pub notes: Vec<String>,
}

/// What becomes of a clone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "fate", deny_unknown_fields)]
pub enum CloneFate {
    /// Every key of it is deleted.
    Removed {
        /// Where it is.
        url: String,
        /// Objects in it, where the manifest tells.
        objects: Option<u64>,
        /// Their bytes.
        bytes: Option<u64>,
    },
    /// Others use it.
    Kept {
        /// Where it is.
        url: String,
        /// Runs that use it.
        used_by: Vec<String>,
    },
    /// There is none.
    None,
}
