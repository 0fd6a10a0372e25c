//! Point-in-time snapshots of persistent volumes.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Owner, Result, VolumeCapabilities};

/// A service that snapshots volumes and makes volumes of snapshots.
///
/// **Identity.** `cut` and `create_volume` carry a caller-chosen identity. Called again with the same one, also from another
/// process and also after a lost reply, they answer with the result of the first call: one identity, one result. Where
/// a service can't promise that, the implementation looks up what its first call left, by tag, before it calls again.
///
/// **Cut and ready.** `cut` returns when the point in time is fixed, long before the copy is finished. From then on
/// writes to the volume no longer reach the snapshot.
#[async_trait]
pub trait VolumeSnapshots: Send + Sync + fmt::Debug {
    /// What this service can do.
    fn capabilities(&self) -> VolumeCapabilities;

    /// Looks at a volume before anything is cut. Changes nothing.
    ///
    /// # Errors
    /// `NotFound` when the volume is missing; `Unsupported` when this service can't snapshot it; `Invalid` when the
    /// provider's own configuration doesn't fit.
    async fn inspect(&self, volume: &VolumeId) -> Result<VolumeFacts>;

    /// Fixes the point in time of a new snapshot. Errors of the service that pass are ridden out.
    ///
    /// # Errors
    /// `NotFound` when the volume is missing; `Exhausted` at a quota; `AlreadyExists` when the identity is taken by
    /// somebody else's snapshot; `Timeout` when the point in time wasn't fixed within the request's limit.
    async fn cut(&self, request: &CutRequest) -> Result<VolumeSnapshot>;

    /// How far a snapshot is.
    ///
    /// # Errors
    /// `NotFound` when it is gone.
    async fn status(&self, snapshot: &SnapshotId) -> Result<SnapshotStatus>;

    /// Makes a snapshot that was taken elsewhere usable here: in another namespace, or another cluster on the same storage
    /// system, where the objects that it was taken with may be gone. Waits until a volume can be made of it.
    ///
    /// Services whose snapshots have one name everywhere answer with that name, and need not implement it.
    ///
    /// # Errors
    /// `NotFound` when the snapshot is gone; `Invalid` when its details don't name it; `AlreadyExists` when the identity is
    /// taken by somebody else's; `Timeout` when it could not be used within the request's limit.
    async fn import(&self, request: &ImportRequest) -> Result<SnapshotId> {
        self.status(&request.snapshot).await?;
        Ok(request.snapshot.clone())
    }

    /// Takes away what `import` made here. The snapshot itself stays, whatever a service's rules say. Absent is success.
    ///
    /// # Errors
    /// `Denied` for what `import` did not make.
    async fn forget(&self, _imported: &SnapshotId) -> Result<()> {
        Ok(())
    }

    /// A volume with the snapshot's content.
    ///
    /// # Errors
    /// `NotFound` when the snapshot is gone, `Invalid` when it isn't ready or the size is too small.
    async fn create_volume(&self, request: &CreateVolumeRequest) -> Result<RestoredVolume>;

    /// Deletes a snapshot. Absent is success.
    ///
    /// # Errors
    /// `Denied` when a lock or policy holds it.
    async fn delete(&self, snapshot: &SnapshotId) -> Result<()>;

    /// Every snapshot that carries this owner's tags, whole or not.
    ///
    /// # Errors
    /// Those of the service.
    async fn list(&self, owner: &Owner) -> Result<Vec<VolumeSnapshot>>;
}

/// The provider's name of a volume, as the cluster's PersistentVolume tells it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VolumeId(pub String);

/// The provider's name of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SnapshotId(pub String);

/// What is known of a volume before a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeFacts {
    /// Its size in bytes.
    pub size: u64,
    /// What a person should know of the snapshots that will be made of it, a sentence each: what they don't survive, what
    /// deletes them.
    pub cautions: Vec<String>,
}

/// What to snapshot.
#[derive(Clone, Debug)]
pub struct CutRequest {
    /// The volume.
    pub volume: VolumeId,
    /// The identity of this cut: the same one, the same snapshot. At most 63 of `a-z0-9-`.
    pub identity: String,
    /// Tags to carry.
    pub owner: Owner,
    /// What a person reads in the provider's console.
    pub description: String,
    /// Longest wait for the point in time.
    pub limit: Duration,
    /// Hears of errors that are ridden out.
    pub notices: Notices,
}

/// Hears of what a person should know while a call goes on: one sentence each. Must not block.
#[derive(Clone)]
pub struct Notices(Arc<dyn Fn(String) + Send + Sync>);

impl Notices {
    /// Sentences go to `listener`.
    pub fn to(listener: impl Fn(String) + Send + Sync + 'static) -> Self {
        Self(Arc::new(listener))
    }

    /// Nobody listens.
    #[must_use]
    pub fn to_nobody() -> Self {
        Self::to(drop)
    }

    /// Tells one sentence.
    pub fn tell(&self, sentence: impl Into<String>) {
        (self.0)(sentence.into());
    }
}

impl fmt::Debug for Notices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notices").finish_non_exhaustive()
    }
}

/// A snapshot whose point in time is fixed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeSnapshot {
    /// The snapshot.
    pub id: SnapshotId,
    /// The volume it was cut from.
    pub volume: VolumeId,
    /// The point in time, by the service's clock.
    pub cut_at: Timestamp,
    /// Size of the volume in bytes.
    pub size: u64,
    /// Its tags.
    pub owner: Owner,
    /// Its identity.
    pub identity: String,
    /// What else the service calls it, for people and for a restore elsewhere: names and values in the service's words.
    pub details: BTreeMap<String, String>,
}

/// How far a snapshot is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotStatus {
    /// Pending, ready or failed.
    pub state: SnapshotState,
    /// Size that is stored, in bytes, where the service tells it.
    pub stored_bytes: Option<u64>,
    /// What went wrong last, where the service goes on trying.
    pub trouble: Option<String>,
}

/// State of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapshotState {
    /// The point in time is fixed, the copy goes on.
    Pending {
        /// 0 to 100, where the service tells it.
        percent: Option<u8>,
    },
    /// A volume can be made of it.
    Ready,
    /// It will never be ready.
    Failed {
        /// The service's words.
        reason: String,
    },
}

/// A snapshot to be made usable here.
#[derive(Clone, Debug)]
pub struct ImportRequest {
    /// The snapshot, as it was called where it was taken.
    pub snapshot: SnapshotId,
    /// What else the service called it there: [`VolumeSnapshot::details`].
    pub details: BTreeMap<String, String>,
    /// Size in bytes of the volume that it was cut from.
    pub size: u64,
    /// The identity of this import: the same one, the same result. At most 63 of `a-z0-9-`.
    pub identity: String,
    /// Tags to carry.
    pub owner: Owner,
    /// Longest wait until it can be used.
    pub limit: Duration,
    /// Hears of errors that are ridden out.
    pub notices: Notices,
}

/// A volume to be made of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateVolumeRequest {
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// The identity of this volume: the same one, the same volume. At most 63 of `a-z0-9-`.
    pub identity: String,
    /// Name of the claim, for services whose volumes are claims; the identity if none is given.
    pub claim: Option<String>,
    /// Tags to carry.
    pub owner: Owner,
    /// Size in bytes, at least the snapshot's; `None` means the snapshot's.
    pub size: Option<u64>,
    /// Zone to create it in, where the service has zones.
    pub zone: Option<String>,
    /// Storage class or type; `None` means the source's.
    pub class: Option<String>,
}

/// A volume made of a snapshot, in words that Kubernetes understands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestoredVolume {
    /// A PersistentVolume has to be made over this volume.
    Volume {
        /// Name of the CSI driver.
        driver: String,
        /// The driver's handle of the volume.
        handle: String,
        /// Size in bytes.
        size: u64,
        /// Zone that the volume can be used in.
        zone: Option<String>,
    },
    /// A claim is bound to it already.
    Claim {
        /// Namespace of the claim.
        namespace: String,
        /// Name of the claim.
        name: String,
        /// Size in bytes.
        size: u64,
    },
}
