//! A cluster from a recovery point. Data moves one way: each step takes the last one's value.
//!
//! ```text
//! read and verify ─► look at target ─► preflight ─► fill bucket ─► compare ─┬─► stop both ─► new disk ─► compare ─► start ──┐
//!                    reads only      (the plan ends here)                   ├─► stop pachd ─► fill etcd ─► compare ─► start ─┤
//!                                                                            ├─► replay the metadata stream ─────────────────┤
//!                                                                            start pipelines ◄─ compare with the manifest ◄─┘
//! ```
//!
//! Nothing in use is ever written to: the target is a new deployment with a bucket of its own. A run that dies is gone on with
//! by the same command, from any machine; where that can't be, it says what to wipe.

mod bucket;
mod by_etcd;
mod by_metadata;
mod by_volume;
mod cluster_compare;
mod cron;
pub mod etcd;
mod keys_between;
mod look;
mod metadata;
mod outcome;
mod pachd;
mod pipelines;
mod plan;
mod pods;
mod point;
mod preflight;
mod presence;
mod record;
mod settings;
mod stage;
pub(crate) mod stream_content;
mod stream_only;
mod volume;

use std::sync::Arc;

use pachyderm::client::Client;
use tokio_util::sync::CancellationToken;

pub use metadata::Replayed;
pub use outcome::{Restored, RootToken};
pub use pipelines::Started;
pub use plan::RestorePlan;
pub use settings::{RestoreFrom, RestoreSettings, RestoreSource};

use self::keys_between::KeysBetween;
use self::look::Look;
use self::point::Point;
use self::preflight::Checked;
use self::stage::{Stage, Stages};
use self::stream_content::StreamContent;
use crate::cancel::unless_cancelled;
use crate::error::Result;
use crate::event::{EventKind, Events, Step};
use crate::job::{Stores, Target};
use crate::outcome::Failure;
use crate::pause::LeaseHold;
use crate::run_id::RunId;
use crate::vault::Vault;

/// Everything that is ready before the first change.
struct Prepared {
    point: Point,
    stream: StreamContent,
    look: Look,
    checked: Checked,
    plan: RestorePlan,
}

/// Says what a restore would do. Changes nothing in the target.
///
/// # Errors
/// Those that the restore would end with before its first change.
pub async fn plan(
    target: &Target,
    source: (&Vault, &RunId, RestoreFrom),
    settings: &RestoreSettings,
    stores: &dyn Stores,
    events: &Events,
) -> Result<RestorePlan> {
    prepare(target, source, settings, stores, events).await.map(|prepared| prepared.plan)
}

/// Restores a cluster.
///
/// `cancel` ends the run at the next await. What was done stays, since the same command goes on from there; only a pachd that
/// was stopped while its etcd is still untouched is started again.
///
/// # Errors
/// [`Failure`] with what went wrong, and in which state the target is left.
pub async fn restore(
    target: &Target,
    source: &RestoreSource,
    settings: &RestoreSettings,
    stores: Arc<dyn Stores>,
    events: &Events,
    cancel: CancellationToken,
) -> Result<Restored, Failure> {
    let (vault, run, from) = match source {
        RestoreSource::Point(vault, run, from) => (vault, run, *from),
        RestoreSource::Stream(path) => {
            return stream_only::restore(target, path, settings, stores.as_ref(), events, cancel).await;
        }
    };
    events.emit(EventKind::RunStarted { run: run.to_string(), cluster: vault.cluster().to_owned() });
    let prepared = prepare(target, (vault, run, from), settings, stores.as_ref(), events);
    let prepared = unless_cancelled(&cancel, prepared).await.map_err(Failure::untouched)?;
    prepared.plan.lines().into_iter().for_each(|line| events.note(line));
    let stages = Stages::default();
    let holder = format!("restore-of-{run}-{}", &uuid::Uuid::new_v4().simple().to_string()[..6]);
    let lease = LeaseHold::take(&target.kubernetes, &target.namespace, holder, events);
    let lease = unless_cancelled(&cancel, lease).await.map_err(Failure::untouched)?;

    let work = async {
        fill_bucket(&prepared, &stages, settings, stores.as_ref(), events).await?;
        lease.check().await?;
        match from {
            RestoreFrom::Volume => by_volume::restore(target, &prepared, &stages, settings, events).await,
            RestoreFrom::Etcd => by_etcd::restore(target, &prepared, &stages, settings, events).await,
            RestoreFrom::Metadata => by_metadata::restore(target, &prepared, &stages, settings, events).await,
        }
    };
    let ended = unless_cancelled(&cancel, work).await;
    let ended = match ended {
        Ok(restored) => Ok(restored),
        Err(error) => Err(stages.failure(error, target, &prepared.look, settings, events).await),
    };
    lease.give_back(events).await;
    let restored = ended?;
    events.emit(EventKind::Restored { point: run.to_string(), from: from.as_str().to_owned() });
    Ok(restored)
}

/// Reads the recovery point, looks at the target, and refuses what can't work. Changes nothing.
async fn prepare(
    target: &Target,
    (vault, run, from): (&Vault, &RunId, RestoreFrom),
    settings: &RestoreSettings,
    stores: &dyn Stores,
    events: &Events,
) -> Result<Prepared> {
    let point = Point::read(vault, run, stores, &settings.staging, events).await?;
    let stream = stream_content::read(&point.stream).await?;
    let look = events.step(Step::Discover, Look::at(target, stores, run.as_str(), from, events)).await?;
    let checked = preflight::preflight(&point, &stream, &look, from, settings, stores);
    let checked = events.step(Step::Preflight, checked).await?;
    let plan = RestorePlan::of(&point, &stream, &look, &checked, from, settings);
    Ok(Prepared { point, stream, look, checked, plan })
}

/// Fills the target's bucket, and proves that it holds what the recovery point names.
async fn fill_bucket(
    prepared: &Prepared,
    stages: &Stages,
    settings: &RestoreSettings,
    stores: &dyn Stores,
    events: &Events,
) -> Result<()> {
    let Prepared { point, look, checked, .. } = prepared;
    let disk = look.left.as_ref().and_then(|left| left.disk.as_ref());
    if checked.marker.as_ref().is_some_and(|marker| marker.complete) || disk.is_some_and(|disk| disk.complete) {
        // Its pachd may have run since, and written there.
        return Ok(());
    }
    let keys: &KeysBetween = &checked.keys;
    stages.enter(Stage::Bucket);
    let fill = bucket::fill(point, &look.ground, keys, stores, settings, events);
    let copied = events.step(Step::FillBucket, fill).await?;
    events.step(Step::CheckBucket, bucket::compare(point, &look.ground, keys, &copied)).await
}

/// Starts the pipelines that ran at the source, if that is asked for.
async fn start_pipelines(
    pachd: &Client,
    prepared: &Prepared,
    settings: &RestoreSettings,
    events: &Events,
) -> Result<Started> {
    let manifest = &prepared.point.manifest;
    let ran = pipelines::ran(manifest);
    if !settings.start_pipelines {
        let why = "they come back paused; --start-pipelines starts them".to_owned();
        let left_paused = ran.into_iter().map(|name| (name, why.clone())).collect();
        return Ok(Started { started: Vec::new(), left_paused });
    }
    let start = pipelines::start(pachd, &ran, manifest.captured, settings, events);
    events.step(Step::Pipelines, start).await
}
