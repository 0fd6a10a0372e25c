//! Loading a recorded cluster: etcd's snapshot becomes the key space, the storage root becomes the bucket.
//!
//! Cluster *alpha* was recorded while its pipelines were stopped. To have something to stop, it can be rewound to just before:
//! pipelines point to their earlier specification and run, and their branches depend on their inputs again. When such a
//! pipeline is stopped, its recorded stop is replayed, so that the stopped cluster is the recorded one, byte for byte.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::sync::Arc;

use bytes::Bytes;
use pachyderm::etcd::proto::KeyValue;
use pachyderm::etcd::snapshot_file::SnapshotFile;
use pachyderm::layout::{Backend, KeyMap, Layout, Mapped};
use pachyderm::proto::pfs::{BranchInfo, Commit};
use pachyderm::proto::pps::{EtcdPipelineInfo, PipelineState};
use prost::Message;

use super::etcd::Store;
use super::etcd::mvcc::Change;
use super::objects::ObjectStore;
use super::state::{PREFIX, SPEC_REPO, State};
use super::{provenance, recorded_stream};

/// Why a recorded cluster can't be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The etcd snapshot is damaged.
    #[error("the etcd snapshot can't be read")]
    Snapshot(#[from] pachyderm::etcd::snapshot_file::SnapshotFileError),
    /// The archive of the bucket, or the stream, is damaged.
    #[error("the recorded files can't be unpacked")]
    Archive(#[from] std::io::Error),
    /// The recorded stream is damaged.
    #[error("the recorded stream can't be read")]
    Stream(#[from] pachyderm::stream::StreamError),
}

/// The recorded stop of a pipeline: the commit that it made.
#[derive(Clone, Debug)]
pub struct RecordedStop {
    /// The specification with `stopped` set.
    pub spec_commit: Commit,
}

/// A recorded cluster in its first state.
#[derive(Debug)]
pub struct Recorded {
    /// Its state.
    pub state: State,
    /// What stopping its pipelines is replayed from; empty unless it was rewound.
    pub stops: BTreeMap<String, RecordedStop>,
    /// Branches as they were recorded, by `repo/branch`.
    pub branches: BTreeMap<String, Bytes>,
}

/// The archive of cluster *alpha*.
static ALPHA: &[u8] = include_bytes!("../../../../tests/data/alpha.tar.zst");
/// The archive of cluster *amazon*'s bucket, under raw keys.
static AMAZON: &[u8] = include_bytes!("../../../../tests/data/bucket/amazon.tar.zst");
static AMAZON_STREAM: &[u8] = include_bytes!("../../../../tests/data/extract/amazon-no-objects.pachd");
static ALPHA_ETCD: &[u8] = include_bytes!("../../../../tests/data/etcd/alpha.snapshot.db");
static GAMMA_ETCD: &[u8] = include_bytes!("../../../../tests/data/etcd/gamma.snapshot.db");
static ALPHA_STREAM: &[u8] = include_bytes!("../../../../tests/data/extract/alpha-no-objects.pachd");
/// The pipelines of *alpha* that had been stopped before the recording began.
const STOPPED_EARLIER: &[&str] = &["halted"];

/// Loads cluster *alpha* into `bucket`: as recorded, or rewound to before its pipelines were stopped.
///
/// # Errors
/// The recorded files are damaged.
pub fn load_alpha(bucket: Arc<dyn ObjectStore>, rewound: bool) -> Result<Recorded, LoadError> {
    for (path, bytes) in unpack(ALPHA)? {
        // What pachd leaves behind on a LOCAL backend only is no part of the data.
        let Some(key) = path.strip_prefix("bucket/") else { continue };
        let is_cache = key.starts_with("block/") && key.matches('-').count() >= 2;
        if !key.starts_with("hashtree/") && !is_cache {
            bucket.put(key, bytes);
        }
    }
    load(ALPHA_ETCD, bucket, rewound.then_some(STOPPED_EARLIER))
}

/// Loads cluster *amazon*, of which the stream and the bucket were recorded, into `bucket`: as recorded, or with its
/// pipelines running.
///
/// # Errors
/// The recorded files are damaged.
pub fn load_amazon(bucket: Arc<dyn ObjectStore>, running: bool) -> Result<Recorded, LoadError> {
    let keys = KeyMap::new(Layout::new(Backend::Amazon, false), Layout::new(Backend::Local, false));
    for (key, bytes) in unpack(AMAZON)? {
        if let Mapped::Key(key) = keys.map(&key) {
            bucket.put(&key, bytes);
        }
    }
    recorded_stream::load(AMAZON_STREAM, bucket, running)
}

/// Loads cluster *gamma*: a pachd that has just started on an empty etcd and an empty bucket.
///
/// # Errors
/// The recorded files are damaged.
pub fn load_gamma(bucket: Arc<dyn ObjectStore>, _: bool) -> Result<Recorded, LoadError> {
    load(GAMMA_ETCD, bucket, None)
}

/// When the commits that were open at the recording of *alpha* are said to have finished, in its recorded stream.
///
/// # Errors
/// The recorded stream is damaged.
pub fn alpha_clock() -> Result<BTreeMap<String, jiff::Timestamp>, LoadError> {
    let mut reader = pachyderm::stream::Reader::new(ALPHA_STREAM);
    let mut finished = BTreeMap::new();
    while let Some(op) = reader.next_op()? {
        if op.kind != pachyderm::stream::OpKind::Commit {
            continue;
        }
        if let Ok(request) = pachyderm::proto::pfs::BuildCommitRequest::decode(op.request()) {
            let time = request.finished.and_then(|time| jiff::Timestamp::new(time.seconds, time.nanos).ok());
            if let Some(time) = time {
                finished.insert(request.id, time);
            }
        }
    }
    Ok(finished)
}

/// The ops of the recorded stream of *amazon*, each as its bytes.
///
/// # Errors
/// The recorded stream is damaged.
pub fn amazon_ops() -> Result<Vec<Vec<u8>>, LoadError> {
    ops(AMAZON_STREAM)
}

/// The ops of the recorded stream of *alpha*, each as its bytes.
///
/// # Errors
/// The recorded stream is damaged.
pub fn alpha_ops() -> Result<Vec<Vec<u8>>, LoadError> {
    ops(ALPHA_STREAM)
}

fn ops(stream: &[u8]) -> Result<Vec<Vec<u8>>, LoadError> {
    let mut reader = pachyderm::stream::Reader::new(stream);
    let mut ops = Vec::new();
    while let Some(op) = reader.next_op()? {
        ops.push(op.bytes.to_vec());
    }
    Ok(ops)
}

/// Files of a `tar.zst` archive.
fn unpack(archive: &[u8]) -> Result<Vec<(String, Bytes)>, LoadError> {
    let mut files = Vec::new();
    for entry in tar::Archive::new(zstd::Decoder::new(archive)?).entries()? {
        let mut entry = entry?;
        if entry.header().entry_type().is_file() {
            let path = entry.path()?.to_string_lossy().into_owned();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            files.push((path, bytes.into()));
        }
    }
    Ok(files)
}

/// Loads an etcd snapshot over a filled bucket. With `rewound`, pipelines run again, but for those named.
///
/// # Errors
/// The snapshot is damaged.
pub fn load(snapshot: &[u8], bucket: Arc<dyn ObjectStore>, rewound: Option<&[&str]>) -> Result<Recorded, LoadError> {
    let snapshot = SnapshotFile::read(Cursor::new(snapshot))?;
    Ok(from_keys(snapshot.keys, bucket, rewound))
}

/// A cluster of these keys over a filled bucket. With `rewound`, pipelines run again, but for those named.
pub(super) fn from_keys(
    mut keys: BTreeMap<Vec<u8>, KeyValue>,
    bucket: Arc<dyn ObjectStore>,
    rewound: Option<&[&str]>,
) -> Recorded {
    let recorded = State { store: Arc::new(history(&keys)), bucket: Arc::clone(&bucket) };
    let prefix = format!("{PREFIX}/pachyderm_pfs/branches/");
    let branches: BTreeMap<String, Bytes> = keys
        .iter()
        .filter_map(|(key, kv)| {
            let name = std::str::from_utf8(key).ok()?.strip_prefix(&prefix)?;
            Some((name.to_owned(), kv.value.clone()))
        })
        .collect();
    let stops = match rewound {
        Some(stopped_earlier) => rewind(&recorded, &mut keys, stopped_earlier),
        None => BTreeMap::new(),
    };
    let state = State { store: Arc::new(history(&keys)), bucket };
    Recorded { state, stops, branches }
}

/// A key space whose newest change is the snapshot's.
fn history(keys: &BTreeMap<Vec<u8>, KeyValue>) -> Store {
    let mut changes: Vec<Change> = keys.values().map(|kv| Change { sub: 0, deleted: false, kv: kv.clone() }).collect();
    changes.sort_by(|a, b| (a.kv.mod_revision, &a.kv.key).cmp(&(b.kv.mod_revision, &b.kv.key)));
    let mut last = (0, 0);
    for change in &mut changes {
        last = if last.0 == change.kv.mod_revision { (last.0, last.1 + 1) } else { (change.kv.mod_revision, 0) };
        change.sub = last.1;
    }
    Store::with_history(changes)
}

/// Takes the last stop of each pipeline back, in the keys before they become a key space. The commits that the stops made
/// stay: nothing points to them until the stop is replayed.
fn rewind(
    recorded: &State,
    keys: &mut BTreeMap<Vec<u8>, KeyValue>,
    stopped_earlier: &[&str],
) -> BTreeMap<String, RecordedStop> {
    let mut branches: BTreeMap<String, BranchInfo> =
        recorded.branches().into_iter().map(|record| (record.name, record.value)).collect();
    let mut stops = BTreeMap::new();
    for pipeline in recorded.pipelines() {
        let name = pipeline.name;
        let Some(spec_commit) = pipeline.value.spec_commit.clone() else { continue };
        let stopped = recorded.specification(&spec_commit).is_some_and(|specification| specification.stopped);
        let parent = recorded.commit(SPEC_REPO, &spec_commit.id).and_then(|commit| commit.parent_commit);
        let Some(parent) = parent.filter(|_| stopped && !stopped_earlier.contains(&name.as_str())) else { continue };
        let Some(specification) = recorded.specification(&parent) else { continue };

        if let Some(branch) = branches.get_mut(&format!("{SPEC_REPO}/{name}")) {
            branch.head = Some(parent.clone());
        }
        let output = if specification.output_branch.is_empty() { "master" } else { &specification.output_branch };
        provenance::declare(&mut branches, &format!("{name}/{output}"), provenance::of_running(&specification));
        let running = if specification.standby { PipelineState::Standby } else { PipelineState::Running };
        let record = EtcdPipelineInfo { state: running as i32, spec_commit: Some(parent), ..pipeline.value };
        set(keys, "pachyderm_pps/pipelines", &name, record.encode_to_vec());
        stops.insert(name, RecordedStop { spec_commit });
    }
    for (name, info) in branches {
        set(keys, "pachyderm_pfs/branches", &name, info.encode_to_vec());
    }
    stops
}

fn set(keys: &mut BTreeMap<Vec<u8>, KeyValue>, collection: &str, name: &str, value: Vec<u8>) {
    if let Some(kv) = keys.get_mut(State::key(collection, name).as_ref()) {
        kv.value = value.into();
    }
}
