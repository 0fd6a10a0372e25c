//! The IAM permissions that snapshots of Persistent Disks need.

/// What permissions are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PdPurpose {
    /// Looking at a disk, cutting it, waiting for its snapshot, and deleting what a run that failed has cut.
    Snapshot,
    /// Making a disk of a snapshot.
    Restore,
    /// Asking whether a snapshot can be used.
    Verify,
    /// Finding and deleting snapshots.
    Prune,
}

impl PdPurpose {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Snapshot, Self::Restore, Self::Verify, Self::Prune];

    /// The permissions that are needed, each of them, sorted. `compute.regionOperations.get` is needed for regional disks only, and
    /// `compute.zoneOperations.get` for the others. A disk that is encrypted with a Cloud KMS key needs besides that the Compute Engine
    /// service agent may use the key (`roles/cloudkms.cryptoKeyEncrypterDecrypter`).
    #[must_use]
    pub fn permissions(self) -> &'static [&'static str] {
        match self {
            Self::Snapshot => &[
                "compute.disks.createSnapshot",
                "compute.disks.get",
                "compute.globalOperations.get",
                "compute.regionOperations.get",
                "compute.snapshots.create",
                "compute.snapshots.delete",
                "compute.snapshots.get",
                "compute.snapshots.list",
                "compute.snapshots.setLabels",
                "compute.zoneOperations.get",
            ],
            Self::Restore => &[
                "compute.disks.create",
                "compute.disks.get",
                "compute.disks.setLabels",
                "compute.regionOperations.get",
                "compute.snapshots.get",
                "compute.snapshots.useReadOnly",
                "compute.zoneOperations.get",
            ],
            Self::Verify => &["compute.snapshots.get"],
            Self::Prune => &[
                "compute.globalOperations.get",
                "compute.snapshots.delete",
                "compute.snapshots.get",
                "compute.snapshots.list",
            ],
        }
    }
}
