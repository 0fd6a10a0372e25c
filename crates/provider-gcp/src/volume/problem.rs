//! What is wrong with a disk or a snapshot, and what Compute Engine says of it.

use std::error::Error as StdError;

/// Compute Engine's answer to a request that it refused, or the error of an operation that it gave up.
#[derive(Debug, thiserror::Error)]
#[error(
    "{}{code}: {message}{}",
    permission.as_ref().map(|permission| format!("the credentials lack the permission {permission}: ")).unwrap_or_default(),
    advice.map(|advice| format!(" ({advice})")).unwrap_or_default()
)]
#[non_exhaustive]
pub struct PdRefusal {
    /// The reason of a refusal (`resourceNotReady`) or the code of an operation's error (`RESOURCE_NOT_READY`).
    pub code: String,
    /// Google's words.
    pub message: String,
    /// The IAM permission that is missing, where that is the reason.
    pub permission: Option<String>,
    /// The status of the answer, or the one that the operation tells.
    pub status: u16,
    /// What to do about it.
    pub(super) advice: Option<&'static str>,
    /// The SDK's error; none for an operation's.
    #[source]
    pub(super) cause: Option<Box<dyn StdError + Send + Sync>>,
}

/// What stands in the way of a snapshot or a disk, where Compute Engine itself has no error for it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PdProblem {
    /// Neither the options nor the credentials name a project.
    #[error("no project is known: name it in the configuration (project)")]
    NoProject,
    /// This names no disk.
    #[error(
        "this is no Persistent Disk: its name is none of projects/…/zones/…/disks/…, projects/…/regions/…/disks/…, gce://ZONE/NAME"
    )]
    NotADisk,
    /// Nobody tells the zone of an in-tree disk.
    #[error("the volume does not say in which zone its disk is: name the zone in the configuration (zone)")]
    NoZone,
    /// The disk is elsewhere.
    #[error("the disk is in project {disk}, and the configured project is {configured}")]
    OtherProject {
        /// The disk's project.
        disk: String,
        /// The project that is configured.
        configured: String,
    },
    /// This names no snapshot.
    #[error("this is no snapshot of Compute Engine: its name is not projects/…/global/snapshots/…")]
    NotASnapshot,
    /// The disk's key is not Google's to keep.
    #[error(
        "the disk is encrypted with a customer-supplied key, which each request has to bring and this program does not have: move the \
         data to a disk that is encrypted with a Cloud KMS key or by Google"
    )]
    CustomerSuppliedKey,
    /// What is to be written does not fit.
    #[error("the names of cluster, run and volume don't fit in the {longest} characters of a description")]
    TooLong {
        /// Characters that it may have.
        longest: usize,
    },
    /// An answer contradicts itself or the protocol.
    #[error("{0}")]
    Contradiction(&'static str),
    /// The point in time was not fixed in time.
    #[error("the point in time was not fixed within {} s{}", seconds, last.as_ref().map(|last| format!("; last answer: {last}")).unwrap_or_default())]
    NotCut {
        /// The limit.
        seconds: u64,
        /// What was last answered.
        last: Option<String>,
    },
    /// Something else has this name.
    #[error("{path} was made by somebody else: it carries no mark of this run and this volume")]
    NotOurs {
        /// What was found.
        path: String,
    },
    /// The snapshot will never be ready.
    #[error("snapshot {path} has failed{}; delete it before the same one is cut again", reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default())]
    SnapshotFailed {
        /// The snapshot.
        path: String,
        /// Google's words, where it gave any.
        reason: Option<String>,
    },
    /// What was made went away.
    #[error("{path} {what}")]
    Gone {
        /// The snapshot or disk.
        path: String,
        /// What became of it.
        what: &'static str,
    },
    /// No disk can be made of the snapshot.
    #[error("the snapshot is {state}, and a disk can be made of a READY one only")]
    NotReady {
        /// Its state.
        state: String,
    },
    /// No zone is known for the restored disk.
    #[error("no zone is named for the disk, and the snapshot does not tell where the disk was that it was cut from")]
    NoZoneForDisk,
    /// The zone can't be.
    #[error("{zones} names neither a zone nor two zones of one region (us-central1-a__us-central1-b)")]
    BadZone {
        /// What was named.
        zones: String,
    },
    /// The size can't be.
    #[error("{wanted} bytes are less than the snapshot's {least}, or more than a disk has")]
    BadSize {
        /// Bytes that were asked for.
        wanted: u64,
        /// Bytes of the snapshot's disk.
        least: u64,
    },
    /// The KMS key could not be used.
    #[error(
        "the Cloud KMS key {key} can't be used (disabled, destroyed, or without the role roles/cloudkms.cryptoKeyEncrypterDecrypter for \
         the Compute Engine service agent): enable it"
    )]
    KeyUnusable {
        /// The key.
        key: String,
        /// Google's words.
        #[source]
        refusal: PdRefusal,
    },
    /// What was asked for did not happen in time.
    #[error("{path} is not {what} after {seconds} s: {last}")]
    NotInTime {
        /// The disk or snapshot.
        path: String,
        /// What was waited for.
        what: &'static str,
        /// The limit.
        seconds: u64,
        /// How it was when last looked at.
        last: String,
    },
}
