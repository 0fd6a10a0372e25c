//! Everything that decides how a drill runs.

use std::time::Duration;

use crate::cluster::BucketPlace;
use crate::restore::{RestoreFrom, RestoreSettings};
use crate::verify::DeepSettings;

/// Everything that decides how a drill runs.
#[derive(Clone, Debug)]
pub struct DrillSettings {
    /// By which path the metadata comes back.
    pub from: RestoreFrom,
    /// How the restore runs. What it keeps in the vault and on this machine, a root token among it, lies below the drill's own
    /// prefix, whatever is said here.
    pub restore: RestoreSettings,
    /// The bucket that the scratch cluster gets.
    pub bucket: ScratchBucket,
    /// How the recovery point is verified.
    pub deep: DeepSettings,
    /// Longest time to recovery (RTO); none asks for nothing.
    pub max_recovery_time: Option<Duration>,
    /// Longest time whose data would be lost (RPO); none asks for nothing.
    pub max_data_loss: Option<Duration>,
    /// Whether the scratch cluster stays, to be looked at.
    pub keep: bool,
}

/// A bucket that is empty and belongs to drills alone.
#[derive(Clone, Debug)]
pub struct ScratchBucket {
    /// Its URL, without a prefix: pachd's keys begin at a bucket's root.
    pub url: String,
    /// The same as pachd is told, with the key that it gets.
    pub place: BucketPlace,
}
