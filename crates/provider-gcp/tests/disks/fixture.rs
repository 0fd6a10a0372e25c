//! Persistent Disks for the conformance suite.

use std::sync::Arc;

use async_trait::async_trait;
use provider::testkit::conformance::VolumeFixture;
use provider::{Owner, RestoredVolume, VolumeId, VolumeSnapshots};
use provider_gcp::PdSnapshots;
use sandbox::compute::{ComputeFault, ComputeOptions, ComputeServer, NewDisk};

use crate::place::{MISSING_DISK, connect, credentials, options};

#[derive(Debug)]
pub(crate) struct Fixture {
    server: ComputeServer,
    region: Option<String>,
}

impl Fixture {
    pub(crate) async fn start() -> Self {
        Self { server: ComputeServer::start(ComputeOptions::default()).await.unwrap(), region: None }
    }

    pub(crate) async fn regional() -> Self {
        Self { region: Some("us-central1".to_owned()), ..Self::start().await }
    }
}

#[async_trait]
impl VolumeFixture for Fixture {
    async fn connect(&self) -> Arc<dyn VolumeSnapshots> {
        Arc::new(connect(&self.server).await)
    }

    async fn volume(&self) -> VolumeId {
        VolumeId(self.server.add_disk(NewDisk { region: self.region.clone(), ..NewDisk::default() }))
    }

    async fn missing_volume(&self) -> VolumeId {
        VolumeId(MISSING_DISK.to_owned())
    }

    async fn wrong_credentials(&self) -> Option<Arc<dyn VolumeSnapshots>> {
        let mut options = options(&self.server.endpoint());
        options.credentials = provider_gcp::GoogleCredentials::Given(credentials("nobody"));
        Some(Arc::new(PdSnapshots::connect(options).await.unwrap()))
    }

    async fn lose_next_reply(&self) -> bool {
        let lost = ComputeFault::lose_reply();
        let calls = ["disks.createSnapshot", "regionDisks.createSnapshot", "disks.insert", "regionDisks.insert"];
        self.server.add_fault(calls.into_iter().fold(lost, ComputeFault::on));
        true
    }

    async fn volumes_made(&self, owner: &Owner) -> Option<usize> {
        let disks = self.server.disks();
        Some(disks.values().filter(|labels| labels.get(Owner::CLUSTER_TAG) == Some(&owner.cluster)).count())
    }

    async fn write(&self, volume: &VolumeId, bytes: &[u8]) -> bool {
        self.server.write(&volume.0, bytes.to_vec())
    }

    async fn read(&self, volume: &RestoredVolume) -> Option<Vec<u8>> {
        let RestoredVolume::Volume { handle, .. } = volume else { panic!("{volume:?} is a claim") };
        Some(self.server.read(handle)?.to_vec())
    }
}
