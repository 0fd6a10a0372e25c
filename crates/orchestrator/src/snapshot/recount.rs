//! Where etcd can't be reached: the metadata stream is counted against what pachd lists while it is paused.

use futures::TryStreamExt;
use pachyderm::client::{Client, History, Unreadable};
use pachyderm::stream::{OpCounts, OpKind};

use super::movement::Movement;
use crate::cluster::pachd_error;
use crate::error::{Error, ErrorKind, Result};

/// Lists everything again and compares the number of ops of each kind.
///
/// # Errors
/// `Incomplete` naming the kind whose number differs.
pub(super) async fn recount(pachd: &Client, ops: &OpCounts, movement: &Movement) -> Result<()> {
    let failed = |what: &'static str| move |error| pachd_error(what, error);
    let repos = pachd.list_repo().await.map_err(failed("listing repos"))?.len() as u64 + 1;
    let branches = pachd.all_branches().await.map_err(failed("listing branches"))?.len() as u64;
    let mut commits = 0_u64;
    let mut all = pachd.all_commits().await.map_err(failed("listing commits"))?;
    while all.try_next().await.map_err(failed("listing commits"))?.is_some() {
        commits += 1;
        movement.moved();
    }
    let pipelines = pachd.list_pipeline(History::Current, Unreadable::Refuse).await;
    let pipelines = pipelines.map_err(failed("listing pipelines"))?;
    let mut jobs = 0_u64;
    movement.moved();
    for pipeline in pipelines.iter().filter_map(|info| info.pipeline.as_ref()) {
        let all = pachd.list_pipeline_jobs_stream(&pipeline.name, History::All).await;
        let mut all = all.map_err(failed("listing jobs"))?;
        while all.message().await.map_err(failed("listing jobs"))?.is_some() {
            jobs += 1;
            movement.moved();
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
