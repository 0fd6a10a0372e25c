//! What is wrong with a volume or a snapshot, and what EC2 says of it.

use std::error::Error as StdError;

/// EC2's answer to a request that it refused.
#[derive(Debug, thiserror::Error)]
#[error(
    "{}{code}: {message}{}",
    action.as_ref().map(|action| format!("the credentials lack the right {action}: ")).unwrap_or_default(),
    request.as_ref().map(|request| format!(" (request {request})")).unwrap_or_default()
)]
#[non_exhaustive]
pub struct Refusal {
    /// EC2's code.
    pub code: String,
    /// EC2's words.
    pub message: String,
    /// The IAM action that isn't allowed, where that is the reason.
    pub action: Option<String>,
    /// EC2's id of the request.
    pub request: Option<String>,
    /// The SDK's error.
    pub(crate) source: Box<dyn StdError + Send + Sync>,
}

/// What stands in the way of a snapshot or a volume, where EC2 itself has no error for it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EbsProblem {
    /// Neither the options nor the SDK's chain name a region.
    #[error("no region is known: neither the configuration nor the environment, profile or instance names one")]
    NoRegion,
    /// The service's certificate is not believed, which no waiting changes.
    #[error("the service's certificate is not believed; SSL_CERT_FILE can name a file with those that are")]
    Untrusted(#[source] Box<dyn StdError + Send + Sync>),
    /// This names no EBS volume.
    #[error("this is no EBS volume: its name is neither vol-… nor aws://ZONE/vol-…")]
    NotAVolume,
    /// The volume is elsewhere.
    #[error("the volume is in zone {zone}, and the configured region is {region}")]
    OtherRegion {
        /// The volume's zone.
        zone: String,
        /// The region that is asked.
        region: String,
    },
    /// A tag can't hold a name.
    #[error("the value of tag {name} has more than {longest} characters")]
    TagTooLong {
        /// The tag.
        name: &'static str,
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
    /// Something else has this identity or this name.
    #[error("{id} has no tags of this run and this volume: it was made by somebody else")]
    NotOurs {
        /// What was found.
        id: String,
    },
    /// No volume can be made of the snapshot.
    #[error("the snapshot is {state}, and a volume can be made of a completed one only")]
    NotCompleted {
        /// Its state.
        state: String,
    },
    /// No zone is known.
    #[error(
        "no zone is named for the volume, and the snapshot's tags don't tell where the volume was that it was cut from"
    )]
    NoZone,
    /// The zone is in another region.
    #[error("zone {zone} is not in region {region}, where the snapshot is")]
    ZoneElsewhere {
        /// The zone.
        zone: String,
        /// The snapshot's region.
        region: String,
    },
    /// The size can't be.
    #[error("{wanted} bytes are less than the snapshot's {least}, or more than EBS has")]
    BadSize {
        /// Bytes that were asked for.
        wanted: u64,
        /// Bytes of the snapshot's volume.
        least: u64,
    },
    /// A number of the options is larger than EC2 has.
    #[error("{0} is larger than EC2 has")]
    TooLarge(&'static str),
    /// The volume was not available in time.
    #[error("volume {id} is not available after {seconds} s: {last}")]
    NotAvailable {
        /// The volume.
        id: String,
        /// The limit.
        seconds: u64,
        /// How it was when last looked at.
        last: String,
    },
    /// The volume went away, or failed, while it was made.
    #[error(
        "volume {id} {what} while it was made: EBS does that when the KMS key of the volume or of the snapshot can't be used \
         (disabled, deleted, or without the rights kms:CreateGrant, kms:Decrypt, kms:DescribeKey, kms:GenerateDataKeyWithoutPlaintext)"
    )]
    VolumeLost {
        /// The volume.
        id: String,
        /// What became of it.
        what: &'static str,
    },
}
