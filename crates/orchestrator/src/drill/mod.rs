//! A rehearsal: a recovery point is restored into a scratch cluster that is made for it, looked at, timed, and taken away again.
//!
//! ```text
//! read and check ─► record ─► scratch cluster ─► restore ─► compare with the source ─► verify deep ─► tear down ─► report
//!  reads only                 namespace, bucket                 (when it answers)                     whatever happened
//! ```
//!
//! The record in the vault is written before the first change and deleted after the last, so that what a killed drill left is
//! found and removed by [`cleanup()`], from any machine. Nothing is removed that doesn't carry the drill's name.

mod cleanup;
mod compare_source;
mod plan;
mod record;
mod report;
mod scratch;
mod settings;
mod stores;
mod teardown;
mod timeline;

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

pub use cleanup::cleanup;
pub use plan::DrillPlan;
pub use record::{DrillRecord, left_over};
pub use report::{DrillReport, Objective, StepTime};
pub use settings::{DrillSettings, ScratchBucket};

use self::plan::Prepared;
use self::scratch::Scratch;
use self::stores::ScratchStores;
use self::timeline::Timeline;
use crate::cancel::unless_cancelled;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{EventKind, Events, Step};
use crate::job::{Stores, Target};
use crate::outcome::Failure;
use crate::restore::{RestoreSettings, RestoreSource, Restored, restore};
use crate::run_id::RunId;
use crate::vault::Vault;
use crate::verify::{Check, VerifySettings, verify};

/// Says what a drill would do. Changes nothing.
///
/// # Errors
/// Those that the drill would end with before its first change.
pub async fn plan(
    home: &Target,
    (vault, run): (&Vault, &RunId),
    settings: &DrillSettings,
    stores: &dyn Stores,
    events: &Events,
) -> Result<DrillPlan> {
    Prepared::read(home, (vault, run), settings, stores, events).await.map(|prepared| prepared.plan(settings))
}

/// Restores a recovery point into a scratch cluster, checks and times everything, and takes the scratch cluster away.
///
/// `home` is where the scratch cluster gets its namespace; if the recovery point's own cluster is there, what comes back is
/// compared with it. `cancel` ends the drill at the next await; the scratch cluster is taken away also then.
///
/// # Errors
/// [`Failure`] before the first change. From then on every end is a [`DrillReport`], which says what did not pass.
pub async fn drill(
    home: &Target,
    (vault, run): (&Vault, &RunId),
    settings: &DrillSettings,
    stores: Arc<dyn Stores>,
    events: &Events,
    cancel: CancellationToken,
) -> Result<DrillReport, Failure> {
    let (started, began) = (Timestamp::now(), Instant::now());
    let prepared = Prepared::read(home, (vault, run), settings, stores.as_ref(), events);
    let prepared = unless_cancelled(&cancel, prepared).await.map_err(Failure::untouched)?;
    let record = prepared.record(settings, started);
    events.emit(EventKind::RunStarted { run: record.drill.to_string(), cluster: vault.cluster().to_owned() });
    prepared.plan(settings).lines().into_iter().for_each(|line| events.note(line));
    record.write(stores.as_ref(), &settings.restore.vault).await.map_err(Failure::untouched)?;

    let timeline = Timeline::default();
    let timed = timeline.listen(events);
    let mut report = DrillReport::begin(&record, &prepared.manifest, settings, started);
    let rehearsal =
        Rehearsal { home, vault, run, record: &record, prepared: &prepared, settings, stores, events: &timed };
    if let Err(error) = unless_cancelled(&cancel, rehearsal.go(&mut report, began, &cancel)).await {
        report.fail(&error);
    }
    if settings.keep {
        report.keep(&record);
    } else {
        let torn_down = teardown::tear_down(home, &record, rehearsal.stores.as_ref(), settings, &timed).await;
        report.torn_down(torn_down, &record);
    }
    report.end(timeline.steps());
    Ok(report)
}

/// Everything between the record and the teardown.
struct Rehearsal<'a> {
    home: &'a Target,
    vault: &'a Vault,
    run: &'a RunId,
    record: &'a DrillRecord,
    prepared: &'a Prepared,
    settings: &'a DrillSettings,
    stores: Arc<dyn Stores>,
    events: &'a Events,
}

impl Rehearsal<'_> {
    async fn go(&self, report: &mut DrillReport, began: Instant, cancel: &CancellationToken) -> Result<()> {
        let Self { home, record, prepared, settings, events, .. } = *self;
        let scratch = Scratch { home, record, prepared, settings };
        let target = events.step(Step::ScratchCluster, scratch.make(self.stores.as_ref(), events)).await?;
        let restored = self.bring_back(&target, cancel).await?;
        report.restored(began.elapsed(), &restored);
        // Where the stream turned auth on, nothing but this gives access.
        let token = restored.root_token.as_ref().map(|root| root.token.secret().to_owned());
        let target = Target { token: token.or(target.token.clone()), ..target };
        let compare = compare_source::compare(home, &target, prepared);
        report.check(events.step(Step::CompareSource, compare).await?);
        let deep = VerifySettings::Deep(settings.deep.clone());
        let kubernetes = Some(&home.kubernetes);
        let verified = verify(self.vault, self.run, kubernetes, self.stores.as_ref(), &deep, events).await?;
        verified.checks.into_iter().for_each(|check| report.check(check));
        Ok(())
    }

    /// Restores into the scratch cluster, exactly as into any other.
    async fn bring_back(&self, target: &Target, cancel: &CancellationToken) -> Result<Restored> {
        let source = RestoreSource::Point(self.vault.clone(), self.run.clone(), self.settings.from);
        let stores = ScratchStores { all: Arc::clone(&self.stores), scratch: self.prepared.bucket.clone() };
        // Both go with the drill; the token gives access to a cluster that does so too.
        let (state, all) = (self.record.prefix(), &self.settings.restore);
        let root_token_file = all.staging.join(&state).join("root-token");
        let settings = RestoreSettings { state, root_token_file, ..all.clone() };
        let restored = restore(target, &source, &settings, Arc::new(stores), self.events, cancel.clone()).await;
        restored.map_err(|failure| failure.error)
    }
}

/// A check that did not pass, for an error of a step.
fn failed_check(name: &str, error: &Error) -> Check {
    let why = crate::error::chain(error);
    match (error.kind(), error.advice()) {
        (ErrorKind::Cancelled, _) | (_, None) => Check::failed(name, why),
        (_, Some(advice)) => Check::failed(name, format!("{why} ({advice})")),
    }
}
