//! Checking a recovery point from vault and clone alone.

mod boot;
mod captured;
pub(crate) mod deep;
mod listing;
mod parts;
mod report;
mod stream;
pub(crate) mod stream_against_etcd;
mod volumes;

use std::path::PathBuf;

use tempfile::TempDir;

pub use boot::EtcdPrograms;
pub use deep::{Contents, DeepSettings};
pub(crate) use parts::check_parts;
pub use report::{Check, Defect, Depth, Finding, Verdict, VerifyReport};

use crate::clone::Inventory;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Events, Step};
use crate::job::Stores;
use crate::manifest::{Artifacts, Manifest};
use crate::run_id::RunId;
use crate::snapshot::Superseded;
use crate::vault::{RunState, Vault, VaultError, layout};

/// How far to look, and what of.
#[derive(Clone, Debug)]
pub enum VerifySettings {
    /// [`Depth::Quick`].
    Quick,
    /// [`Depth::Full`].
    Full,
    /// [`Depth::Deep`].
    Deep(DeepSettings),
}

impl VerifySettings {
    /// How far they look.
    #[must_use]
    pub fn depth(&self) -> Depth {
        match self {
            Self::Quick => Depth::Quick,
            Self::Full => Depth::Full,
            Self::Deep(_) => Depth::Deep,
        }
    }
}

/// Checks a recovery point. `kubernetes` is the cluster that may hold snapshots of the disk; without it they are not looked for.
///
/// # Errors
/// `NotFound` without a manifest; those of the stores. Damage is an answer, not an error.
pub async fn verify(
    vault: &Vault,
    run: &RunId,
    kubernetes: Option<&kube::Client>,
    stores: &dyn Stores,
    settings: &VerifySettings,
    events: &Events,
) -> Result<VerifyReport> {
    let work = async {
        let checks = verify_all(vault, run, kubernetes, stores, settings, events).await?;
        let report = VerifyReport { run: run.clone(), depth: settings.depth(), checks };
        let bad = report.checks.iter().filter(|check| !check.is_good()).count();
        let summary = format!("{} checks, {bad} failed", report.checks.len());
        Ok::<_, Error>((report, summary))
    };
    events.step(Step::Verify, work).await
}

async fn verify_all(
    vault: &Vault,
    run: &RunId,
    kubernetes: Option<&kube::Client>,
    stores: &dyn Stores,
    settings: &VerifySettings,
    events: &Events,
) -> Result<Vec<Check>> {
    ensure_complete(vault, run).await?;
    let manifest = match crate::manifest::read(&vault.read_manifest(run).await?) {
        Ok(manifest) => manifest,
        Err(error) if error.kind() == ErrorKind::Damaged => {
            return Ok(vec![Check::failed("manifest.json", crate::error::chain(&error))]);
        }
        Err(error) => return Err(error),
    };
    let artifacts = &manifest.artifacts;
    let mut checks = vec![identity(&manifest, run), captured::check(vault, run, &manifest).await?];
    checks.extend(check_parts(vault, run, artifacts).await?);
    checks.extend(volumes::check(&manifest, kubernetes, stores).await);
    let files = Fetched::new(vault, run)?;
    let stream = match files.fetch(&artifacts.metadata.file.name).await {
        Ok(path) => path,
        Err(error @ VaultError::Missing { .. }) => {
            checks.push(Check::failed("metadata stream", crate::error::chain(&error)));
            return Ok(checks);
        }
        Err(error) => return Err(error.into()),
    };
    checks.push(stream::check(&stream, artifacts).await?);
    if settings.depth() == Depth::Quick {
        return Ok(checks);
    }
    let inventory = match files.inventory(artifacts).await? {
        Ok(inventory) => inventory,
        Err(error) => {
            checks.push(Check::failed("inventory", error));
            return Ok(checks);
        }
    };
    let clone = stores.open_url(&artifacts.bucket.url)?.bucket;
    match settings {
        VerifySettings::Deep(settings) if checks.iter().all(Check::is_good) => {
            let etcd = match &artifacts.etcd {
                Some(etcd) => Some(files.fetch(&etcd.file.name).await?),
                None => None,
            };
            let point = deep::Point { manifest: &manifest, inventory: &inventory, clone, stream, etcd };
            checks.extend(deep::check(point, settings, events).await?);
        }
        VerifySettings::Deep(_) => {
            checks.push(listing::check(clone, &inventory, artifacts, &mut |_| {}).await?);
            checks.push(Check::failed("files", "not looked at: what they are read from is damaged"));
        }
        _ => checks.push(listing::check(clone, &inventory, artifacts, &mut |_| {}).await?),
    }
    Ok(checks)
}

async fn ensure_complete(vault: &Vault, run: &RunId) -> Result<()> {
    let state = vault.list_runs().await?.into_iter().find(|entry| entry.run == *run).map(|entry| entry.state);
    if state == Some(RunState::Superseded) {
        let superseded: Superseded = vault.get_json(run, layout::SUPERSEDED).await?;
        let message = format!("run {run} is no recovery point any more: run {} writes to its clone", superseded.by);
        return Err(Error::new(ErrorKind::NotFound, message).advise("`pachsnap list` shows those that are"));
    }
    if state != Some(RunState::Complete) {
        return Err(Error::new(ErrorKind::NotFound, format!("run {run} has no manifest: it is no recovery point"))
            .advise(match state {
                Some(RunState::Captured) => format!("`pachsnap finish {run}` can still make it one"),
                Some(RunState::Deleting) => "its removal was begun: `pachsnap prune` goes on with it".to_owned(),
                _ => "`pachsnap list` shows the runs".to_owned(),
            }));
    }
    Ok(())
}

fn identity(manifest: &Manifest, run: &RunId) -> Check {
    if manifest.run == run.as_str() {
        Check::ok("manifest.json", format!("format {}.{}", manifest.format.major, manifest.format.minor))
    } else {
        Check::failed("manifest.json", format!("it is that of run {}", manifest.run))
    }
}

/// Lists the clone and compares it with the inventory.
pub(crate) async fn check_clone(
    vault: &Vault,
    run: &RunId,
    artifacts: &Artifacts,
    stores: &dyn Stores,
) -> Result<Vec<Check>> {
    Ok(vec![match Fetched::new(vault, run)?.inventory(artifacts).await? {
        Ok(inventory) => {
            let clone = stores.open_url(&artifacts.bucket.url)?.bucket;
            listing::check(clone, &inventory, artifacts, &mut |_| {}).await?
        }
        Err(error) => Check::failed("inventory", error),
    }])
}

/// Files of the vault, brought to this machine for as long as the value lives.
struct Fetched<'a> {
    vault: &'a Vault,
    run: &'a RunId,
    folder: TempDir,
}

impl<'a> Fetched<'a> {
    fn new(vault: &'a Vault, run: &'a RunId) -> Result<Self> {
        let folder = tempfile::tempdir()
            .map_err(|cause| Error::new(ErrorKind::Failed, "making a temporary folder").because(cause))?;
        Ok(Self { vault, run, folder })
    }

    async fn fetch(&self, name: &str) -> std::result::Result<PathBuf, VaultError> {
        let path = self.folder.path().join(name.replace('/', "-"));
        self.vault.get_file_to_path(self.run, name, &path).await?;
        Ok(path)
    }

    /// The inventory, or what is wrong with it.
    async fn inventory(&self, artifacts: &Artifacts) -> Result<std::result::Result<Inventory, String>> {
        let mut paths = Vec::new();
        for part in &artifacts.bucket.inventory {
            match self.fetch(&part.name).await {
                Ok(path) => paths.push(path),
                Err(error @ VaultError::Missing { .. }) => return Ok(Err(crate::error::chain(&error))),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Inventory::open(&paths).await.map_err(|error| crate::error::chain(&error)))
    }
}
