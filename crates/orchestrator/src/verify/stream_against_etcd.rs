//! The metadata stream held against etcd's snapshot, op for op.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use pachyderm::etcd::snapshot_file::SnapshotFile;
use pachyderm::layout::{Layout, ObjectReader, ReadError};
use pachyderm::offline::{self, CompareError, Comparison, Options};
use pachyderm::stream::{OpVersion, Reader};
use provider::Bucket;

use crate::bucket_reader::BucketReader;
use crate::cluster::parse_version;
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::{Artifacts, ClusterRecord, StreamWitness};

/// The first version that writes streams which can be computed.
pub(crate) const FIRST_COMPUTABLE: (u32, u32, u32) = (1, 9, 6);

/// The parts that the comparison reads, on this machine's disk.
#[derive(Debug)]
pub(crate) struct Witnesses {
    /// The metadata stream.
    pub(crate) stream: PathBuf,
    /// etcd's snapshot, if the run has one.
    pub(crate) etcd: Option<PathBuf>,
}

/// Compares a stream with the one computed from an etcd snapshot and the clone. Holds the live keys of etcd in memory; a
/// snapshot of more than `largest` bytes is not looked at.
///
/// # Errors
/// `Incomplete` naming what one of both lacks; `Unreachable` when the clone can't be read. A comparison that can't be made is
/// [`StreamWitness::None`].
pub(crate) async fn compare(
    cluster: &ClusterRecord,
    artifacts: &Artifacts,
    files: Witnesses,
    clone: Arc<dyn Bucket>,
    largest: u64,
) -> Result<StreamWitness> {
    let (etcd, version, layout) = match computable(cluster, artifacts, files.etcd, largest) {
        Err(reason) => return Ok(StreamWitness::None { reason }),
        Ok(found) => found,
    };
    let bucket = BucketReader::new(clone, layout);
    let compared = tokio::task::spawn_blocking(move || compare_files(&files.stream, &etcd, &bucket, version)).await;
    let compared = compared
        .map_err(|cause| Error::new(ErrorKind::Failed, "the comparison of the metadata ended early").because(cause))?;
    judge(compared)
}

/// What the ops are computed from: etcd's snapshot, their version, and the names of the objects that they need; or why they
/// can't be.
fn computable(
    cluster: &ClusterRecord,
    artifacts: &Artifacts,
    etcd: Option<PathBuf>,
    largest: u64,
) -> std::result::Result<(PathBuf, OpVersion, Layout), String> {
    if parse_version(&cluster.pachd_version) < FIRST_COMPUTABLE {
        return Err(format!("pachd {} writes another kind of stream", cluster.pachd_version));
    }
    let size = artifacts.etcd.as_ref().map_or(0, |etcd| etcd.file.size);
    if size > largest {
        return Err(format!("etcd's snapshot of {size} bytes is larger than compare-gib allows"));
    }
    let etcd = etcd.ok_or("etcd's snapshot was not captured")?;
    let version = artifacts.metadata.op_version.as_deref().ok_or("the stream is empty")?;
    let version = version.parse::<OpVersion>().map_err(|error| error.to_string())?;
    Ok((etcd, version, cluster.layout()?))
}

fn compare_files(
    stream: &Path,
    snapshot: &Path,
    objects: &dyn ObjectReader,
    version: OpVersion,
) -> std::result::Result<Comparison, CompareFailure> {
    let snapshot = SnapshotFile::open(snapshot).map_err(|cause| CompareFailure::Snapshot(Box::new(cause)))?;
    let options = Options { leases: snapshot.leases.clone(), ..Options::new(version, Timestamp::now()) };
    let file = File::open(stream).map_err(|cause| CompareFailure::Snapshot(Box::new(cause)))?;
    offline::compare(Reader::new(BufReader::new(file)), &snapshot.keys, objects, &options)
        .map_err(CompareFailure::Compare)
}

enum CompareFailure {
    Snapshot(Box<dyn std::error::Error + Send + Sync>),
    Compare(CompareError),
}

fn judge(compared: std::result::Result<Comparison, CompareFailure>) -> Result<StreamWitness> {
    let comparison = match compared {
        Ok(comparison) => comparison,
        Err(CompareFailure::Compare(CompareError::Computed(cause))) => {
            if let Some(of_the_clone) = read_error(&cause) {
                let kind = match of_the_clone {
                    ReadError::Store { .. } => ErrorKind::Unreachable,
                    _ => ErrorKind::Incomplete,
                };
                return Err(Error::new(kind, "a pipeline's specification can't be read from the clone").because(cause));
            }
            return Ok(StreamWitness::None { reason: crate::error::chain(&cause) });
        }
        Err(CompareFailure::Compare(cause)) => {
            return Err(Error::new(ErrorKind::Incomplete, "the metadata stream can't be read back").because(cause));
        }
        Err(CompareFailure::Snapshot(cause)) => {
            return Err(Error::new(ErrorKind::Incomplete, format!("etcd's snapshot can't be read back: {cause}")));
        }
    };
    if comparison.agrees() {
        return Ok(StreamWitness::Etcd {
            ops: comparison.equal,
            open_commits: comparison.open,
            defects: comparison.defects.first,
        });
    }
    let mut what = Vec::new();
    for (which, differences) in [("lacks", &comparison.missing), ("alone has", &comparison.surplus)] {
        if differences.count > 0 {
            what.push(format!("{which} {} ops: {}", differences.count, differences.first.join(", ")));
        }
    }
    Err(Error::new(
        ErrorKind::Incomplete,
        format!("the metadata stream and etcd's snapshot differ; the stream {}", what.join("; it ")),
    )
    .advise(
        "run again; if it stays, pachd's extract loses metadata (known above 262,144 keys): see pachd's log, and keep \
         the etcd snapshot",
    ))
}

/// What kept the clone from being read, if that is behind this error.
fn read_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a ReadError> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}
