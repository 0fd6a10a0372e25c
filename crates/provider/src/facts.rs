//! Facts about a bucket that a plan needs and no object call tells.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{CopyToken, Key, Result};

/// Facts about a bucket: for preflight and prune.
///
/// Every answer distinguishes "no" from "can't be known" (`None`): a right may be missing, or the store may lack the
/// question.
#[async_trait]
pub trait BucketFacts: Send + Sync + std::fmt::Debug {
    /// Reads all facts once.
    ///
    /// # Errors
    /// `NotFound` when the bucket is missing, `Unauthenticated` and `Unavailable`; a fact that alone can't be read is
    /// `None`.
    async fn facts(&self) -> Result<Facts>;

    /// Multipart uploads that were begun and never finished: they cost money and no listing shows them.
    ///
    /// # Errors
    /// `Unsupported` where the store has no such thing.
    async fn unfinished_uploads(&self) -> Result<Vec<UnfinishedUpload>>;
}

/// What is known of a bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Region or location.
    pub region: Option<String>,
    /// Whether old versions of objects are kept.
    pub versioning: Option<bool>,
    /// Whether objects may be locked against deletion.
    pub object_lock: Option<bool>,
    /// Rules that delete or move objects by themselves.
    pub lifecycle: Option<Vec<LifecycleRule>>,
    /// Server-side encryption, in words.
    pub encryption: Option<String>,
    /// Who can read it.
    pub exposure: Option<Exposure>,
    /// Whether those who ask pay for their requests, and have to say that they know.
    pub requester_pays: Option<bool>,
    /// Why nothing should be kept in it, if so: a sentence without its end.
    pub unfit: Option<String>,
    /// What else a person should know who keeps something in it, a sentence each without its end.
    pub cautions: Vec<String>,
}

/// A rule by which a bucket deletes or moves objects by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifecycleRule {
    /// Its name and what it does.
    pub words: String,
    /// What the raw keys begin with that it is about; empty: all.
    pub prefix: String,
    /// Whether it is about some of them only, chosen by tags or sizes.
    pub partial: bool,
    /// Whether it deletes objects.
    pub expires: bool,
    /// Whether it moves objects to where they can't be read at once.
    pub archives: bool,
}

/// Who can read a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exposure {
    /// Only who was given a right.
    Private,
    /// Everybody, or every user of the machine.
    Public,
}

/// A multipart upload that was begun and never finished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnfinishedUpload {
    /// Its key.
    pub key: Key,
    /// When it was begun.
    pub started: Option<Timestamp>,
    /// What [`Bucket::abandon_copy`](crate::Bucket::abandon_copy) takes to end it.
    pub token: CopyToken,
}
