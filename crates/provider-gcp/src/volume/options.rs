//! How Persistent Disks are snapshotted.

use std::time::Duration;

use crate::GoogleCredentials;

/// How Persistent Disks are snapshotted, and what is chosen for disks made of snapshots.
#[derive(Clone, Debug)]
pub struct PdOptions {
    /// Project of the disks, and of the disks that are made.
    pub project: Option<String>,
    /// Zone of in-tree disks whose volume tells none; of a regional disk both zones, as in its label (`us-central1-a__us-central1-b`).
    pub zone: Option<String>,
    /// URL of the Compute Engine service; absent for Google's own.
    pub endpoint: Option<String>,
    /// Who asks.
    pub credentials: GoogleCredentials,
    /// Where snapshots are stored: a multi-region (`us`, `eu`, `asia`) or a region. Absent means Google's choice: the project's snapshot
    /// settings, else the multi-region next to the disk.
    pub storage_location: Option<String>,
    /// Type of restored disks (`pd-ssd`, `hyperdisk-balanced`, …); absent means the type of the disk that was cut.
    pub disk_type: Option<String>,
    /// Provisioned operations per second of restored disks; absent means those of the disk that was cut, if the type is the same.
    pub iops: Option<u32>,
    /// Provisioned throughput of restored disks in MiB/s; absent means that of the disk that was cut, if the type is the same.
    pub throughput: Option<u32>,
    /// Cloud KMS key that restored disks are encrypted with (`projects/…/cryptoKeys/K`); absent means the key of the disk that was cut.
    pub kms_key: Option<String>,
    /// Longest time between two looks at what is waited for.
    pub poll: Duration,
    /// Longest wait until a restored disk is ready, or a snapshot deleted.
    pub available_limit: Duration,
    /// Longest wait for one answer of the service.
    pub answer_limit: Duration,
    /// How long a snapshot whose answer was lost, or whose operation is done, is looked for before it is asked for again.
    pub lookup_limit: Duration,
}

impl Default for PdOptions {
    fn default() -> Self {
        Self {
            project: None,
            zone: None,
            endpoint: None,
            credentials: GoogleCredentials::Default,
            storage_location: None,
            disk_type: None,
            iops: None,
            throughput: None,
            kms_key: None,
            poll: Duration::from_secs(2),
            available_limit: Duration::from_secs(300),
            answer_limit: Duration::from_secs(20),
            lookup_limit: Duration::from_secs(5),
        }
    }
}
