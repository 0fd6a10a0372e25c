//! The stores of a restore into a scratch cluster: its data bucket is the drill's own, whatever else is configured.

use std::sync::Arc;

use crate::cluster::BucketLocation;
use crate::error::Result;
use crate::job::{Opened, OpenedVolume, Stores};
use crate::manifest::EtcdVolumeRecord;

/// All stores, but the data bucket is the scratch one.
pub(super) struct ScratchStores {
    pub(super) all: Arc<dyn Stores>,
    pub(super) scratch: Opened,
}

impl Stores for ScratchStores {
    fn open_data(&self, _: &BucketLocation) -> Result<Opened> {
        Ok(self.scratch.clone())
    }

    fn open_url(&self, url: &str) -> Result<Opened> {
        self.all.open_url(url)
    }

    fn open_volume(
        &self,
        kubernetes: &kube::Client,
        namespace: &str,
        volume: &EtcdVolumeRecord,
    ) -> Result<Option<OpenedVolume>> {
        self.all.open_volume(kubernetes, namespace, volume)
    }
}
