//! Pipelines: their records are in etcd, their specifications in the bucket.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::OfflineError;
use super::collections::{Collections, Record};
use super::message::Message;
use super::repos::SPEC;
use crate::hashtree;
use crate::layout::{ObjectReader, read_object};
use crate::stream::CommitRef;
use crate::wire::{self, WireError};

/// Fields of PipelineInfo, and what they are called in CreatePipelineRequest.
const FIELDS: &[(u32, u32)] = &[
    (1, 1),
    (2, 2),
    (10, 7),
    (15, 9),
    (16, 10),
    (19, 12),
    (20, 13),
    (21, 14),
    (23, 16),
    (24, 17),
    (29, 20),
    (30, 21),
    (31, 22),
    (32, 23),
    (33, 24),
    (34, 25),
    (25, 26),
    (37, 27),
    (39, 28),
    (40, 29),
    (41, 30),
    (42, 31),
    (44, 32),
    (45, 33),
    (47, 36),
    (48, 46),
    (51, 47),
    (54, 48),
    (56, 50),
];

/// A pipeline and its current specification.
pub(super) struct Pipeline<'a> {
    pub(super) name: String,
    /// Commit of the specification, in `__spec__`.
    pub(super) spec_commit: CommitRef<'a>,
    record: Record<'a>,
    /// An encoded PipelineInfo.
    spec: Vec<u8>,
}

impl Pipeline<'_> {
    /// The op's request: the specification, and its commit from EtcdPipelineInfo.
    pub(super) fn request(&self) -> Result<Message, OfflineError> {
        let request = Message::default().copy(&self.spec, FIELDS).map_err(|source| self.malformed(source))?;
        if !request.has(2) {
            return Err(OfflineError::NoTransform { pipeline: self.name.clone() });
        }
        request.copy(self.record.value(), &[(2, 34)]).map_err(|source| self.record.malformed(source))
    }

    fn malformed(&self, source: WireError) -> OfflineError {
        OfflineError::BadSpec { pipeline: self.name.clone(), source }
    }
}

/// All pipelines, each after the pipelines it reads from.
pub(super) fn in_order<'a>(
    collections: &Collections<'a>,
    objects: &dyn ObjectReader,
) -> Result<Vec<Pipeline<'a>>, OfflineError> {
    let mut records: Vec<_> = collections.records("pachyderm_pps/pipelines").collect();
    records.sort_by_key(|record| Reverse(record.entry.create_revision));
    let mut waiting = BTreeMap::new();
    let mut names = Vec::new();
    for record in records {
        let pipeline = read(collections, objects, record)?;
        let mut inputs = Vec::new();
        let input = wire::bytes_of(&pipeline.spec, 20).map_err(|source| pipeline.malformed(source))?;
        collect_repos(input.unwrap_or(&[]), 0, &mut inputs).map_err(|source| pipeline.malformed(source))?;
        names.push(pipeline.name.clone());
        waiting.insert(pipeline.name.clone(), (pipeline, inputs));
    }
    let mut ordered = Vec::new();
    // Depth first without recursion: a pipeline is taken out when its inputs were asked for, and added when they are done.
    let mut open: Vec<(Pipeline<'a>, std::vec::IntoIter<String>)> = Vec::new();
    for name in names {
        let mut next = Some(name);
        loop {
            if let Some((pipeline, inputs)) = next.take().and_then(|name| waiting.remove(&name)) {
                open.push((pipeline, inputs.into_iter()));
            }
            let Some((_, inputs)) = open.last_mut() else { break };
            next = inputs.next();
            if next.is_none() {
                ordered.extend(open.pop().map(|(pipeline, _)| pipeline));
            }
        }
    }
    Ok(ordered)
}

fn read<'a>(
    collections: &Collections<'a>,
    objects: &dyn ObjectReader,
    record: Record<'a>,
) -> Result<Pipeline<'a>, OfflineError> {
    let name = record.text();
    let spec_commit = wire::bytes_of(record.value(), 2)
        .and_then(|commit| commit.map(CommitRef::decode).transpose())
        .map_err(|source| record.malformed(source))?
        .ok_or_else(|| record.lacks("spec_commit"))?;
    let no_spec =
        |reason| OfflineError::NoSpecCommit { pipeline: name.clone(), commit: spec_commit.id.to_owned(), reason };
    let commit = collections.commit(SPEC, spec_commit.id).ok_or_else(|| no_spec("is not in etcd"))?;
    let tree = wire::descend(commit.value(), &[7]).map_err(|source| commit.malformed(source))?;
    let hash =
        wire::text_of(tree.ok_or_else(|| no_spec("has no tree"))?, 1).map_err(|source| commit.malformed(source))?;
    let tree =
        read_object(objects, hash).map_err(|source| OfflineError::SpecTree { pipeline: name.clone(), source })?;
    let spec = hashtree::read_serialised(&tree)
        .and_then(|tree| hashtree::read_file(objects, &tree, "/spec"))
        .map_err(|source| OfflineError::Spec { pipeline: name.clone(), source })?;
    Ok(Pipeline { name, spec_commit, record, spec })
}

/// Names of the repos that an Input reads, those within cross, union, join and group included. Cron and git inputs name repos
/// of their own.
fn collect_repos(input: &[u8], depth: usize, repos: &mut Vec<String>) -> Result<(), WireError> {
    for field in wire::fields(input) {
        let field = field?;
        match field.number {
            6 => repos.push(wire::text_of(field.bytes()?, 2)?.to_owned()),
            // Deeper than any specification; a file made to exhaust the stack ends here.
            2 | 3 | 7 | 8 if depth < 100 => collect_repos(field.bytes()?, depth + 1, repos)?,
            _ => {}
        }
    }
    Ok(())
}
