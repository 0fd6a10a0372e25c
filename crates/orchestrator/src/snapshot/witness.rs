//! The second witness: what the metadata stream says of the cluster is held against what etcd says.
//!
//! A stream that ends early, cleanly, between two ops looks whole: nothing in its framing tells (source: pachctl's own format
//! has no count and no trailer). pachd also loses commits by itself above 262,144 keys.

use std::fs::File;
use std::io::BufReader;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use jiff::Timestamp;
use pachyderm::etcd::snapshot_file::SnapshotFile;
use pachyderm::layout::{Backend, KeyKind, Layout, ObjectReader, ReadError, StoreError};
use pachyderm::offline::{self, CompareError, Comparison, Options};
use pachyderm::stream::{OpVersion, Reader};
use provider::{Bucket, GetRequest};
use tokio::runtime::Handle;

use super::captured::Captured;
use crate::cluster::{Cluster, discover_chain, parse_version};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Events, Step};
use crate::manifest::{ClusterRecord, StreamWitness};
use crate::retry::{RetryPolicy, retrying};

/// The first version that writes streams which can be computed.
const FIRST_COMPUTABLE: (u32, u32, u32) = (1, 9, 6);

/// The parts of a captured run that the comparison reads, on this machine's disk.
pub(super) struct Witnesses {
    /// The metadata stream.
    pub(super) stream: PathBuf,
    /// etcd's snapshot, if the run has one.
    pub(super) etcd: Option<PathBuf>,
}

/// Compares the captured stream with the one computed from the captured etcd snapshot and the clone, unless it was counted
/// while the cluster was paused. Holds the live keys of etcd in memory, up to `largest` bytes.
///
/// # Errors
/// `Incomplete` naming what one of both lacks. A comparison that can't be made is said in the answer and as a warning.
pub(super) async fn compare(
    captured: &Captured,
    files: Witnesses,
    clone: Arc<dyn Bucket>,
    largest: u64,
    events: &Events,
) -> Result<StreamWitness> {
    if let Some(counted) = &captured.witness {
        return Ok(counted.clone());
    }
    let work = async {
        let witness = match computable(captured, files.etcd, largest) {
            Err(reason) => StreamWitness::None { reason },
            Ok((etcd, version, layout)) => {
                let bucket = BlockingBucket { bucket: clone, layout, runtime: Handle::current() };
                let compared =
                    tokio::task::spawn_blocking(move || compare_files(&files.stream, &etcd, &bucket, version)).await;
                let compared = compared.map_err(|cause| {
                    Error::new(ErrorKind::Failed, "the comparison of the metadata ended early").because(cause)
                })?;
                judge(compared)?
            }
        };
        let summary = match &witness {
            StreamWitness::Etcd { ops, .. } => format!("etcd's snapshot tells the same {ops} ops"),
            StreamWitness::None { reason } => format!("not compared: {reason}"),
            StreamWitness::Recount => "recounted".to_owned(),
        };
        Ok::<_, Error>((witness, summary))
    };
    let witness = events.step(Step::Compare, work).await?;
    match &witness {
        StreamWitness::None { reason } => {
            events.warn(format!("the metadata stream was not compared with etcd's snapshot: {reason}"));
        }
        StreamWitness::Etcd { defects, .. } if !defects.is_empty() => events.warn(format!(
            "`pachctl restore` would stop at this stream (a restore has to put parents first): {}",
            defects.join(", ")
        )),
        _ => {}
    }
    Ok(witness)
}

/// Whether a stream of this cluster will be compared, so that it needn't be counted while the cluster is paused. Streams of
/// old versions lack what pachd lists, and can't be counted either.
pub(super) fn is_expected(cluster: &Cluster, etcd_bytes: Option<u64>, largest: u64) -> bool {
    cluster.version() < FIRST_COMPUTABLE || etcd_bytes.is_some_and(|size| size <= largest)
}

/// What the ops are computed from: etcd's snapshot, their version, and the names of the objects that they need; or why they
/// can't be.
fn computable(
    captured: &Captured,
    etcd: Option<PathBuf>,
    largest: u64,
) -> std::result::Result<(PathBuf, OpVersion, Layout), String> {
    let (cluster, artifacts) = (&captured.cluster, &captured.artifacts);
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
    Ok((etcd, version, layout(cluster)?))
}

/// How the cluster named its objects.
pub(crate) fn layout(cluster: &ClusterRecord) -> std::result::Result<Layout, String> {
    let backend = Backend::from_env_value(&cluster.backend);
    let backend = backend.ok_or_else(|| format!("backend {} is unknown", cluster.backend))?;
    Ok(Layout { root: cluster.root.clone(), backend, reversed: cluster.reversed_keys })
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
            return Ok(StreamWitness::None { reason: discover_chain(&cause) });
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

/// A bucket read from a thread that may block.
struct BlockingBucket {
    bucket: Arc<dyn Bucket>,
    layout: Layout,
    runtime: Handle,
}

impl ObjectReader for BlockingBucket {
    fn read(&self, kind: &KeyKind, range: Option<Range<u64>>) -> std::result::Result<Option<Vec<u8>>, StoreError> {
        if range.as_ref().is_some_and(Range::is_empty) {
            return Ok(Some(Vec::new()));
        }
        let Some(key) = self.layout.key(kind) else { return Ok(None) };
        let request = GetRequest { key: key.as_str().into(), range, if_version: None };
        self.runtime.block_on(async {
            let whole = || async {
                let parts: Vec<Bytes> = self.bucket.get(&request).await?.body.try_collect().await?;
                Ok(parts.concat())
            };
            match retrying(RetryPolicy::default(), whole).await {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if error.kind() == provider::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(Box::new(error) as StoreError),
            }
        })
    }
}
