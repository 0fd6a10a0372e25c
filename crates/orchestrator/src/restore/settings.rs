//! Everything that decides how a restore runs.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clone::Writer;
use crate::run_id::RunId;
use crate::vault::Vault;

/// By which path the metadata comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestoreFrom {
    /// The snapshot of the disk under etcd, made into a new volume under the target's.
    Volume,
    /// etcd's snapshot, key by key, into the target's fresh etcd.
    Etcd,
    /// The metadata stream, replayed by pachd itself.
    Metadata,
}

impl RestoreFrom {
    /// Its name, in kebab case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Volume => "volume",
            Self::Etcd => "etcd",
            Self::Metadata => "metadata",
        }
    }
}

/// What is restored.
#[derive(Clone, Debug)]
pub enum RestoreSource {
    /// A recovery point of a vault, by one of the paths.
    Point(Vault, RunId, RestoreFrom),
    /// A file that `pachctl extract` wrote, without a manifest. The target's bucket must hold the objects, unless they are in
    /// the file.
    Stream(PathBuf),
}

/// Everything that decides how a restore runs.
#[derive(Clone, Debug)]
pub struct RestoreSettings {
    /// URL of the vault, where it is kept how far the target's bucket is.
    pub vault: String,
    /// Prefix there, which ends in a slash.
    pub state: String,
    /// StorageClass of the new volume, on the path by the disk; without one that of the target's present claim.
    pub volume_class: Option<String>,
    /// Whether pipelines that ran at the source are started.
    pub start_pipelines: bool,
    /// Pipelines whose clock has missed more ticks than this are left paused.
    pub max_missed_ticks: u64,
    /// Whether objects go through this machine also where one store holds both and could copy by itself.
    pub through_here: bool,
    /// How many object copies are under way at once.
    pub copy_parallelism: usize,
    /// This process, as the lock of the target's bucket names it.
    pub writer: Writer,
    /// Folder for parts on their way; needs room for etcd's database and the stream.
    pub staging: PathBuf,
    /// File that gets the root token where the restored cluster has auth. Written before the restore: nothing else gives
    /// access afterwards.
    pub root_token_file: PathBuf,
    /// How often the cluster is asked for its state while something is waited for.
    pub poll: Duration,
    /// Longest time without any progress.
    pub stall: Duration,
}
