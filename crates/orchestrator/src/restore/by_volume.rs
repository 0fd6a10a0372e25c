//! The path by the disk's snapshot: a new volume under the target's etcd, held against etcd's own snapshot, and pachd on it.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;

use super::cluster_compare::{self, Fidelity};
use super::record::{DiskRecord, NAME, RestoreRecord};
use super::stage::{Stage, Stages};
use super::{Prepared, RestoreFrom, RestoreSettings, Restored, pachd, plan, record, start_pipelines, volume};
use crate::cluster::connect_pachd;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Events, Step};
use crate::job::Target;

/// Restores what is on the recovery point's snapshot of etcd's disk. The target's bucket is filled.
pub(super) async fn restore(
    target: &Target,
    prepared: &Prepared,
    stages: &Stages,
    settings: &RestoreSettings,
    events: &Events,
) -> Result<Restored> {
    let Prepared { point, stream, look, checked, .. } = prepared;
    let missing = || Error::new(ErrorKind::Failed, "which disk goes where was not found out");
    let chosen = checked.volume.as_ref().ok_or_else(missing)?;
    let maps: Api<ConfigMap> = Api::namespaced(target.kubernetes.clone(), &target.namespace);
    let mut record = RestoreRecord::of(look, point.run.as_str(), RestoreFrom::Volume);
    let disk = record.disk.get_or_insert_with(|| DiskRecord {
        workload: chosen.workload.describe(),
        replicas: chosen.workload.replicas,
        volume_before: chosen.volume.clone(),
        replaced: false,
        complete: false,
    });
    let kept = disk.volume_before.clone();
    if !disk.complete {
        stages.enter(if disk.replaced { Stage::Replacing } else { Stage::Stopping });
        events.change("create", format!("ConfigMap {NAME}"), record::write(&maps, &record, settings)).await?;
        events.step(Step::StopPachd, pachd::stop(&look.ground, settings, events)).await?;
        if let Some(before) = &kept {
            // Before etcd goes: a StatefulSet may delete the claims of pods that it no longer wants.
            let keep = volume::keep_volume(target, before, settings);
            events.change("keep", format!("PersistentVolume {before}"), keep).await?;
        }
        events.step(Step::StopEtcd, volume::stop(target, &chosen.workload, settings, events)).await?;
        note(&maps, &mut record, settings, |disk| disk.replaced = true).await?;
        stages.enter(Stage::Replacing);
        events.step(Step::ReplaceVolume, volume::replace(target, chosen, settings, events)).await?;
        let start = volume::start(target, prepared, chosen, settings, events);
        let client = events.step(Step::StartEtcd, start).await?;
        let compare = volume::compare(&client, checked.content.as_ref(), &look.ground.etcd_prefix);
        events.step(Step::CheckEtcd, compare).await?;
        note(&maps, &mut record, settings, |disk| disk.complete = true).await?;
    }
    stages.enter(Stage::Starting);
    let start = pachd::start(target, &look.ground, record.replicas, settings, events);
    events.step(Step::StartPachd, start).await?;
    let client_of_pachd = connect_pachd(target).await?;
    let compare = cluster_compare::compare(&client_of_pachd, stream, Some(&point.manifest.checkpoint), Fidelity::Exact);
    events.step(Step::CheckTarget, compare).await?;
    let imported = provider::SnapshotId(chosen.identity.clone());
    let forget = chosen.opened.snapshots.forget(&imported);
    events.change("delete", format!("what stands for snapshot {}", chosen.artifact.snapshot), forget).await?;
    events.change("delete", format!("ConfigMap {NAME}"), record::delete(&maps, settings)).await?;
    stages.enter(Stage::Restored);
    let pipelines = start_pipelines(&client_of_pachd, prepared, settings, events).await?;
    let mut warnings = vec![plan::SHARED.to_owned()];
    warnings.extend(kept.map(|kept| {
        format!("PersistentVolume {kept}, which the target's etcd had before, is kept (policy Retain): delete it when nobody needs it")
    }));
    Ok(Restored {
        point: point.run.to_string(),
        from: RestoreFrom::Volume,
        filled: None,
        replayed: None,
        pipelines,
        checkpoint: Some(point.manifest.checkpoint.clone()),
        root_token: None,
        not_back: plan::not_back(RestoreFrom::Volume),
        warnings,
    })
}

/// Notes how far the disk is, where any machine finds it.
async fn note(
    maps: &Api<ConfigMap>,
    record: &mut RestoreRecord,
    settings: &RestoreSettings,
    change: impl FnOnce(&mut DiskRecord),
) -> Result<()> {
    if let Some(disk) = &mut record.disk {
        change(disk);
    }
    record::replace(maps, record, settings).await
}
