//! A recovery point, from discovery to manifest. Data moves one way: each step takes the last one's value.
//!
//! ```text
//! discover ─► preflight ─► pre-copy ─► undo record ─► pause ─► Paused ─┬─► etcd snapshot ─┐
//!  reads only   (plan and dry run stop here)                           ├─► bucket delta ──┼─► gate ─► resume ─► store
//!                                                                      └─► extract ───────┘   always     │
//!                                                    manifest ◄─ read back ◄─ await ◄─ captured.json ◄───┘
//! ```

mod bucket;
mod capture;
mod captured;
mod cluster_objects;
mod credentials;
mod extract;
mod finish;
mod gate;
mod mirror;
mod movement;
mod place_facts;
mod places;
mod plan;
mod preflight;
mod recount;
mod staging;
mod volume;
mod witness;

use std::sync::Arc;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

pub use captured::Captured;
pub use extract::{ExtractOptions, Extracted, extract_to};
pub use finish::{Finished, finish};
pub use mirror::Superseded;
pub use plan::{Plan, plan};

pub(crate) use bucket::order as clone_order;
pub(crate) use staging::Staging;

use crate::cancel::unless_cancelled;
use crate::cluster::{Cluster, discover};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{EventKind, Events, Step};
use crate::job::{SnapshotSettings, Stores, Target};
use crate::outcome::Failure;
use crate::pause::{self, Hold, Scope, UndoRecord, UndoTools, Undone};
use crate::run_id::RunId;
use crate::vault::RunState;

/// Takes a recovery point.
///
/// Whatever happens after the undo record is written, the cluster is put back before this returns; if that fails,
/// [`Failure::still_paused`] says so and the record stays. `cancel` ends the run at the next await: the undo is not cancelled.
///
/// # Errors
/// [`Failure`] with what went wrong, whether anything was changed, and whether the cluster is as it was.
pub async fn snapshot(
    target: &Target,
    settings: &SnapshotSettings,
    stores: Arc<dyn Stores>,
    events: &Events,
    cancel: CancellationToken,
) -> Result<Finished, Failure> {
    let started = Timestamp::now();
    let run = RunId::new(started);
    events.emit(EventKind::RunStarted { run: run.to_string(), cluster: settings.cluster_name.clone() });

    let prepared = unless_cancelled(&cancel, prepare(target, settings, stores.as_ref(), &run, events)).await;
    let Prepared { cluster, vault, mut clone, volumes, staging, movement, record, warnings } =
        prepared.map_err(Failure::untouched)?;
    let hold = Hold::take(&cluster, record, events).await.map_err(Failure::untouched)?;

    let pause_began = Timestamp::now();
    let while_held = async {
        let paused = pause::pause(&cluster, &hold, Scope::EveryPipeline, settings, events).await?;
        preflight::check_work(&paused.work, settings)?;
        let cut = volume::cut(&cluster, &volumes, settings, &run, events);
        let destination = capture::Destination {
            clone: &clone,
            staging: &staging,
            movement: &movement,
            stall: settings.stall,
            largest_comparison: settings.finish.largest_comparison,
        };
        capture::capture(&cluster, paused, &hold, destination, cut, events).await
    };
    let content = unless_cancelled(&cancel, within(settings.max_pause, while_held)).await;
    let (resumed, pause_ended) = put_back(&cluster, hold, settings, events, pause_began).await;

    if content.is_err() {
        volume::discard(&volumes, &settings.cluster_name, &run, events).await;
    }
    let content = match (content, &resumed) {
        (Ok(content), _) => content,
        (Err(error), _) => {
            clone.give_back().await;
            return Err(Failure::after_undo(error, resumed));
        }
    };
    let witnesses = content.witnesses();
    let stored = async {
        let facts = captured::Facts {
            run: run.clone(),
            started,
            pause_began,
            pause_ended,
            resumed: resumed.as_ref().ok(),
            warnings: &warnings,
            steps: events.steps(),
        };
        let captured = events
            .step(Step::Store, captured::store(&cluster, &vault, settings, content, &staging, facts, events))
            .await?;
        Ok(captured)
    };
    let stored = unless_cancelled(&cancel, stored).await;
    // Held until the vault knows of the clone: so long, nobody may take it for a dead run's.
    clone.give_back().await;
    if stored.is_err() && !volumes.is_empty() && !is_captured(&vault, &run).await {
        volume::discard(&volumes, &settings.cluster_name, &run, events).await;
    }
    let is_stored = stored.is_ok();
    let checked = async {
        let (captured, kubernetes) = (stored?, Some(&cluster.kubernetes));
        let witness =
            finish::check(&vault, &captured, witnesses, kubernetes, stores.as_ref(), &settings.finish, events).await?;
        Ok((captured, witness))
    };
    let committed = match unless_cancelled(&cancel, checked).await {
        Ok((captured, witness)) => finish::commit(&vault, &captured, witness, events).await,
        Err(error) => Err(error),
    };
    match committed {
        Ok(manifest) => Ok(Finished::told(&vault, &run, manifest, resumed.err(), events)),
        Err(error) => {
            let hopeless = matches!(error.kind(), ErrorKind::Incomplete | ErrorKind::Damaged);
            if hopeless {
                volume::discard(&volumes, &settings.cluster_name, &run, events).await;
            }
            let error =
                if is_stored && !hopeless { error.advise(format!("run `pachsnap finish {run}`")) } else { error };
            Err(Failure::after_undo(error, resumed))
        }
    }
}

/// Everything that is ready before the first change to the cluster.
struct Prepared {
    cluster: Cluster,
    vault: crate::vault::Vault,
    clone: bucket::BucketClone,
    volumes: Vec<volume::EtcdVolume>,
    staging: Staging,
    movement: movement::Movement,
    record: UndoRecord,
    warnings: Vec<String>,
}

/// Discovers, checks, copies ahead, and composes the undo record. Changes nothing in the cluster.
async fn prepare(
    target: &Target,
    settings: &SnapshotSettings,
    stores: &dyn Stores,
    run: &RunId,
    events: &Events,
) -> Result<Prepared> {
    let mut cluster = events
        .step(Step::Discover, async {
            let cluster = discover(target, stores, events).await?;
            let summary = format!(
                "pachd {} with {} pipelines, {}",
                cluster.record.pachd_version,
                cluster.pipelines.len(),
                cluster.record.bucket
            );
            Ok::<_, Error>((cluster, summary))
        })
        .await?;
    let checked = events
        .step(Step::Preflight, preflight::preflight(&cluster, settings, stores, preflight::Writes::Allowed))
        .await?;
    for warning in &checked.warnings {
        events.warn(warning.clone());
    }
    let staging = Staging::create(&settings.finish.staging, run)?;
    let movement = movement::Movement::new();
    let told = (events, &movement);
    let clone = bucket::BucketClone::open(&cluster, settings, stores, &checked.vault, run, &staging, told).await?;
    let clone = events.step(Step::PreCopy, clone.pre_copy(&checked.vault, events)).await?;
    let (record, new_warnings) = events
        .step(Step::UndoRecord, async {
            // Hours may have passed since discovery.
            cluster.refresh(target).await?;
            let (loaders, mut warnings) = preflight::check_again(&cluster, settings).await?;
            let record = UndoRecord::of(&cluster, settings, run.as_str(), loaders).await?;
            warnings.extend(pause::check_fence_is_possible(&cluster, settings, &record).await?);
            let summary = format!("{} pipelines, {} services", record.pipelines.len(), record.services.len());
            Ok::<_, Error>(((record, warnings), summary))
        })
        .await?;
    let mut warnings = checked.warnings;
    for warning in new_warnings {
        if !warnings.contains(&warning) {
            events.warn(warning.clone());
            warnings.push(warning);
        }
    }
    Ok(Prepared { cluster, vault: checked.vault, clone, volumes: checked.volumes, staging, movement, record, warnings })
}

/// Whether the vault holds what `pachsnap finish` needs. A vault that can't be asked may hold it.
async fn is_captured(vault: &crate::vault::Vault, run: &RunId) -> bool {
    let runs = vault.list_runs().await;
    runs.map_or(true, |runs| runs.iter().any(|entry| entry.run == *run && entry.state != RunState::Incomplete))
}

/// Puts everything back, whatever happened before. Answers with the end of the pause too.
async fn put_back(
    cluster: &Cluster,
    hold: Hold,
    settings: &SnapshotSettings,
    events: &Events,
    began: Timestamp,
) -> (Result<Undone>, Option<Timestamp>) {
    let undone = pause::put_back(hold, &UndoTools::of(cluster, settings), events).await;
    let ended = undone.is_ok().then(Timestamp::now);
    if let Some(ended) = ended {
        events.emit(EventKind::PauseEnded { seconds: seconds_between(began, ended) });
    }
    (undone, ended)
}

/// `work`, unless the longest pause passes.
async fn within<T>(limit: std::time::Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
        Err(Error::new(ErrorKind::Deadline, format!("the pause reached its limit of {} s", limit.as_secs()))
            .advise("raise max-pause, or run again: the clone's next pass finds less to copy"))
    })
}

/// Seconds from one instant to a later one.
fn seconds_between(from: Timestamp, to: Timestamp) -> f64 {
    crate::event::seconds(to.duration_since(from).unsigned_abs())
}
