//! Why a stream can't be computed.

use crate::hashtree::HashtreeError;
use crate::layout::ReadError;
use crate::stream::OpVersion;
use crate::wire::WireError;

/// Why a stream can't be computed. Only failures of the object store ([`OfflineError::Spec`], [`OfflineError::SpecTree`])
/// may go away by a retry.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// No Pachyderm ever ran on this etcd: there is no `…/pachyderm_pfs/repos/__spec__`.
    #[error("etcd holds no Pachyderm cluster: no key ends with /pachyderm_pfs/repos/__spec__")]
    NoCluster,
    /// Several Pachyderm clusters share this etcd under different prefixes.
    #[error("etcd holds several Pachyderm clusters: {}", prefixes.join(", "))]
    SeveralClusters {
        /// Their prefixes.
        prefixes: Vec<String>,
    },
    /// Streams of this version have another form.
    #[error("a stream of version {version} can't be computed; 1.9 is the oldest")]
    UnsupportedVersion {
        /// The version asked for.
        version: OpVersion,
    },
    /// A record written by 1.8 or older, whose provenance is kept elsewhere.
    #[error("{key} was written by Pachyderm 1.8 or older")]
    OldRecord {
        /// The key, unprintable bytes escaped.
        key: String,
    },
    /// A record that isn't the message it should be.
    #[error("the record {key} is malformed")]
    Record {
        /// The key, unprintable bytes escaped.
        key: String,
        /// What is wrong with it.
        #[source]
        source: WireError,
    },
    /// A record lacks a field without which no op can be made of it.
    #[error("the record {key} has no {field}")]
    MissingField {
        /// The key, unprintable bytes escaped.
        key: String,
        /// Name of the field.
        field: &'static str,
    },
    /// A pipeline's specification commit isn't in etcd, or has no tree.
    #[error("pipeline {pipeline} has no specification: commit {commit} of __spec__ {reason}")]
    NoSpecCommit {
        /// Name of the pipeline.
        pipeline: String,
        /// Id of the commit.
        commit: String,
        /// Why not.
        reason: &'static str,
    },
    /// The tree of a pipeline's specification commit can't be read.
    #[error("the specification of pipeline {pipeline} can't be read")]
    SpecTree {
        /// Name of the pipeline.
        pipeline: String,
        /// What is wrong with the tree.
        #[source]
        source: ReadError,
    },
    /// The file in that tree can't be read.
    #[error("the specification of pipeline {pipeline} can't be read")]
    Spec {
        /// Name of the pipeline.
        pipeline: String,
        /// What is wrong with the file.
        #[source]
        source: HashtreeError,
    },
    /// The specification isn't a PipelineInfo message.
    #[error("the specification of pipeline {pipeline} is malformed")]
    BadSpec {
        /// Name of the pipeline.
        pipeline: String,
        /// What is wrong with it.
        #[source]
        source: WireError,
    },
    /// The specification holds no transform; pachd's own extract fails on it, too.
    #[error("the specification of pipeline {pipeline} has no transform")]
    NoTransform {
        /// Name of the pipeline.
        pipeline: String,
    },
    /// A job's output commit isn't provenant on its pipeline's specification; pachd's own extract fails on it, too.
    #[error("job {job} of pipeline {pipeline} has no specification commit")]
    JobWithoutSpec {
        /// Id of the job.
        job: String,
        /// Name of the pipeline.
        pipeline: String,
    },
    /// Authentication was being switched on or off; pachd's own extract fails then, too.
    #[error("authentication is only partially activated")]
    PartiallyActive,
    /// A robot's token expires with a lease that isn't known.
    #[error("token {key} has the unknown lease {lease:x}")]
    UnknownLease {
        /// The key.
        key: String,
        /// Id of the lease.
        lease: i64,
    },
}
