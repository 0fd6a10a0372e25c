//! What takes the place of the on-premises stores in a build without them: a refusal.

use orchestrator::{Error, ErrorKind};

fn refusal() -> Error {
    Error::new(ErrorKind::Configuration, "this build opens neither S3 stores nor folders")
        .advise("build it with the cargo feature `onprem`")
}

/// In place of snapshots of CSI volumes: there are none.
pub(super) mod csi {
    use orchestrator::job::OpenedVolume;
    use orchestrator::manifest::EtcdVolumeRecord;

    use crate::config::Config;

    pub(in super::super) fn open(_: &Config, _: &kube::Client, _: &str, _: &EtcdVolumeRecord) -> Option<OpenedVolume> {
        None
    }
}

/// In place of folders.
pub(super) mod directory {
    use std::path::Path;

    use orchestrator::Result;
    use orchestrator::job::Opened;

    pub(in super::super) fn open_data(_: &Path) -> Result<Opened> {
        Err(super::refusal())
    }

    pub(in super::super) fn open_url(_: &str) -> Result<Opened> {
        Err(super::refusal())
    }
}

/// In place of S3 stores.
pub(super) mod s3_store {
    use orchestrator::Result;
    use orchestrator::cluster::AccessKey;
    use orchestrator::job::Opened;

    use super::super::BucketUrl;
    use crate::config::{Config, StoreOptions, StoreSection};

    pub(in super::super) fn open_data(
        _: &Config,
        _: &str,
        _: Option<&str>,
        _: Option<&str>,
        _: Option<&AccessKey>,
    ) -> Result<Opened> {
        Err(super::refusal())
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
