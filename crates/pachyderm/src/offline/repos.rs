//! Repos.

use super::collections::{Collections, Record};
use super::message::Message;
use super::{OfflineError, Ops};
use crate::stream::OpKind;

/// The repo of pipeline specifications.
pub(super) const SPEC: &str = "__spec__";

/// The repos but `__spec__`, oldest first. Repos that are being deleted are still there, as pachd lists them too.
pub(super) fn oldest_first<'a>(collections: &Collections<'a>) -> Vec<Record<'a>> {
    let mut repos: Vec<_> =
        collections.records("pachyderm_pfs/repos").filter(|repo| repo.name != SPEC.as_bytes()).collect();
    repos.sort_by_key(|repo| repo.entry.create_revision);
    repos
}

/// `__spec__` first, by name only, then the others from RepoInfo: repo 1, description 5.
pub(super) fn compute(collections: &Collections<'_>, ops: &mut Ops) -> Result<(), OfflineError> {
    ops.push(OpKind::Repo, Message::default().message(1, Message::default().text(1, SPEC)));
    for repo in oldest_first(collections) {
        let request = Message::default().copy(repo.value(), &[(1, 1), (5, 3)]);
        ops.push(OpKind::Repo, request.map_err(|source| repo.malformed(source))?);
    }
    Ok(())
}
