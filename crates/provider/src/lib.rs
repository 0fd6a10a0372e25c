//! The contract between the orchestrator and the providers.
//!
//! A provider is a bundle of parts: something that snapshots volumes ([`VolumeSnapshots`]), something that
//! holds objects ([`Bucket`]), and something that knows facts about such a bucket ([`BucketFacts`]). The parts are
//! independent, so an on-premises cluster may keep its bucket in a cloud, and a clone may go to another one.
//!
//! The trait docs are the contract: they say what is atomic, what may be repeated, what an observer can
//! never see. The feature `testkit` holds the same promises as code: a memory implementation whose faults
//! can be seeded, and a conformance suite that every provider passes against its real or emulated service.
//!
//! No vendor's words appear here, and nothing here prints, reads the environment, or retries.

mod bucket;
mod bucket_url;
mod capabilities;
pub mod cleanup;
mod error;
mod expected_body;
mod facts;
mod key;
mod owner;
mod pace;
mod purpose;
mod volume;

#[cfg(feature = "testkit")]
pub mod testkit;

pub use bucket::{
    Bucket, Checksum, ContentHeaders, Copied, CopyRequest, CopyToken, DeleteOutcome, GetRequest, ListRequest,
    ListToken, ObjectDetails, ObjectMeta, ObjectStream, ObjectVersion, Page, Put, PutMode, PutRequest, StorageClass,
};
pub use bucket_url::{BucketUrl, LastBucketUrl};
pub use capabilities::{BucketCapabilities, KeyRules, ListingStart, VolumeCapabilities, WriteRamp};
pub use error::{Error, ErrorKind, Result, Retry};
pub use expected_body::ExpectedBody;
pub use facts::{BucketFacts, Exposure, Facts, LifecycleRule, UnfinishedUpload};
pub use key::Key;
pub use owner::Owner;
pub use pace::Pace;
pub use purpose::Purpose;
pub use volume::{
    CreateVolumeRequest, CutRequest, ImportRequest, Notices, RestoredVolume, SnapshotId, SnapshotState, SnapshotStatus,
    VolumeFacts, VolumeId, VolumeSnapshot, VolumeSnapshots,
};
