//! Snapshots of EBS volumes, as the configuration says.

use std::sync::{Arc, Mutex, PoisonError};

use orchestrator::job::{OpenedVolume, SnapshotService};
use orchestrator::manifest::EtcdVolumeRecord;
use orchestrator::{Error, ErrorKind, Result};
use provider::VolumeId;
use provider_aws::s3::CredentialsConfig;
use provider_aws::{EbsOptions, EbsPurpose, EbsSnapshots};

use super::wait_for;
use crate::config::Config;

/// The service, once it was needed. One for the whole run: it remembers what it has cut while EC2's listings lag.
#[derive(Debug, Default)]
pub(super) struct Ebs(Mutex<Option<Arc<EbsSnapshots>>>);

impl Ebs {
    /// EBS's own snapshots of a volume, which its PersistentVolume names.
    pub(super) fn open(&self, config: &Config, volume: &EtcdVolumeRecord) -> Result<Option<OpenedVolume>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshots = match &*known {
            Some(snapshots) => snapshots.clone(),
            None => {
                let opened = wait_for(EbsSnapshots::connect(options(config))).map_err(|cause| {
                    Error::new(ErrorKind::Configuration, "EC2 can't be asked for snapshots of volumes")
                        .because(cause)
                        .advise("set ebs.region, or AWS_REGION")
                })?;
                known.insert(Arc::new(opened)).clone()
            }
        };
        Ok(Some(OpenedVolume { snapshots, volume: VolumeId(volume.id.clone()), service: SnapshotService::Cloud }))
    }
}

/// The IAM actions that a snapshot needs of EC2 and that these credentials lack; `None` where EC2 snapshots no volumes.
pub(crate) async fn missing_rights(config: &Config) -> Result<Option<Vec<&'static str>>> {
    if !config.ec2_snapshots_volumes(true) || config.text("snapshot.volume") == Some("skip") {
        return Ok(None);
    }
    let failed = |cause| {
        Error::new(ErrorKind::Configuration, "EC2 can't be asked for its rights")
            .because(cause)
            .advise("set ebs.region, or AWS_REGION, and see which credentials the AWS tools find here")
    };
    let snapshots = EbsSnapshots::connect(options(config)).await.map_err(failed)?;
    snapshots.missing_rights(EbsPurpose::Snapshot).await.map_err(failed).map(Some)
}

fn options(config: &Config) -> EbsOptions {
    let text = |path| config.text(path).map(str::to_owned);
    EbsOptions {
        region: text("ebs.region"),
        endpoint: text("ebs.endpoint"),
        credentials: CredentialsConfig::Chain { profile: text("ebs.profile") },
        kms_key: text("ebs.encrypt-with"),
        volume_type: text("ebs.volume-type"),
        iops: config.number_if_set("ebs.iops"),
        throughput: config.number_if_set("ebs.throughput"),
        poll: config.span("snapshot.poll"),
        ..EbsOptions::default()
    }
}
