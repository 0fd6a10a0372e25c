//! How EBS volumes are snapshotted.

use std::time::Duration;

use s3::CredentialsConfig;

/// How EBS volumes are snapshotted, and what is chosen for volumes made of snapshots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EbsOptions {
    /// Region of the volumes; absent means what the SDK finds (environment, profile, instance).
    pub region: Option<String>,
    /// URL of the EC2 service; absent for Amazon's own.
    pub endpoint: Option<String>,
    /// Who asks.
    pub credentials: CredentialsConfig,
    /// Id, alias or ARN of the KMS key that restored volumes are encrypted with; absent means as their snapshot is.
    pub kms_key: Option<String>,
    /// Type of restored volumes (`gp3`, `io2`, …); absent means the type of the volume that was cut.
    pub volume_type: Option<String>,
    /// I/O operations per second of restored volumes; absent means those of the volume that was cut, if the type is the same.
    pub iops: Option<u32>,
    /// Throughput of restored volumes in MiB/s; absent means that of the volume that was cut, if the type is the same.
    pub throughput: Option<u32>,
    /// Time between two looks at a volume that is waited for.
    pub poll: Duration,
    /// Longest wait until a restored volume is available.
    pub available_limit: Duration,
    /// Longest wait for one answer of the service.
    pub answer_limit: Duration,
    /// How long a snapshot whose answer was lost is looked for before it is asked for again. Listings lag.
    pub lookup_limit: Duration,
    /// How long after the cut a snapshot may be missing in what the service lists. So long a second snapshot of a cut whose answer was
    /// lost is waited for.
    pub listing_lag: Duration,
}

impl Default for EbsOptions {
    fn default() -> Self {
        Self {
            region: None,
            endpoint: None,
            credentials: CredentialsConfig::default(),
            kms_key: None,
            volume_type: None,
            iops: None,
            throughput: None,
            poll: Duration::from_secs(2),
            available_limit: Duration::from_secs(300),
            answer_limit: Duration::from_secs(20),
            lookup_limit: Duration::from_secs(5),
            listing_lag: Duration::from_secs(60),
        }
    }
}
