//! What is wrong with a snapshot, a volume or a class, where the API server itself has no error for it.

/// What stands in the way of a CSI snapshot.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotProblem {
    /// The claim has no volume yet.
    #[error("the claim is not bound to a volume")]
    ClaimNotBound,
    /// The volume is of another kind.
    #[error("PersistentVolume {volume} is no CSI volume")]
    NotCsi {
        /// The PersistentVolume.
        volume: String,
    },
    /// The size can't be read.
    #[error("{quantity:?} is no size")]
    NotASize {
        /// What was found.
        quantity: String,
    },
    /// The API of VolumeSnapshots isn't installed.
    #[error("this cluster has no VolumeSnapshot API (snapshot.storage.k8s.io/v1)")]
    NoApi,
    /// No class is for the driver.
    #[error("no VolumeSnapshotClass is for driver {driver}")]
    NoClass {
        /// The volume's driver.
        driver: String,
    },
    /// Several classes are for the driver.
    #[error(
        "several VolumeSnapshotClasses are for driver {driver} ({}): choose one by snapshot.volume-class",
        classes.join(", ")
    )]
    SeveralClasses {
        /// The volume's driver.
        driver: String,
        /// The classes.
        classes: Vec<String>,
    },
    /// The chosen class doesn't exist.
    #[error("there is no VolumeSnapshotClass {class}, which snapshot.volume-class names")]
    ClassMissing {
        /// The class.
        class: String,
    },
    /// The chosen class is another driver's.
    #[error("VolumeSnapshotClass {class} is for driver {of}, the volume's is {driver}")]
    ClassOfAnotherDriver {
        /// The class.
        class: String,
        /// Its driver.
        of: String,
        /// The volume's driver.
        driver: String,
    },
    /// The point in time was not fixed in time.
    #[error("the point in time was not fixed within {seconds} s{}", .last.as_ref().map_or_else(
        || ", and no controller reported an error: does a csi-snapshotter serve this driver?".to_owned(),
        |last| format!("; last reported: {last}"),
    ))]
    NotCut {
        /// The limit.
        seconds: u64,
        /// The last error that was reported.
        last: Option<String>,
    },
    /// Something else has this name.
    #[error("something else has this name: it was not made for this run and this volume")]
    NotOurs,
    /// What is recorded of a snapshot does not name it.
    #[error("the recovery point does not record its {detail}")]
    NotNamed {
        /// What is missing.
        detail: &'static str,
    },
    /// A snapshot that was taken elsewhere could not be used here in time.
    #[error(
        "it can't be used here after {seconds} s{}: is the storage system of driver {driver} this cluster's too, is the snapshot \
         still there, and does a csi-snapshotter serve the driver?",
        .last.as_ref().map_or_else(String::new, |last| format!(" ({last})"))
    )]
    NotImported {
        /// How long it was waited.
        seconds: u64,
        /// The driver.
        driver: String,
        /// What was reported last.
        last: Option<String>,
    },
    /// The two halves of a snapshot don't name each other.
    #[error("VolumeSnapshotContent {content} belongs to {belongs_to}, not to this VolumeSnapshot")]
    BoundToAnother {
        /// The content.
        content: String,
        /// What the content names.
        belongs_to: String,
    },
    /// The content is gone.
    #[error("VolumeSnapshotContent {content}, which it is bound to, is gone")]
    ContentGone {
        /// The content.
        content: String,
    },
    /// It is being deleted.
    #[error("it is being deleted")]
    BeingDeleted,
    /// It can't be used yet.
    #[error("it is not ready to be used")]
    NotReady,
    /// The wanted volume is too small.
    #[error("{wanted} bytes are less than the snapshot's {least}")]
    TooSmall {
        /// Bytes asked for.
        wanted: u64,
        /// Bytes needed.
        least: u64,
    },
    /// It did not go away.
    #[error("it is still being deleted after {seconds} s")]
    StillThere {
        /// The limit.
        seconds: u64,
    },
    /// The claim got no volume.
    #[error("the claim has no volume after {seconds} s{}", .last.as_ref().map_or_else(String::new, |last| format!("; last event: {last}")))]
    NotBoundInTime {
        /// The limit.
        seconds: u64,
        /// The last event about it.
        last: Option<String>,
    },
}
