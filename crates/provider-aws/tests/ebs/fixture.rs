//! EBS volumes for the conformance suite.

use std::sync::Arc;

use async_trait::async_trait;
use provider::testkit::conformance::VolumeFixture;
use provider::{Owner, RestoredVolume, VolumeId, VolumeSnapshots};
use provider_aws::EbsSnapshots;
use sandbox::ec2::Ec2Fault;

use crate::place::{MISSING_VOLUME, Place, credentials, options};

#[derive(Debug)]
pub(crate) struct Fixture(pub(crate) Place);

#[async_trait]
impl VolumeFixture for Fixture {
    async fn connect(&self) -> Arc<dyn VolumeSnapshots> {
        Arc::new(self.0.connect().await)
    }

    async fn volume(&self) -> VolumeId {
        VolumeId(self.0.volume().await)
    }

    async fn missing_volume(&self) -> VolumeId {
        VolumeId(MISSING_VOLUME.to_owned())
    }

    async fn wrong_credentials(&self) -> Option<Arc<dyn VolumeSnapshots>> {
        self.0.server()?;
        let mut options = options(&self.0.endpoint());
        options.credentials = credentials("nobody");
        Some(Arc::new(EbsSnapshots::connect(options).await.unwrap()))
    }

    async fn lose_next_reply(&self) -> bool {
        let Some(server) = self.0.server() else { return false };
        server.add_fault(Ec2Fault::lose_reply().on("CreateSnapshot").on("CreateVolume"));
        true
    }

    async fn volumes_made(&self, owner: &Owner) -> Option<usize> {
        let filter = aws_sdk_ec2::types::Filter::builder().name(format!("tag:{}", Owner::CLUSTER_TAG));
        let call = self.0.client().describe_volumes().filters(filter.values(&owner.cluster).build());
        Some(call.send().await.unwrap().volumes.unwrap_or_default().len())
    }

    async fn write(&self, volume: &VolumeId, bytes: &[u8]) -> bool {
        self.0.server().is_some_and(|server| server.write(&volume.0, bytes.to_vec()))
    }

    async fn read(&self, volume: &RestoredVolume) -> Option<Vec<u8>> {
        let RestoredVolume::Volume { handle, .. } = volume else { panic!("{volume:?} is a claim") };
        Some(self.0.server()?.read(handle)?.to_vec())
    }
}
