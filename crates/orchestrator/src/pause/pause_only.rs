//! `pachsnap pause`: brings a cluster to rest and leaves it there, until `pachsnap resume`.

use tokio_util::sync::CancellationToken;

use super::put_back::put_back;
use super::undo::UndoTools;
use super::{Hold, Paused, Scope, UndoRecord, check_fence_is_possible, pause, read_loaders};
use crate::cancel::unless_cancelled;
use crate::cluster::rights::Rights;
use crate::cluster::{Cluster, discover};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Events, Step};
use crate::job::{SnapshotSettings, Stores, Target};
use crate::outcome::Failure;
use crate::run_id::RunId;

/// Brings the cluster to rest and leaves it there. With names, only these pipelines are stopped.
///
/// # Errors
/// [`Failure`]: when the cluster could not be brought to rest it was put back, unless the failure says otherwise.
pub async fn pause_only(
    target: &Target,
    settings: &SnapshotSettings,
    stores: &dyn Stores,
    pipelines: &[String],
    events: &Events,
    cancel: CancellationToken,
) -> Result<Paused, Failure> {
    let run = RunId::new(jiff::Timestamp::now());
    let (cluster, record) =
        unless_cancelled(&cancel, prepare(target, settings, stores, pipelines, &run, events)).await?;
    let hold = Hold::take(&cluster, record, events).await?;
    let scope = if pipelines.is_empty() { Scope::EveryPipeline } else { Scope::Chosen };
    let limited = async {
        let paused = tokio::time::timeout(settings.max_pause, pause(&cluster, &hold, scope, settings, events)).await;
        paused.unwrap_or_else(|_| Err(Error::new(ErrorKind::Deadline, "max-pause passed")))
    };
    let error = match unless_cancelled(&cancel, limited).await {
        Ok(paused) => {
            hold.leave(events).await;
            return Ok(paused);
        }
        Err(error) => error,
    };
    let undone = put_back(hold, &UndoTools::of(&cluster, settings), events).await;
    Err(Failure::after_undo(error, undone))
}

async fn prepare(
    target: &Target,
    settings: &SnapshotSettings,
    stores: &dyn Stores,
    pipelines: &[String],
    run: &RunId,
    events: &Events,
) -> Result<(Cluster, UndoRecord)> {
    let mut cluster = events
        .step(Step::Discover, async {
            let cluster = discover(target, stores, events).await?;
            let summary = format!("{} pipelines", cluster.pipelines.len());
            Ok::<_, Error>((cluster, summary))
        })
        .await?;
    Rights::of_pause(cluster.namespace(), settings.fence, &settings.loaders).check(&cluster.kubernetes).await?;
    let loaders = read_loaders(&cluster.kubernetes, cluster.namespace(), &settings.loaders).await?;
    if !pipelines.is_empty() {
        restrict(&mut cluster, pipelines)?;
    }
    let record = UndoRecord::of(&cluster, settings, run.as_str(), loaders).await?;
    for warning in check_fence_is_possible(&cluster, settings, &record).await? {
        events.warn(warning);
    }
    Ok((cluster, record))
}

/// Only the named pipelines are looked at; a name that nobody has is an error.
fn restrict(cluster: &mut Cluster, names: &[String]) -> Result<()> {
    if let Some(unknown) = names.iter().find(|name| !cluster.pipelines.iter().any(|one| one.name == **name)) {
        return Err(Error::new(ErrorKind::NotFound, format!("there is no pipeline {unknown:?}"))
            .advise("`pachctl list pipeline` shows them"));
    }
    cluster.pipelines.retain(|pipeline| names.contains(&pipeline.name));
    Ok(())
}
