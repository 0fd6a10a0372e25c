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
use pachyderm::client::{Client, History, Unreadable};
use pachyderm::etcd::snapshot_file::SnapshotFile;
use pachyderm::layout::{KeyKind, Layout, ObjectReader, StoreError};
use pachyderm::offline::{self, CompareError, Comparison, Options};
use pachyderm::stream::{OpCounts, OpKind, OpVersion, Reader};
use provider::{Bucket, GetRequest};
use tokio::runtime::Handle;

use super::capture::Content;
use crate::cluster::{Cluster, discover_chain, pachd_error};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Events, Step};
use crate::manifest::StreamWitness;

/// Largest etcd snapshot that is held in memory for the comparison, in bytes.
const LARGEST_DATABASE: u64 = 4 << 30;
/// The first version that writes streams which can be computed.
const FIRST_COMPUTABLE: (u32, u32, u32) = (1, 9, 6);

/// Compares the captured stream with the one computed from the captured etcd snapshot and the clone. Without a snapshot the
/// stream was recounted while the cluster was paused.
///
/// # Errors
/// `Incomplete` naming what one of both lacks. A comparison that can't be made is said in the answer and as a warning.
pub(super) async fn compare(
    cluster: &Cluster,
    content: &Content,
    clone: Arc<dyn Bucket>,
    events: &Events,
) -> Result<StreamWitness> {
    let Some(etcd) = &content.etcd else { return Ok(StreamWitness::Recount) };
    let work = async {
        let witness = match computable(cluster, &etcd.path, content.metadata.summary.version)? {
            Err(reason) => StreamWitness::None { reason },
            Ok(version) => {
                let bucket = BlockingBucket {
                    bucket: clone,
                    layout: cluster.location.layout.clone(),
                    runtime: Handle::current(),
                };
                let (stream, snapshot) = (content.metadata_path.clone(), etcd.path.clone());
                let compared =
                    tokio::task::spawn_blocking(move || compare_files(&stream, &snapshot, &bucket, version)).await;
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

/// The version of the ops, or why they can't be computed.
fn computable(
    cluster: &Cluster,
    snapshot: &Path,
    version: Option<OpVersion>,
) -> Result<std::result::Result<OpVersion, String>> {
    if cluster.version() < FIRST_COMPUTABLE {
        return Ok(Err(format!("pachd {} writes another kind of stream", cluster.record.pachd_version)));
    }
    let size = std::fs::metadata(snapshot).map_err(unreadable)?.len();
    if size > LARGEST_DATABASE {
        return Ok(Err(format!("etcd's snapshot of {size} bytes is too large to be held in memory")));
    }
    Ok(version.ok_or_else(|| "the stream is empty".to_owned()))
}

fn compare_files(
    stream: &PathBuf,
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

/// Without etcd: lists everything again and compares the number of ops of each kind.
///
/// # Errors
/// `Incomplete` naming the kind whose number differs.
pub(super) async fn recount(pachd: &Client, ops: &OpCounts) -> Result<()> {
    let failed = |what: &'static str| move |error| pachd_error(what, error);
    let repos = pachd.list_repo().await.map_err(failed("listing repos"))?.len() as u64 + 1;
    let branches = pachd.all_branches().await.map_err(failed("listing branches"))?.len() as u64;
    let mut commits = 0_u64;
    let mut all = pachd.all_commits().await.map_err(failed("listing commits"))?;
    while all.try_next().await.map_err(failed("listing commits"))?.is_some() {
        commits += 1;
    }
    let pipelines = pachd.list_pipeline(History::Current, Unreadable::Refuse).await;
    let pipelines = pipelines.map_err(failed("listing pipelines"))?;
    let mut jobs = 0_u64;
    for pipeline in pipelines.iter().filter_map(|info| info.pipeline.as_ref()) {
        let all = pachd.list_pipeline_jobs_stream(&pipeline.name, History::All).await;
        let mut all = all.map_err(failed("listing jobs"))?;
        while all.message().await.map_err(failed("listing jobs"))?.is_some() {
            jobs += 1;
        }
    }
    let expected = [
        (OpKind::Repo, repos),
        (OpKind::Commit, commits),
        (OpKind::Branch, branches),
        (OpKind::Pipeline, pipelines.len() as u64),
        (OpKind::Job, jobs),
    ];
    match expected.into_iter().find(|(kind, count)| ops.of(*kind) != *count) {
        None => Ok(()),
        Some((kind, count)) => Err(Error::new(
            ErrorKind::Incomplete,
            format!("the metadata stream holds {} ops of kind {kind}, pachd lists {count}", ops.of(kind)),
        )
        .advise("run again; if it stays, see pachd's log")),
    }
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
            let stream = match self.bucket.get(&request).await {
                Ok(stream) => stream,
                Err(error) if error.kind() == provider::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(Box::new(error) as StoreError),
            };
            let parts: Vec<Bytes> = stream.body.try_collect().await.map_err(|error| Box::new(error) as StoreError)?;
            Ok(Some(parts.concat()))
        })
    }
}

fn unreadable(cause: std::io::Error) -> Error {
    Error::new(ErrorKind::Failed, "reading a file of the staging folder").because(cause)
}
