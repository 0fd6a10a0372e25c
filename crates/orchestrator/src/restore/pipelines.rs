//! Starting what ran at the source before its pause, upstream first, and nothing else.

use std::collections::BTreeSet;
use std::time::Instant;

use jiff::Timestamp;
use pachyderm::client::{Client, History, Unreadable};
use pachyderm::proto::pps::{Input, PipelineState};
use serde::Serialize;

use super::RestoreSettings;
use super::cron::Schedule;
use crate::cluster::{pachd_error, work};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Events;
use crate::manifest::Manifest;

/// What became of pipelines that ran at the source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Started {
    /// Started, in this order.
    pub started: Vec<String>,
    /// Left paused, and why.
    pub left_paused: Vec<(String, String)>,
}

/// Names of pipelines that ran at the source before its pause.
pub(super) fn ran(manifest: &Manifest) -> BTreeSet<String> {
    let ran = manifest.pipelines.iter().filter(|pipeline| pipeline.stopped_by_run);
    ran.map(|pipeline| pipeline.name.clone()).collect()
}

/// Starts these pipelines, upstream first, except for those whose clock has missed too many ticks, and waits until each has
/// left its pause.
///
/// # Errors
/// Those of pachd; `Deadline` when a pipeline stays paused.
pub(super) async fn start(
    pachd: &Client,
    ran: &BTreeSet<String>,
    captured: Timestamp,
    settings: &RestoreSettings,
    events: &Events,
) -> Result<(Started, String)> {
    let failed = |what: &'static str| move |error| pachd_error(what, error);
    let infos = pachd.list_pipeline(History::Current, Unreadable::Refuse).await.map_err(failed("listing pipelines"))?;
    let now = Timestamp::now();
    let mut outcome = Started::default();
    for pipeline in work::pipelines(pachd).await?.into_iter().filter(|pipeline| ran.contains(&pipeline.name)) {
        let info = infos.iter().find(|info| info.pipeline.as_ref().is_some_and(|it| it.name == pipeline.name));
        let input = info.and_then(|info| info.input.as_ref());
        if let Some(why) = input.and_then(|input| too_many_ticks(input, captured, now, settings.max_missed_ticks)) {
            events.warn(format!("pipeline {} stays paused: {why}", pipeline.name));
            outcome.left_paused.push((pipeline.name, why));
            continue;
        }
        let start = pachd.start_pipeline(&pipeline.name);
        let started = events.change("start", format!("pipeline {}", pipeline.name), start).await;
        started.map_err(|error| pachd_error(&format!("starting pipeline {}", pipeline.name), error))?;
        // An answer is no proof: pachd ignores the error of the step that counts.
        let info = pachd.inspect_pipeline(&pipeline.name).await.map_err(failed("reading a pipeline back"))?;
        if info.stopped {
            return Err(Error::new(ErrorKind::Failed, format!("pachd did not start pipeline {}", pipeline.name))
                .advise("see pachd's log, then `pachctl start pipeline`"));
        }
        outcome.started.push(pipeline.name);
    }
    wait_until_awake(pachd, &outcome.started, settings).await?;
    let text = format!("{} started, {} left paused", outcome.started.len(), outcome.left_paused.len());
    Ok((outcome, text))
}

async fn wait_until_awake(pachd: &Client, names: &[String], settings: &RestoreSettings) -> Result<()> {
    let is_asleep =
        |state: i32| [PipelineState::Paused, PipelineState::Restarting].iter().any(|it| *it as i32 == state);
    let (mut last, mut moved) = (usize::MAX, Instant::now());
    loop {
        let now = work::pipelines(pachd).await?;
        let asleep = now.iter().filter(|pipeline| names.contains(&pipeline.name) && is_asleep(pipeline.state));
        let asleep: Vec<&str> = asleep.map(|pipeline| pipeline.name.as_str()).collect();
        if asleep.is_empty() {
            return Ok(());
        }
        if asleep.len() < last {
            (last, moved) = (asleep.len(), Instant::now());
        }
        if moved.elapsed() > settings.stall {
            let message = format!("pipelines were started and are still paused: {}", asleep.join(", "));
            return Err(Error::new(ErrorKind::Deadline, message)
                .advise("pachd's master starts them: see pachd's log and `kubectl get pods`"));
        }
        tokio::time::sleep(settings.poll).await;
    }
}

/// Why a pipeline should not be started by itself, if its clock says so.
fn too_many_ticks(input: &Input, captured: Timestamp, now: Timestamp, most: u64) -> Option<String> {
    let mut nested = [&input.cross, &input.union, &input.join, &input.group].into_iter().flatten();
    if let Some(why) = nested.find_map(|input| too_many_ticks(input, captured, now, most)) {
        return Some(why);
    }
    let cron = input.cron.as_ref()?;
    let Some(schedule) = Schedule::parse(&cron.spec) else {
        return Some(format!("how many ticks {:?} has missed can't be told", cron.spec));
    };
    let ticks = schedule.ticks(captured, now, most);
    (ticks > most).then(|| {
        let more = if matches!(schedule, Schedule::Every(_)) { "" } else { "at least " };
        format!(
            "{:?} has missed {more}{ticks} ticks, and each becomes a commit; more than {most} are not started",
            cron.spec
        )
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use pachyderm::proto::pps::CronInput;

    use super::*;

    #[test]
    fn a_clock_that_missed_too_much_is_left_alone_wherever_it_stands() {
        let clock = |spec: &str| Input {
            cross: vec![Input {
                cron: Some(CronInput { spec: spec.to_owned(), ..CronInput::default() }),
                ..Input::default()
            }],
            ..Input::default()
        };
        let captured: Timestamp = "2024-01-01T00:00:00Z".parse().unwrap();
        let now: Timestamp = "2024-01-02T00:00:00Z".parse().unwrap();
        let why = |spec: &str| too_many_ticks(&clock(spec), captured, now, 100);
        assert!(why("* * * * *").unwrap().contains("has missed at least"));
        assert!(why("@every 10m").unwrap().contains("has missed 144 ticks"));
        assert!(why("whenever").unwrap().contains("can't be told"));
        assert_eq!(why("@hourly"), None);
        assert_eq!(too_many_ticks(&Input::default(), captured, now, 0), None);
    }
}
