//! What takes the place of EBS in a build without it: nothing.

use orchestrator::Result;
use orchestrator::job::OpenedVolume;
use orchestrator::manifest::EtcdVolumeRecord;

use crate::config::Config;

/// In place of snapshots of EBS volumes: there are none.
#[derive(Debug, Default)]
pub(super) struct Ebs(());

impl Ebs {
    pub(super) fn open(&self, _: &Config, _: &EtcdVolumeRecord) -> Result<Option<OpenedVolume>> {
        Ok(None)
    }
}

/// No rights are needed of what isn't there.
#[allow(clippy::unused_async, reason = "as the other one is")]
pub(crate) async fn missing_rights(_: &Config) -> Result<Option<Vec<&'static str>>> {
    Ok(None)
}
