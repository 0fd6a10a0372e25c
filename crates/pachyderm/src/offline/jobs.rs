//! Jobs.

use std::cmp::Reverse;
use std::collections::HashSet;

use super::collections::Collections;
use super::message::Message;
use super::pipelines::Pipeline;
use super::repos::SPEC;
use super::{OfflineError, Ops};
use crate::stream::{CommitRef, OpKind};
use crate::wire::{self, WireError};

/// Fields of EtcdJobInfo, and what they are called in CreateJobRequest: pipeline, output commit, restart, data processed,
/// skipped, total, failed, recovered, stats, stats commit, state, reason, started, finished.
const FIELDS: &[(u32, u32)] = &[
    (2, 2),
    (3, 25),
    (4, 26),
    (5, 27),
    (6, 28),
    (7, 29),
    (8, 30),
    (15, 31),
    (9, 32),
    (10, 33),
    (11, 34),
    (12, 35),
    (13, 36),
    (14, 37),
];

/// The jobs of `pipeline`, newest first, of all its versions since it was last created. Left out, as pachd does: jobs
/// without record or output commit, and jobs of a deleted pipeline of the same name.
pub(super) fn compute(
    collections: &Collections<'_>,
    pipeline: &Pipeline<'_>,
    ops: &mut Ops,
) -> Result<(), OfflineError> {
    let specs = spec_history(collections, pipeline)?;
    let name = Message::default().text(1, &pipeline.name).encode();
    let start = [b"pachyderm_pps/jobs__index_Pipeline/".as_slice(), &name, b"/"].concat();
    let mut index: Vec<_> = collections.keys(&start).collect();
    index.sort_by_key(|entry| Reverse(entry.entry.create_revision));
    for entry in index {
        let Some(job) = collections.get("pachyderm_pps/jobs", entry.name) else { continue };
        let malformed = |source| job.malformed(source);
        let Some(output) = wire::bytes_of(job.value(), 3).map_err(malformed)? else { continue };
        let output = CommitRef::decode(output).map_err(malformed)?;
        let Some(commit) = collections.commit(output.repo, output.id) else { continue };
        let spec = spec_of(commit.value(), &pipeline.name).map_err(|source| commit.malformed(source))?;
        let spec =
            spec.ok_or_else(|| OfflineError::JobWithoutSpec { job: job.text(), pipeline: pipeline.name.clone() })?;
        if specs.contains(spec) {
            ops.push(OpKind::Job, Message::default().copy(job.value(), FIELDS).map_err(malformed)?);
        }
    }
    Ok(())
}

/// Ids of the pipeline's specification commit and all its ancestors.
fn spec_history<'a>(collections: &Collections<'a>, pipeline: &Pipeline<'a>) -> Result<HashSet<&'a str>, OfflineError> {
    let mut specs = HashSet::new();
    let mut next = Some(pipeline.spec_commit.id);
    while let Some(id) = next.filter(|id| specs.insert(*id)) {
        let Some(commit) = collections.commit(SPEC, id) else { break };
        next = wire::bytes_of(commit.value(), 2)
            .and_then(|parent| parent.map(CommitRef::decode).transpose())
            .map_err(|source| commit.malformed(source))?
            .map(|parent| parent.id);
    }
    Ok(specs)
}

/// Id of the specification commit on which the output commit is provenant.
fn spec_of<'a>(commit: &'a [u8], pipeline: &str) -> Result<Option<&'a str>, WireError> {
    for field in wire::fields(commit) {
        let field = field?;
        if field.number == 16 {
            let provenance = field.bytes()?;
            let commit = CommitRef::decode(wire::bytes_of(provenance, 1)?.unwrap_or(&[]))?;
            let branch = wire::bytes_of(provenance, 2)?.unwrap_or(&[]);
            if commit.repo == SPEC && wire::text_of(branch, 2)? == pipeline {
                return Ok(Some(commit.id));
            }
        }
    }
    Ok(None)
}
