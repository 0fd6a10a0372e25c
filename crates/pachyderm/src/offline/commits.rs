//! Commits.

use std::collections::HashMap;

use super::collections::{Collections, Record};
use super::message::Message;
use super::{OfflineError, Ops, Options, Ties};
use crate::stream::{CommitRef, OpKind};
use crate::wire::{self, WireError};

/// Fields of CommitInfo, and what they are called in BuildCommitRequest: parent, tree, provenance, trees, datums, size,
/// started, finished, origin.
const FIELDS: &[(u32, u32)] = &[(2, 1), (7, 3), (16, 6), (13, 7), (14, 8), (5, 9), (3, 10), (4, 11), (17, 12)];

#[derive(Clone, Copy)]
struct Commit<'a> {
    record: Record<'a>,
    itself: CommitRef<'a>,
    parent: Option<CommitRef<'a>>,
    provenance: usize,
}

/// The commits of all repos in the order of their creation.
pub(super) fn compute(collections: &Collections<'_>, options: &Options<'_>, ops: &mut Ops) -> Result<(), OfflineError> {
    let mut commits = Vec::new();
    for record in collections.records("pachyderm_pfs/commits") {
        commits.push(read(record)?);
    }
    // Stable: what is equal stays in key order.
    commits.sort_by_key(|commit| (commit.record.entry.create_revision, commit.provenance));
    if options.ties == Ties::ParentsFirst {
        commits = commits
            .chunk_by(|a, b| a.record.entry.create_revision == b.record.entry.create_revision)
            .flat_map(parents_first)
            .collect();
    }
    for commit in &commits {
        ops.push(OpKind::Commit, request(commit, options).map_err(|source| commit.record.malformed(source))?);
    }
    Ok(())
}

fn read(record: Record<'_>) -> Result<Commit<'_>, OfflineError> {
    let malformed = |source| record.malformed(source);
    let info = record.value();
    let itself = wire::bytes_of(info, 1).map_err(malformed)?.ok_or_else(|| record.lacks("commit"))?;
    let parent = wire::bytes_of(info, 2).map_err(malformed)?;
    let mut provenance = 0;
    for field in wire::fields(info) {
        match field.map_err(malformed)?.number {
            16 => provenance += 1,
            6 | 10 => return Err(OfflineError::OldRecord { key: record.key() }),
            _ => {}
        }
    }
    Ok(Commit {
        record,
        itself: CommitRef::decode(itself).map_err(malformed)?,
        parent: parent.map(CommitRef::decode).transpose().map_err(malformed)?,
        provenance,
    })
}

fn request(commit: &Commit<'_>, options: &Options<'_>) -> Result<Message, WireError> {
    let mut request = Message::default().copy(commit.record.value(), FIELDS)?.text(5, commit.itself.id);
    if !request.has(1) {
        let repo = Message::default().text(1, commit.itself.repo);
        request = request.message(1, Message::default().message(1, repo));
    }
    if !request.has(11) {
        let finished = options.finished_at.map_or(options.now, |finished_at| finished_at(commit.itself));
        request = request.timestamp(11, finished);
    }
    Ok(request)
}

/// The commits of one transaction, each after its parent, otherwise in the order given.
fn parents_first<'a>(commits: &[Commit<'a>]) -> Vec<Commit<'a>> {
    let places: HashMap<CommitRef<'_>, usize> =
        commits.iter().enumerate().map(|(place, commit)| (commit.itself, place)).collect();
    let mut done = vec![false; commits.len()];
    let mut ordered = Vec::with_capacity(commits.len());
    for start in 0..commits.len() {
        let mut line = Vec::new();
        let mut next = Some(start);
        while let Some(place) = next.filter(|place| !done[*place]) {
            done[place] = true;
            line.push(place);
            next = commits[place].parent.and_then(|parent| places.get(&parent).copied());
        }
        ordered.extend(line.into_iter().rev());
    }
    ordered.into_iter().map(|place| commits[place]).collect()
}
