//! What takes the place of Google Cloud in a build without it: a refusal.

use orchestrator::{Error, ErrorKind};

fn refusal() -> Error {
    Error::new(ErrorKind::Configuration, "this build opens no buckets of Google Cloud Storage")
        .advise("build it with the cargo feature `gcp`")
}

/// In place of buckets.
pub(super) mod gcs_store {
    use orchestrator::Result;
    use orchestrator::cluster::ServiceAccountKey;
    use orchestrator::job::Opened;

    use super::super::BucketUrl;
    use crate::config::{Config, StoreOptions, StoreSection};

    pub(in super::super) fn open_data(_: &Config, _: &str, _: Option<&ServiceAccountKey>) -> Result<Opened> {
        Err(super::refusal())
    }

    /// No permissions are needed of what isn't there.
    #[allow(clippy::unused_async, reason = "as the other one is")]
    pub(crate) async fn missing_data_permissions(
        _: &Config,
        _: &str,
        _: Option<&ServiceAccountKey>,
    ) -> Result<Vec<&'static str>> {
        Ok(Vec::new())
    }

    /// No permissions are needed of what isn't there.
    #[allow(clippy::unused_async, reason = "as the other one is")]
    pub(crate) async fn missing_store_permissions(_: &Config, _: StoreSection, _: &str) -> Result<Vec<&'static str>> {
        Ok(Vec::new())
    }

    pub(in super::super) fn open(
        _: &Config,
        _: Option<StoreSection>,
        _: &BucketUrl,
        _: &StoreOptions,
    ) -> Result<Opened> {
        Err(super::refusal())
    }
}

/// In place of snapshots of Persistent Disks: there are none.
pub(super) mod pd {
    use orchestrator::Result;
    use orchestrator::job::OpenedVolume;
    use orchestrator::manifest::EtcdVolumeRecord;

    use crate::config::Config;

    #[derive(Debug, Default)]
    pub(in super::super) struct PersistentDisks(());

    impl PersistentDisks {
        pub(in super::super) fn open(&self, _: &Config, _: &EtcdVolumeRecord) -> Result<Option<OpenedVolume>> {
            Ok(None)
        }
    }

    /// No permissions are needed of what isn't there.
    #[allow(clippy::unused_async, reason = "as the other one is")]
    pub(crate) async fn missing_disk_permissions(_: &Config, _: &[EtcdVolumeRecord]) -> Result<Vec<&'static str>> {
        Ok(Vec::new())
    }
}
