//! Snapshots of EBS volumes.
//!
//! A snapshot's point in time is the moment in which `CreateSnapshot` answers `pending`; its copy to S3 goes on for minutes or
//! hours. What was made is found again by tags.

mod cut;
mod described;
mod id;
mod inspect;
mod lookup;
mod missing;
mod restore;
mod source;
mod status;
mod tags;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use provider::{
    CreateVolumeRequest, CutRequest, ErrorKind, Owner, RestoredVolume, Result, SnapshotId, SnapshotStatus,
    VolumeCapabilities, VolumeFacts, VolumeId, VolumeSnapshot, VolumeSnapshots,
};
use tokio::time::Instant;

use crate::client::Clients;
use crate::error;
use crate::{EbsOptions, EbsProblem};
use source::Source;

/// The EBS snapshots of one region and one account.
///
/// **One identity, one snapshot.** `CreateSnapshot` takes no client token, so each request for one is sent once, and after a lost
/// answer the snapshot is looked for by its tags before it is asked for again. Listings lag: what is not found after
/// [`EbsOptions::lookup_limit`] may appear later, beside the snapshot of the second request. The one that `cut` answers is then
/// tagged `pachsnap-chosen`, which every later `cut` of this identity heeds, in any process. The other one, its twin, is deleted
/// by [`status`](VolumeSnapshots::status) of the chosen one, long after the cluster runs again; until
/// [`EbsOptions::listing_lag`] has passed since the cut, the chosen one is told as pending, so that a twin has had its time to
/// appear. [`list`](VolumeSnapshots::list) names both: one that appears even later goes with its run.
pub struct EbsSnapshots {
    clients: Clients,
    options: EbsOptions,
    /// What `inspect` saw, so that a cut needs not ask again while writers wait. By EC2's id of the volume.
    sources: Mutex<BTreeMap<String, Source>>,
    /// When this process cut what the service may not list yet.
    recent: Mutex<BTreeMap<String, Instant>>,
}

impl EbsSnapshots {
    /// The snapshots of a region, with the rights that the options name. Looks for credentials and a region; asks EC2 nothing yet.
    ///
    /// # Errors
    /// `Invalid` when no region is known.
    pub async fn connect(options: EbsOptions) -> Result<Self> {
        let clients = Clients::connect(&options).await?;
        Ok(Self { clients, options, sources: Mutex::default(), recent: Mutex::default() })
    }

    /// The region that is asked.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.clients.region
    }

    fn resource(&self, what: &str, id: &str) -> String {
        format!("{what} {id} in {}", self.clients.region)
    }

    fn recent(&self) -> MutexGuard<'_, BTreeMap<String, Instant>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this process cut a snapshot so short ago that the service may not list it yet.
    fn is_recent(&self, snapshot: &SnapshotId) -> bool {
        self.recent().get(&snapshot.0).is_some_and(|cut| cut.elapsed() < self.options.listing_lag)
    }
}

impl fmt::Debug for EbsSnapshots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EbsSnapshots")
            .field("region", &self.clients.region)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl VolumeSnapshots for EbsSnapshots {
    fn capabilities(&self) -> VolumeCapabilities {
        VolumeCapabilities { cut_identity: false, independent_of_source: true, progress: true }
    }

    async fn inspect(&self, volume: &VolumeId) -> Result<VolumeFacts> {
        self.look_at(volume).await
    }

    async fn cut(&self, request: &CutRequest) -> Result<VolumeSnapshot> {
        self.cut_within(request).await
    }

    /// See the trait. Also deletes the twins of a snapshot that `cut` chose after a lost answer: those that carry the same
    /// identity and owner. One that can't be deleted yet is told in [`SnapshotStatus::trouble`].
    async fn status(&self, snapshot: &SnapshotId) -> Result<SnapshotStatus> {
        self.how_far(snapshot).await
    }

    async fn create_volume(&self, request: &CreateVolumeRequest) -> Result<RestoredVolume> {
        self.restore(request).await
    }

    async fn delete(&self, snapshot: &SnapshotId) -> Result<()> {
        let Some(found) = self.described("DeleteSnapshot", snapshot).await? else { return Ok(()) };
        if tags::owner_of(&tags::read(found.tags.as_deref())).is_none() {
            let problem = EbsProblem::NotOurs { id: snapshot.0.clone() };
            let resource = self.resource("snapshot", &snapshot.0);
            return Err(error::own(ErrorKind::Denied, "DeleteSnapshot", resource, problem));
        }
        self.delete_snapshot(snapshot).await
    }

    async fn list(&self, owner: &Owner) -> Result<Vec<VolumeSnapshot>> {
        let mut filters = vec![tags::filter(Owner::CLUSTER_TAG, &owner.cluster)];
        if !owner.run.is_empty() {
            filters.push(tags::filter(Owner::RUN_TAG, &owner.run));
        }
        let resource = format!("snapshots of {} in {}", owner.cluster, self.clients.region);
        let found = self.snapshots_with(&self.clients.retrying, filters, &resource).await?;
        let owned = found.iter().filter(|snapshot| {
            tags::owner_of(&tags::read(snapshot.tags.as_deref())).is_some_and(|other| owner.covers(&other))
        });
        owned.map(|snapshot| self.told(snapshot)).collect()
    }
}
