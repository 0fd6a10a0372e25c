//! Two witnesses of one cluster: the stream that pachd wrote, and the one computed from etcd and the bucket.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Read;

use sha2::{Digest, Sha256};

use super::{OfflineError, Options, compute};
use crate::etcd::proto::KeyValue;
use crate::layout::ObjectReader;
use crate::stream::{
    CommitRef, OpError, OpKind, OpView, RawOp, Reader, RestoreCheck, RestoreDefect, StreamError, view,
};
use crate::wire::{self, WireError};

/// How many differences of a kind are described.
const DESCRIBED: usize = 20;

/// Maps in messages of a pipeline, which pachd writes in random order: fields from the request inwards. Environment, labels
/// and annotations, node selector.
const PIPELINE_MAPS: [&[u32]; 4] = [&[2, 3], &[46, 1], &[46, 2], &[29, 1]];
/// Field `finished` of a commit's request.
const FINISHED: u32 = 11;
/// Fields of a robot token's request that say how long it lives: in etcd there is only what was granted.
const TOKEN_EXPIRY: [u32; 2] = [1, 3];

/// What is in one stream and not in the other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Differences {
    /// Number of ops.
    pub count: u64,
    /// The first of them in words.
    pub first: Vec<String>,
}

impl Differences {
    fn add(&mut self, count: u64, describe: impl FnOnce() -> String) {
        self.count += count;
        if self.first.len() < DESCRIBED {
            self.first.push(describe());
        }
    }
}

/// How a recorded stream compares with the computed one. Order is not compared: pachd's own is partly random.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Ops that both have.
    pub equal: u64,
    /// Of these, commits that were open: they differ in the time at which they are said to have been finished.
    pub open: u64,
    /// Ops that the recorded stream lacks.
    pub missing: Differences,
    /// Ops that only the recorded stream has.
    pub surplus: Differences,
    /// Ops of the recorded stream at which pachd's own restore would stop.
    pub defects: Differences,
}

impl Comparison {
    /// Whether both streams say the same of the cluster.
    pub fn agrees(&self) -> bool {
        self.missing.count == 0 && self.surplus.count == 0
    }
}

/// Why two streams could not be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// The recorded stream is damaged.
    #[error("the recorded stream can't be read")]
    Recorded(#[from] StreamError),
    /// The other one can't be computed.
    #[error("the stream can't be computed from etcd")]
    Computed(#[from] OfflineError),
    /// A computed op that isn't one.
    #[error("a computed op is malformed")]
    Op(#[from] OpError),
    /// An op whose content isn't the message that it should be.
    #[error("the content of an op is malformed")]
    Content(#[from] WireError),
}

/// Compares the recorded stream, which is read one op at a time, with the one computed from the live keys of etcd. Memory is
/// that of [`compute`]. `options.finished_at` is not asked.
///
/// # Errors
/// [`CompareError`]; that streams differ is an answer and no error.
pub fn compare<R: Read>(
    mut recorded: Reader<R>,
    state: &BTreeMap<Vec<u8>, KeyValue>,
    objects: &dyn ObjectReader,
    options: &Options<'_>,
) -> Result<Comparison, CompareError> {
    let open = RefCell::new(HashSet::new());
    let note_open = |commit: CommitRef<'_>| {
        open.borrow_mut().insert((commit.repo.to_owned(), commit.id.to_owned()));
        options.now
    };
    let options = Options { finished_at: Some(&note_open), leases: options.leases.clone(), ..*options };
    let computed = compute(state, objects, &options)?;
    let open = open.into_inner();

    let mut left: HashMap<[u8; 32], (u64, usize)> = HashMap::with_capacity(computed.len());
    for (index, op) in computed.iter().enumerate() {
        let (digest, _) = digest(&RawOp::parse(op.clone())?, &open)?;
        left.entry(digest).or_insert((0, index)).0 += 1;
    }
    let mut comparison = Comparison::default();
    let mut restore = RestoreCheck::new();
    while let Some(op) = recorded.next_op()? {
        if let Some(defect) = restore.observe(&op)? {
            comparison.defects.add(1, || RestoreDefect::to_string(&defect));
        }
        let (digest, was_open) = digest(&op, &open)?;
        match left.get_mut(&digest) {
            Some((count, _)) if *count > 0 => {
                *count -= 1;
                comparison.equal += 1;
                comparison.open += u64::from(was_open);
            }
            _ => {
                let words = describe(&op)?;
                comparison.surplus.add(1, || words);
            }
        }
    }
    let mut missing: Vec<(usize, u64)> = left.into_values().filter(|left| left.0 > 0).map(|(n, at)| (at, n)).collect();
    missing.sort_unstable();
    for (index, count) in missing {
        let words = describe(&RawOp::parse(computed[index].clone())?)?;
        comparison.missing.add(count, || words);
    }
    Ok(comparison)
}

/// What an op is about, in words.
fn describe(op: &RawOp) -> Result<String, WireError> {
    Ok(match view(op)? {
        OpView::Repo { name } => format!("repo {name}"),
        OpView::Commit { commit, .. } => format!("commit {}@{}", commit.repo, commit.id),
        OpView::Branch { repo, name, .. } => format!("branch {repo}@{name}"),
        OpView::Pipeline { name, .. } => format!("pipeline {name}"),
        OpView::Job { pipeline, output_commit } => match output_commit {
            Some(commit) => format!("job of {pipeline} that made {}@{}", commit.repo, commit.id),
            None => format!("job of {pipeline}"),
        },
        _ => op.kind.to_string(),
    })
}

/// Digest of what two witnesses have to agree on, and whether the op is a commit that was open.
fn digest(op: &RawOp, open: &HashSet<(String, String)>) -> Result<([u8; 32], bool), WireError> {
    let mut hash = Sha256::new();
    hash.update(op.version.field().to_be_bytes());
    hash.update(op.kind.field().to_be_bytes());
    let mut was_open = false;
    match op.kind {
        OpKind::Commit => {
            if let OpView::Commit { commit, .. } = view(op)? {
                was_open = open.contains(&(commit.repo.to_owned(), commit.id.to_owned()));
            }
            let left_out: &[&[u32]] = if was_open { &[&[FINISHED]] } else { &[] };
            hash.update(without(op.request(), left_out)?);
        }
        OpKind::RestoreAuthToken => hash.update(without(op.request(), &[&TOKEN_EXPIRY])?),
        OpKind::Pipeline => hash.update(sort_maps(op.request(), &PIPELINE_MAPS)?),
        // Entries of a map: field 2 of the request.
        OpKind::SetAcl => hash.update(sort_maps(op.request(), &[&[2]])?),
        _ => hash.update(op.request()),
    }
    Ok((hash.finalize().into(), was_open))
}

/// The message without the fields at these paths.
fn without(message: &[u8], paths: &[&[u32]]) -> Result<Vec<u8>, WireError> {
    let mut out = Vec::with_capacity(message.len());
    for field in wire::fields(message) {
        let field = field?;
        let mut inner = paths.iter().filter(|path| path[0] == field.number);
        match inner.next() {
            Some(path) if path.len() > 1 => {
                wire::put_bytes(&mut out, field.number, &without(field.bytes()?, &[&path[1..]])?);
            }
            Some(_) => {}
            None => wire::put_renumbered(&mut out, field.number, &field),
        }
    }
    Ok(out)
}

/// The message with the entries of the maps at these paths sorted.
fn sort_maps(message: &[u8], paths: &[&[u32]]) -> Result<Vec<u8>, WireError> {
    let mut fields: Vec<(u32, Vec<u8>)> = Vec::new();
    for field in wire::fields(message) {
        let field = field?;
        let inner: Vec<&[u32]> =
            paths.iter().filter(|path| path[0] == field.number && path.len() > 1).map(|path| &path[1..]).collect();
        let mut out = Vec::new();
        if inner.is_empty() {
            wire::put_renumbered(&mut out, field.number, &field);
        } else {
            wire::put_bytes(&mut out, field.number, &sort_maps(field.bytes()?, &inner)?);
        }
        fields.push((field.number, out));
    }
    if paths.iter().any(|path| path.len() == 1) {
        fields.sort();
    }
    Ok(fields.into_iter().flat_map(|(_, field)| field).collect())
}
