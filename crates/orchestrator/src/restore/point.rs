//! The recovery point that is restored: read from vault and clone, and checked before anything else.

use std::path::PathBuf;

use pachyderm::layout::Layout;

use crate::clone::Inventory;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Events;
use crate::job::{Opened, Stores};
use crate::manifest::Manifest;
use crate::run_id::RunId;
use crate::snapshot::Staging;
use crate::vault::{Vault, layout as files};
use crate::verify::{VerifySettings, verify};

/// A recovery point whose parts are as they were written, on this machine where they are read at once.
pub(super) struct Point {
    pub(super) run: RunId,
    pub(super) manifest: Manifest,
    /// How its cluster, and so its clone, names objects.
    pub(super) layout: Layout,
    pub(super) clone: Opened,
    pub(super) inventory: Inventory,
    /// The metadata stream.
    pub(super) stream: PathBuf,
    /// etcd's snapshot, if it has one.
    pub(super) etcd: Option<PathBuf>,
    /// Holds the files.
    _staging: Staging,
}

impl Point {
    /// Reads a recovery point. Every byte of its parts is checked, and the clone is listed and held against the inventory.
    ///
    /// # Errors
    /// `NotFound` without a manifest, `Damaged` naming the part that is not as it was written; those of the stores.
    pub(super) async fn read(
        vault: &Vault,
        run: &RunId,
        stores: &dyn Stores,
        staging: &std::path::Path,
        events: &Events,
    ) -> Result<Self> {
        let report = verify(vault, run, None, stores, &VerifySettings::Full, events).await?;
        if let Some(bad) = report.checks.iter().find(|check| !check.is_good()) {
            return Err(Error::new(ErrorKind::Damaged, format!("{}: {}", bad.name, bad.detail)).advise(format!(
                "nothing is restored from a damaged recovery point: see `pachsnap verify {run} --full`, and take another one"
            )));
        }
        let manifest = crate::manifest::read(&vault.read_manifest(run).await?)?;
        let layout = manifest.cluster.layout().map_err(|why| Error::new(ErrorKind::UnsupportedCluster, why))?;
        let staging = Staging::create(staging, run)?;
        let stream = staging.file(files::METADATA);
        fetch(vault, run, &manifest.artifacts.metadata.file.name, &stream).await?;
        let etcd = match &manifest.artifacts.etcd {
            Some(artifact) => {
                let path = staging.file(files::ETCD_SNAPSHOT);
                fetch(vault, run, &artifact.file.name, &path).await?;
                Some(path)
            }
            None => None,
        };
        let mut paths = Vec::new();
        for (number, part) in manifest.artifacts.bucket.inventory.iter().enumerate() {
            let path = staging.file(&format!("part-{number:05}.parquet"));
            fetch(vault, run, &part.name, &path).await?;
            paths.push(path);
        }
        let inventory = Inventory::open(&paths).await?;
        let clone = stores.open_url(&manifest.artifacts.bucket.url)?;
        Ok(Self { run: run.clone(), manifest, layout, clone, inventory, stream, etcd, _staging: staging })
    }
}

async fn fetch(vault: &Vault, run: &RunId, name: &str, path: &std::path::Path) -> Result<()> {
    vault.get_file_to_path(run, name, path).await.map(drop).map_err(Error::from)
}
