//! Stopping etcd, starting it on another disk, and holding what it finds there against the recovery point.

use std::time::Instant;

use pachyderm::etcd::EtcdClient;

use super::super::etcd::{self, Content};
use super::super::look::Look;
use super::super::pods::{Writers, until_gone};
use super::super::{Prepared, RestoreSettings};
use super::Chosen;
use crate::cluster::EtcdWorkload;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Events;
use crate::job::Target;
use crate::pause::Patience;

/// The root key that tells whose data it is.
const CLUSTER_ID: &[u8] = b"cluster-id";

/// Takes etcd to no pods, and waits until none is left: two etcds on one disk would ruin it.
///
/// # Errors
/// Those of Kubernetes; `Deadline` when pods stay.
pub(in crate::restore) async fn stop(
    target: &Target,
    workload: &EtcdWorkload,
    settings: &RestoreSettings,
    events: &Events,
) -> Result<((), String)> {
    scale(workload, 0, settings, events).await?;
    let writers = Writers { of: "etcd", labels: &workload.pods, to: "the disk" };
    until_gone(&target.kubernetes, &target.namespace, writers, settings).await
}

/// Starts etcd on its new disk, and waits until it serves the source's data.
///
/// # Errors
/// `Incomplete` when it serves another cluster's; `Deadline` when it does not come up; those of Kubernetes.
pub(in crate::restore) async fn start(
    target: &Target,
    prepared: &Prepared,
    chosen: &Chosen,
    settings: &RestoreSettings,
    events: &Events,
) -> Result<(EtcdClient, String)> {
    if !chosen.is_one_of_several {
        let client = start_once(target, prepared, chosen, settings, events).await?;
        return Ok((client, "etcd serves the source's data".to_owned()));
    }
    // A disk of one of several members knows the others, and would wait for them.
    let workload = &chosen.workload;
    events
        .change("set", format!("ETCD_FORCE_NEW_CLUSTER of {}", workload.describe()), workload.force_new_cluster(true))
        .await?;
    start_once(target, prepared, chosen, settings, events).await?;
    stop(target, workload, settings, events).await?;
    let unset = workload.force_new_cluster(false);
    events.change("remove", format!("ETCD_FORCE_NEW_CLUSTER of {}", workload.describe()), unset).await?;
    let client = start_once(target, prepared, chosen, settings, events).await?;
    Ok((client, "etcd serves the source's data, as a cluster of one member".to_owned()))
}

async fn start_once(
    target: &Target,
    prepared: &Prepared,
    chosen: &Chosen,
    settings: &RestoreSettings,
    events: &Events,
) -> Result<EtcdClient> {
    scale(&chosen.workload, 1, settings, events).await?;
    let Look { ground, .. } = &prepared.look;
    let expected = &prepared.point.manifest.cluster.cluster_id;
    let began = Instant::now();
    loop {
        let answer = async {
            let client = ground.connect_etcd(target).await?;
            let id = client.get(CLUSTER_ID).await.map_err(|error| etcd::failed("reading cluster-id", error))?;
            Ok::<_, Error>((client, id.map(|kv| String::from_utf8_lossy(&kv.value).into_owned())))
        };
        let error = match answer.await {
            Ok((client, Some(id))) if id == *expected => return Ok(client),
            Ok((_, id)) => {
                let found = id.map_or("no cluster's data".to_owned(), |id| format!("the data of cluster {id}"));
                let message = format!("etcd found {found} on its new disk, not that of cluster {expected}");
                return Err(Error::new(ErrorKind::Incomplete, message).advise(
                    "the snapshot is not the recovery point's, or not of etcd's disk: restore with --from etcd",
                ));
            }
            Err(error) => error,
        };
        if began.elapsed() > settings.stall {
            let limit = settings.stall.as_secs();
            return Err(Error::new(ErrorKind::Deadline, format!("etcd does not answer {limit} s after its start"))
                .because(error)
                .advise(format!("see `kubectl get pods -l {}` and its log", chosen.workload.pods)));
        }
        tokio::time::sleep(settings.poll).await;
    }
}

/// Gives etcd this number of pods.
///
/// # Errors
/// Those of Kubernetes, after patience.
pub(in crate::restore) async fn scale(
    workload: &EtcdWorkload,
    replicas: i32,
    settings: &RestoreSettings,
    events: &Events,
) -> Result<()> {
    let mut patience = Patience::new(settings.stall, settings.poll);
    let scaled = patience.call(|| workload.scale(replicas));
    events.change("scale", format!("{} to {replicas}", workload.describe()), scaled).await
}

/// Holds every key on the disk against etcd's own snapshot, where the recovery point has one.
///
/// # Errors
/// `Incomplete` naming keys; those of etcd.
pub(in crate::restore) async fn compare(
    client: &EtcdClient,
    content: Option<&Content>,
    prefix: &str,
) -> Result<((), String)> {
    let Some(content) = content else {
        return Ok(((), "not compared: the recovery point has no snapshot of etcd itself".to_owned()));
    };
    let found = etcd::compare_disk(client, content, prefix).await?;
    if found.count == 0 {
        return Ok(((), format!("{} keys on the disk are as in etcd's own snapshot", found.keys)));
    }
    let message =
        format!("the disk differs from etcd's own snapshot in {} keys: {}", found.count, found.first.join(", "));
    Err(Error::new(ErrorKind::Incomplete, message)
        .advise("both were taken in one pause, so one of them is damaged: see `pachsnap verify --deep`, and restore with --from etcd"))
}
