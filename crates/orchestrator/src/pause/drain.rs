//! Draining: running work finishes by itself, within limits; what never ends is recorded.

use std::time::Instant;

use crate::cluster::{Cluster, Work, work};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Events;
use crate::job::{DrainPolicy, SnapshotSettings};

/// Waits until nothing is left that ends by itself. Answers with the work that is left.
pub(super) async fn drain(cluster: &Cluster, settings: &SnapshotSettings, events: &Events) -> Result<(Work, String)> {
    let began = Instant::now();
    let (mut last, mut moved) = ((usize::MAX, 0), Instant::now());
    loop {
        let now = work::read(&cluster.pachd, &cluster.pipelines).await?;
        if now.is_drained() {
            return Ok((now, "no work is running".to_owned()));
        }
        if settings.drain == DrainPolicy::Interrupt {
            events.warn(format!("running work is interrupted: {}", describe(&now)));
            return Ok((now, "running work is interrupted".to_owned()));
        }
        let measure = (now.draining(), now.datums_done);
        if measure != last {
            moved = Instant::now();
            if measure.0 != last.0 {
                events.note(format!("waiting for {}", describe(&now)));
            }
            last = measure;
        }
        let stalled = moved.elapsed() > settings.stall;
        if stalled || began.elapsed() > settings.drain_timeout {
            let why = if stalled { "nothing moved for" } else { "it took longer than" };
            let limit = if stalled { settings.stall } else { settings.drain_timeout };
            return Err(Error::new(
                ErrorKind::Deadline,
                format!("running work did not end ({why} {} s): {}", limit.as_secs(), describe(&now)),
            )
            .advise("try again when less is running, raise drain-timeout or stall, end a job record that an earlier interruption left (`pachctl stop job`, `pachctl delete job`), or set drain = \"interrupt\" to stop pipelines under their jobs"));
        }
        tokio::time::sleep(settings.poll).await;
    }
}

/// Names of the work that ends by itself, the first few of them.
pub(crate) fn describe(work: &Work) -> String {
    let jobs =
        work.draining_jobs.iter().map(|job| format!("job {} of {} ({})", short(&job.id), job.pipeline, job.state));
    let commits = work.draining_commits.iter().map(|commit| format!("commit {}@{}", commit.repo, short(&commit.id)));
    let all: Vec<String> = jobs.chain(commits).collect();
    let shown = all.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
    if all.len() > 5 { format!("{shown} and {} more", all.len() - 5) } else { shown }
}

fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}
