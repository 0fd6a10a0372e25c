//! The path by etcd's snapshot: pachd stopped, its etcd filled and compared key by key, pachd started on it.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;

use super::cluster_compare::{self, Fidelity};
use super::record::{NAME, RestoreRecord};
use super::stage::{Stage, Stages};
use super::{Prepared, RestoreFrom, RestoreSettings, Restored, etcd, pachd, plan, record, start_pipelines};
use crate::cluster::connect_pachd;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Events, Step};
use crate::job::Target;

/// Restores what the recovery point's etcd snapshot holds. The target's bucket is filled.
pub(super) async fn restore(
    target: &Target,
    prepared: &Prepared,
    stages: &Stages,
    settings: &RestoreSettings,
    events: &Events,
) -> Result<Restored> {
    let Prepared { point, stream, look, checked, .. } = prepared;
    let missing = || Error::new(ErrorKind::Failed, "the recovery point's etcd snapshot was not read");
    let content = checked.content.as_ref().ok_or_else(missing)?;
    let (client, run) = (look.etcd()?, point.run.as_str());
    let maps: Api<ConfigMap> = Api::namespaced(target.kubernetes.clone(), &target.namespace);
    let record = RestoreRecord::of(look, run, RestoreFrom::Etcd);
    let is_complete = checked.marker.as_ref().is_some_and(|marker| marker.complete);
    let mut filled = etcd::Filled::default();
    if !is_complete {
        // A pachd on a half-filled etcd would be stopped for good, whoever stops it.
        stages.enter(if checked.marker.is_some() { Stage::Filling } else { Stage::Stopping });
        events.change("create", format!("ConfigMap {NAME}"), record::write(&maps, &record, settings)).await?;
        events.step(Step::StopPachd, pachd::stop(&look.ground, settings, events)).await?;
        // Only now nobody writes to it any more.
        etcd::ensure_empty(client, &look.ground.etcd_prefix, content, run).await?;
        stages.enter(Stage::Filling);
        let fill = async {
            let filled = etcd::fill(client, content, run, settings.stall, events).await?;
            let text =
                format!("{} keys in {} transactions, {} leases", filled.keys, filled.transactions, filled.leases);
            Ok::<_, Error>((filled, text))
        };
        filled = events.step(Step::FillEtcd, fill).await?;
        events.step(Step::CheckEtcd, compare(client, content)).await?;
        let marker = etcd::marker_of(client)
            .await?
            .ok_or_else(|| Error::new(ErrorKind::Disturbed, "somebody deleted the marker from the target's etcd"))?;
        etcd::complete(client, &marker).await?;
    }
    stages.enter(Stage::Starting);
    let start = pachd::start(target, &look.ground, record.replicas, settings, events);
    events.step(Step::StartPachd, start).await?;
    let client_of_pachd = connect_pachd(target).await?;
    let compare = cluster_compare::compare(&client_of_pachd, stream, Some(&point.manifest.checkpoint), Fidelity::Exact);
    events.step(Step::CheckTarget, compare).await?;
    events.change("delete", format!("ConfigMap {NAME}"), record::delete(&maps, settings)).await?;
    etcd::forget(client).await?;
    stages.enter(Stage::Restored);
    let pipelines = start_pipelines(&client_of_pachd, prepared, settings, events).await?;
    Ok(Restored {
        point: run.to_owned(),
        from: RestoreFrom::Etcd,
        filled: Some(filled),
        replayed: None,
        pipelines,
        checkpoint: Some(point.manifest.checkpoint.clone()),
        root_token: None,
        not_back: plan::not_back(RestoreFrom::Etcd),
        warnings: vec![plan::SHARED.to_owned()],
    })
}

/// Every key is there with its value and its lease, nothing else is, and the order is the source's.
async fn compare(client: &pachyderm::etcd::EtcdClient, content: &etcd::Content) -> Result<((), String)> {
    let found = etcd::compare(client, content).await?;
    if found.count == 0 {
        return Ok(((), format!("{} keys are as in the snapshot, in its order", found.keys)));
    }
    let message =
        format!("the target's etcd differs from the snapshot in {} keys: {}", found.count, found.first.join(", "));
    Err(Error::new(ErrorKind::Incomplete, message).advise(
        "somebody else writes to it: stop whatever does, give the target a new, empty etcd, and run the same command",
    ))
}
