//! Snapshots of Persistent Disks, as the configuration says.

use std::sync::{Arc, Mutex, PoisonError};

use orchestrator::job::{OpenedVolume, SnapshotService};
use orchestrator::manifest::EtcdVolumeRecord;
use orchestrator::{Error, ErrorKind, Result};
use provider::VolumeId;
use provider_gcp::{PdOptions, PdPurpose, PdSnapshots};

use super::gcs_store::credentials;
use super::wait_for;
use crate::config::Config;

/// The service, once it was needed. One for the whole run: it remembers what it saw of a disk, so that a cut needs not ask again.
#[derive(Debug, Default)]
pub(super) struct PersistentDisks(Mutex<Option<Arc<PdSnapshots>>>);

impl PersistentDisks {
    /// Compute Engine's own snapshots of a disk, which its PersistentVolume names.
    pub(super) fn open(&self, config: &Config, volume: &EtcdVolumeRecord) -> Result<Option<OpenedVolume>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshots = match &*known {
            Some(snapshots) => snapshots.clone(),
            None => {
                let opened = wait_for(connect(config, &volume.id))?;
                known.insert(Arc::new(opened)).clone()
            }
        };
        Ok(Some(OpenedVolume { snapshots, volume: VolumeId(volume.id.clone()), service: SnapshotService::Cloud }))
    }
}

/// The permissions that a snapshot of these disks needs of Compute Engine and that these credentials lack, as far as a disk tells them.
pub(crate) async fn missing_disk_permissions(
    config: &Config,
    volumes: &[EtcdVolumeRecord],
) -> Result<Vec<&'static str>> {
    let mut missing = Vec::new();
    for volume in volumes {
        let snapshots = connect(config, &volume.id).await?;
        let id = VolumeId(volume.id.clone());
        let lacking = snapshots.missing_permissions(PdPurpose::Snapshot, Some(&id), None).await.map_err(|cause| {
            Error::new(ErrorKind::Configuration, "Compute Engine can't be asked for its permissions").because(cause)
        })?;
        missing.extend(lacking);
    }
    missing.sort_unstable();
    missing.dedup();
    Ok(missing)
}

async fn connect(config: &Config, volume: &str) -> Result<PdSnapshots> {
    let failed = |cause: provider::Error| {
        Error::new(ErrorKind::Configuration, "Compute Engine can't be asked for snapshots of disks")
            .because(cause)
            .advise("set pd.project, and see `gcloud auth application-default login` or pd.credentials-file")
    };
    let text = |path| config.text(path).map(str::to_owned);
    let options = PdOptions {
        project: text("pd.project").or_else(|| project_of(volume).map(str::to_owned)),
        zone: text("pd.zone"),
        endpoint: text("pd.endpoint"),
        credentials: credentials(config, "pd.credentials-file"),
        storage_location: text("pd.storage-location"),
        disk_type: text("pd.disk-type"),
        iops: config.number_if_set("pd.iops"),
        throughput: config.number_if_set("pd.throughput"),
        kms_key: text("pd.encrypt-with"),
        poll: config.span("snapshot.poll"),
        ..PdOptions::default()
    };
    PdSnapshots::connect(options).await.map_err(failed)
}

/// The project that a CSI driver's handle names: `projects/P/zones/Z/disks/D`.
fn project_of(volume: &str) -> Option<&str> {
    let (project, _) = volume.strip_prefix("projects/")?.split_once('/')?;
    (project != "UNSPECIFIED").then_some(project)
}

#[cfg(test)]
mod tests {
    use super::project_of;

    #[test]
    fn a_handle_names_its_project() {
        assert_eq!(project_of("projects/p-1/zones/us-central1-a/disks/d"), Some("p-1"));
        for other in ["projects/UNSPECIFIED/zones/z/disks/d", "gce://us-central1-a/d", "d"] {
            assert_eq!(project_of(other), None, "{other}");
        }
    }
}
