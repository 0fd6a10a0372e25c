//! Which op a restore failed at. pachd tells only after it has taken the whole stream, so what it holds has to tell.

use std::path::Path;

use pachyderm::client::{Client, Unreadable};
use pachyderm::stream::{CommitRef, OpView, view};

use super::super::presence::Presence;
use super::super::stream_content::{StreamContent, commit_name, open};
use crate::error::{Error, ErrorKind, Result};

/// The first op of a stream whose effect a cluster lacks, in words. `None` when everything that can be listed is there: then it
/// is one that turns on auth, or one of the like.
///
/// # Errors
/// Those of pachd and of reading the stream.
pub(super) async fn failing_op(pachd: &Client, stream: &Path, content: &StreamContent) -> Result<Option<String>> {
    let present = Presence::read(pachd, Unreadable::ShowIncomplete).await?;
    let (stream, total) = (stream.to_owned(), content.ops);
    let found = tokio::task::spawn_blocking(move || first_lacking(&stream, &present, total)).await;
    found.map_err(|cause| Error::new(ErrorKind::Failed, "looking for the op ended early").because(cause))?
}

fn first_lacking(stream: &Path, present: &Presence, total: u64) -> Result<Option<String>> {
    let damaged = |cause| Error::new(ErrorKind::Damaged, "the metadata stream can't be read").because(cause);
    let mut reader = open(stream)?;
    let mut jobs = 0;
    while let Some(op) = reader.next_op().map_err(damaged)? {
        let Ok(seen) = view(&op) else { continue };
        let lacking = match seen {
            OpView::Repo { name } if name != "__spec__" && !present.repos.contains(name) => format!("repo {name}"),
            OpView::Commit { commit: CommitRef { repo, id }, .. }
                if !present.commits.contains(&commit_name(repo, id)) =>
            {
                format!("commit {repo}@{id}")
            }
            OpView::Branch { repo, name, .. } if !present.branches.contains_key(&format!("{repo}@{name}")) => {
                format!("branch {repo}@{name}")
            }
            OpView::Pipeline { name, .. } if !present.pipelines.contains(name) => format!("pipeline {name}"),
            OpView::Job { pipeline, output_commit } => {
                jobs += 1;
                if jobs <= present.jobs {
                    continue;
                }
                let of =
                    output_commit.map_or(String::new(), |commit| format!(" that made {}@{}", commit.repo, commit.id));
                format!("a job of pipeline {pipeline}{of}")
            }
            _ => continue,
        };
        return Ok(Some(format!("op {} of {total}: {lacking}", reader.ops())));
    }
    Ok(None)
}
