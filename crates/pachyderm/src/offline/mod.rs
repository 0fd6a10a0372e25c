//! The extract stream computed from etcd's state and the bucket, without asking pachd.
//!
//! What `pachctl extract --no-objects` writes is a function of etcd and of the specification files in the bucket, apart from
//! the clock. The ops made here are those of Pachyderm 1.9.6 to 1.13.4, field for field; messages are copied as raw bytes under
//! their new numbers, so fields nobody here knows survive.
//!
//! Three things are random in the real stream, and fixed here: the order of independent pipelines (here newest first,
//! upstream before downstream), the order of what one etcd transaction created (here by key, or parents first), and the order
//! of cluster administrators and of access list entries (here by name).

mod access;
mod branches;
mod collections;
mod commits;
mod compare;
mod error;
mod jobs;
mod message;
mod pipelines;
mod repos;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::Timestamp;

pub use compare::{CompareError, Comparison, Differences, compare};
pub use error::OfflineError;

use crate::etcd::proto::KeyValue;
use crate::layout::ObjectReader;
use crate::stream::{CommitRef, OpKind, OpVersion};
use crate::wire;
use collections::Collections;
use message::Message;

/// What a computed stream holds: the opposite of the `no_…` options of Extract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Groups {
    /// Repos, commits and branches, and with `auth` the access lists.
    pub repos: bool,
    /// Pipelines and jobs.
    pub pipelines: bool,
    /// The enterprise licence.
    pub enterprise: bool,
    /// Tokens, administrators and identity providers, when authentication is on.
    pub auth: bool,
}

impl Groups {
    /// Everything.
    pub const ALL: Self = Self { repos: true, pipelines: true, enterprise: true, auth: true };
}

/// The order of commits that one etcd transaction created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ties {
    /// Fewer provenance entries first, then by key: as near to pachd as can be, and like pachd it can put a child before its
    /// parent, which no restore accepts.
    AsPachd,
    /// The same, but a parent always comes before its children.
    ParentsFirst,
}

/// When an open commit is said to have been finished.
pub type FinishedAt<'a> = dyn Fn(CommitRef<'_>) -> Timestamp + 'a;

/// How a stream is computed.
pub struct Options<'a> {
    /// Version of the ops. Not in etcd; it is the version of the pachd that would write the stream. 1.9 or later.
    pub version: OpVersion,
    /// The time of the extract: decides whether the licence has expired, and when tokens will.
    pub now: Timestamp,
    /// Overrides `now` for single open commits.
    pub finished_at: Option<&'a FinishedAt<'a>>,
    /// The order of commits of one transaction.
    pub ties: Ties,
    /// What to include.
    pub groups: Groups,
    /// Granted seconds of etcd's leases, for tokens that expire.
    pub leases: BTreeMap<i64, i64>,
}

impl Options<'_> {
    /// Everything, in pachd's order, at the time `now`.
    pub fn new(version: OpVersion, now: Timestamp) -> Self {
        Self { version, now, finished_at: None, ties: Ties::AsPachd, groups: Groups::ALL, leases: BTreeMap::new() }
    }
}

/// Computes the ops of the stream, each an encoded `Op` message, from the live keys of etcd. `objects` is asked for the
/// specification files only: three small reads for each pipeline.
pub fn compute(
    state: &BTreeMap<Vec<u8>, KeyValue>,
    objects: &dyn ObjectReader,
    options: &Options<'_>,
) -> Result<Vec<Vec<u8>>, OfflineError> {
    if options.version < OpVersion::V1_9 {
        return Err(OfflineError::UnsupportedVersion { version: options.version });
    }
    let collections = Collections::find(state)?;
    let mut ops = Ops { version: options.version, ops: Vec::new() };
    let auth = options.groups.auth && access::is_active(&collections)?;
    if auth {
        ops.push(OpKind::CheckAuthToken, Message::default());
    }
    if options.groups.repos {
        repos::compute(&collections, &mut ops)?;
        commits::compute(&collections, options, &mut ops)?;
        branches::compute(&collections, &mut ops)?;
    }
    if options.groups.pipelines {
        for pipeline in pipelines::in_order(&collections, objects)? {
            ops.push(OpKind::Pipeline, pipeline.request()?);
            jobs::compute(&collections, &pipeline, &mut ops)?;
        }
    }
    if options.groups.enterprise {
        access::licence(&collections, options.now, &mut ops)?;
    }
    if auth {
        access::compute(&collections, options, &mut ops)?;
    }
    Ok(ops.ops)
}

/// The ops so far.
struct Ops {
    version: OpVersion,
    ops: Vec<Vec<u8>>,
}

impl Ops {
    fn push(&mut self, kind: OpKind, request: Message) {
        let (mut inner, mut op) = (Vec::new(), Vec::new());
        wire::put_bytes(&mut inner, kind.field(), &request.encode());
        wire::put_bytes(&mut op, self.version.field(), &inner);
        self.ops.push(op);
    }
}
