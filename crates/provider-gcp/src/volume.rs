//! Snapshots of Persistent Disks.
//!
//! A snapshot's point in time is fixed when it leaves `CREATING`: it is `UPLOADING` then, which goes on for minutes or hours. What was
//! made is found again by its name, and by labels. From the public reference of the Compute Engine API v1.

mod clients;
mod cut;
mod described;
mod disk_id;
mod inspect;
mod missing;
mod options;
mod problem;
mod record;
mod refusal;
mod restore;
mod rights;
mod source;
mod status;
mod wanted;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use provider::{
    CreateVolumeRequest, CutRequest, ErrorKind, Owner, RestoredVolume, Result, SnapshotId, SnapshotStatus,
    VolumeCapabilities, VolumeFacts, VolumeId, VolumeSnapshot, VolumeSnapshots,
};

pub use options::PdOptions;
pub use problem::{PdProblem, PdRefusal};
pub use rights::PdPurpose;

use clients::{Clients, SnapshotName};
use disk_id::DiskId;
use source::Source;

/// The first wait between two looks at what is waited for.
const FIRST_LOOK: Duration = Duration::from_millis(100);

/// The Persistent Disk snapshots of one project.
///
/// **One identity, one snapshot.** The snapshot is named for its identity, and Compute Engine has one of a name; the request for it
/// carries a request id of the identity besides, so that a repeated one is answered by the first one's operation. After a lost answer
/// the snapshot is looked for by its name before it is asked for again.
///
/// **An operation that is done may have failed.** The SDK answers such a one as a success; here it is an error, whatever the snapshot
/// looks like.
pub struct PdSnapshots {
    clients: Clients,
    options: PdOptions,
    project: String,
    /// What `inspect` saw, so that a cut needs not ask again while writers wait. By the disk's path.
    sources: Mutex<BTreeMap<String, Source>>,
}

impl PdSnapshots {
    /// The snapshots of a project, with the rights that the options name. Looks for credentials; asks Compute Engine nothing yet.
    ///
    /// # Errors
    /// `Invalid` when no project is named; `Unauthenticated` when no credentials are found.
    pub async fn connect(options: PdOptions) -> Result<Self> {
        let Some(project) = options.project.clone().filter(|project| !project.is_empty()) else {
            return Err(refusal::own(ErrorKind::Invalid, "connect", "Compute Engine", PdProblem::NoProject));
        };
        let clients = Clients::connect(&options).await?;
        Ok(Self { clients, options, project, sources: Mutex::default() })
    }

    /// The project that is asked.
    #[must_use]
    pub fn project(&self) -> &str {
        &self.project
    }

    fn disk_id(&self, operation: &'static str, volume: &VolumeId) -> Result<DiskId> {
        DiskId::of(operation, volume, &self.project, self.options.zone.as_deref())
    }

    fn snapshot_name(&self, operation: &'static str, snapshot: &SnapshotId) -> Result<SnapshotName> {
        SnapshotName::of(&snapshot.0).ok_or_else(|| {
            let resource = format!("snapshot {}", snapshot.0);
            refusal::own(ErrorKind::Invalid, operation, resource, PdProblem::NotASnapshot)
        })
    }
}

impl fmt::Debug for PdSnapshots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PdSnapshots")
            .field("project", &self.project)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl VolumeSnapshots for PdSnapshots {
    fn capabilities(&self) -> VolumeCapabilities {
        VolumeCapabilities { cut_identity: true, independent_of_source: true, progress: false }
    }

    async fn inspect(&self, volume: &VolumeId) -> Result<VolumeFacts> {
        self.look_at(volume).await
    }

    async fn cut(&self, request: &CutRequest) -> Result<VolumeSnapshot> {
        self.cut_within(request).await
    }

    async fn status(&self, snapshot: &SnapshotId) -> Result<SnapshotStatus> {
        self.how_far(snapshot).await
    }

    /// See the trait. A zone of the form `us-central1-a__us-central1-b` makes a regional disk, and so does the snapshot of one where no
    /// zone is named; [`RestoredVolume::Volume`] then names both zones in that form.
    async fn create_volume(&self, request: &CreateVolumeRequest) -> Result<RestoredVolume> {
        self.restore(request).await
    }

    async fn delete(&self, snapshot: &SnapshotId) -> Result<()> {
        self.delete_ours(snapshot).await
    }

    async fn list(&self, owner: &Owner) -> Result<Vec<VolumeSnapshot>> {
        let mut filter = record::filter(Owner::CLUSTER_TAG, &owner.cluster);
        if !owner.run.is_empty() {
            filter = format!("{filter} AND {}", record::filter(Owner::RUN_TAG, &owner.run));
        }
        let found = self.clients.snapshots_with(&self.project, &filter).await?;
        let owned = found.iter().filter_map(|snapshot| {
            let record = described::record_of(snapshot)?;
            owner.covers(&record.owner()).then(|| described::told(snapshot, record))
        });
        owned.collect()
    }
}

/// A text that no other call has: for a request that shall not be answered by an earlier one's operation.
fn fresh() -> String {
    format!("{:032x}", rand::random::<u128>())
}
