//! CSI volumes for the conformance suite.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use kube::api::ListParams;
use provider::testkit::conformance::VolumeFixture;
use provider::{Owner, RestoredVolume, VolumeId, VolumeSnapshots};
use provider_onprem::CsiSnapshots;

use crate::place::{Place, options};

const FILE: &str = "content";

pub(crate) struct Fixture(pub(crate) Place);

impl fmt::Debug for Fixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fixture").field(&self.0.namespace).finish()
    }
}

#[async_trait]
impl VolumeFixture for Fixture {
    async fn connect(&self) -> Arc<dyn VolumeSnapshots> {
        Arc::new(self.0.snapshots(options()))
    }

    async fn volume(&self) -> VolumeId {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let name = format!("data-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        self.0.claim(&name).await;
        VolumeId(name)
    }

    async fn missing_volume(&self) -> VolumeId {
        VolumeId("no-such-claim".to_owned())
    }

    async fn wrong_credentials(&self) -> Option<Arc<dyn VolumeSnapshots>> {
        let client = self.0.client_of_nobody().await;
        Some(Arc::new(CsiSnapshots::new(&client, &self.0.namespace, options())))
    }

    async fn volumes_made(&self, owner: &Owner) -> Option<usize> {
        let of_owner = ListParams::default().labels(&format!("{}={}", Owner::CLUSTER_TAG, owner.cluster));
        Some(self.0.claims().list(&of_owner).await.unwrap().items.len())
    }

    async fn write(&self, volume: &VolumeId, bytes: &[u8]) -> bool {
        let folder = self.0.folder(&volume.0).await.unwrap();
        std::fs::write(folder.join(FILE), bytes).unwrap();
        true
    }

    async fn read(&self, volume: &RestoredVolume) -> Option<Vec<u8>> {
        let RestoredVolume::Claim { name, .. } = volume else { panic!("{volume:?} is no claim") };
        let folder = self.0.folder(name).await.unwrap();
        Some(std::fs::read(folder.join(FILE)).unwrap())
    }
}
