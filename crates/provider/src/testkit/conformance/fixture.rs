//! What a provider gives to be tested.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::{Bucket, BucketFacts, Owner, RestoredVolume, VolumeId, VolumeSnapshots};

/// Two empty buckets of one store, which can copy from the first to the second.
#[derive(Clone, Debug)]
pub struct BucketPair {
    /// Copies come from here.
    pub source: Arc<dyn Bucket>,
    /// Copies go here; all other calls are tested here too.
    pub destination: Arc<dyn Bucket>,
    /// What the destination tells of itself. Without it nobody looks whether a copy that was given up keeps space in the store.
    pub facts: Option<Arc<dyn BucketFacts>>,
}

/// A store under test.
///
/// The fixture removes what it made; the suite leaves objects behind.
#[async_trait]
pub trait BucketFixture: Send + Sync + fmt::Debug {
    /// Two new, empty buckets (or prefixes), each call others.
    async fn fresh(&self) -> BucketPair;

    /// A bucket that exists, opened with credentials that the store must refuse.
    async fn wrong_credentials(&self) -> Option<Arc<dyn Bucket>> {
        None
    }

    /// A bucket that doesn't exist, opened with good credentials.
    async fn missing_bucket(&self) -> Option<Arc<dyn Bucket>> {
        None
    }

    /// The largest object worth making, in bytes. Copies above the single-copy limit are tested if the limit is below.
    fn largest_object(&self) -> u64 {
        32 << 20
    }
}

/// A snapshot service under test.
///
/// The fixture removes what it made; the suite leaves snapshots and volumes behind.
#[async_trait]
pub trait VolumeFixture: Send + Sync + fmt::Debug {
    /// The service through a new client, as another process would see it.
    async fn connect(&self) -> Arc<dyn VolumeSnapshots>;

    /// A new volume that can be cut.
    async fn volume(&self) -> VolumeId;

    /// A volume that doesn't exist, with a well-formed name.
    async fn missing_volume(&self) -> VolumeId;

    /// The service, with credentials that it must refuse.
    async fn wrong_credentials(&self) -> Option<Arc<dyn VolumeSnapshots>> {
        None
    }

    /// Lets the service itself carry out its next `cut` or `create_volume` and drop the reply, below the implementation
    /// under test. Without it (`false`) the suite drops the reply above the implementation.
    async fn lose_next_reply(&self) -> bool {
        false
    }

    /// How many volumes the service itself, below the implementation under test, has made of this owner's snapshots.
    /// `None`: this fixture can't tell.
    async fn volumes_made(&self, _owner: &Owner) -> Option<usize> {
        None
    }

    /// Writes to a volume, as its user would. `false`: this fixture can't.
    async fn write(&self, _volume: &VolumeId, _bytes: &[u8]) -> bool {
        false
    }

    /// Reads what was written from a restored volume. `None`: this fixture can't.
    async fn read(&self, _volume: &RestoredVolume) -> Option<Vec<u8>> {
        None
    }

    /// Between two looks at the state of a snapshot.
    async fn pause(&self) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
