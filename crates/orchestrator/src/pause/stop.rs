//! Stopping pipelines: an answer of OK proves nothing, so everything is read back, to the last worker pod.

use std::time::Instant;

use futures::TryStreamExt;
use k8s_openapi::api::core::v1::{Pod, ReplicationController};
use kube::Api;
use kube::api::{ListParams, ObjectMeta};

use super::{Hold, Scope};
use crate::cluster::{Cluster, Work, pachd_error, work};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Events;
use crate::job::{DrainPolicy, SnapshotSettings};

/// How often a stop that was answered with OK and did not happen is sent again.
const ATTEMPTS: usize = 3;

/// Stops what runs, and waits until it is at rest: states, worker controllers, worker pods.
pub(super) async fn stop(
    cluster: &Cluster,
    hold: &Hold,
    scope: Scope,
    settings: &SnapshotSettings,
    events: &Events,
) -> Result<((), String)> {
    let names: Vec<&str> = hold
        .record()
        .pipelines
        .iter()
        .filter(|pipeline| pipeline.to_stop)
        .map(|pipeline| pipeline.name.as_str())
        .collect();
    futures::stream::iter(names.iter().map(|name| Ok::<&str, Error>(name)))
        .try_for_each_concurrent(settings.pipeline_parallelism.max(1), |name| stop_one(cluster, hold, name, events))
        .await?;
    wait_for_rest(cluster, scope, settings, events).await?;
    Ok(((), format!("{} pipelines stopped", names.len())))
}

async fn stop_one(cluster: &Cluster, hold: &Hold, name: &str, events: &Events) -> Result<()> {
    for _ in 0..ATTEMPTS {
        hold.check().await?;
        let sent = events.change("stop", format!("pipeline {name}"), cluster.pachd.stop_pipeline(name)).await;
        let info = cluster
            .pachd
            .inspect_pipeline(name)
            .await
            .map_err(|error| pachd_error(&format!("reading back pipeline {name}"), error))?;
        if info.stopped {
            return Ok(());
        }
        if let Err(error) = sent
            && !error.retry_helps()
        {
            return Err(pachd_error(&format!("stopping pipeline {name}"), error));
        }
    }
    Err(Error::new(
        ErrorKind::Failed,
        format!("pipeline {name} does not stop: pachd answers OK, and it is not stopped"),
    )
    .advise("see pachd's log; a full etcd (NOSPACE alarm) or an unreachable bucket makes it swallow this error"))
}

/// Waits until the cluster's pipelines are at rest and none of their workers is left, by progress: pachd settles one
/// pipeline after another.
async fn wait_for_rest(cluster: &Cluster, scope: Scope, settings: &SnapshotSettings, events: &Events) -> Result<()> {
    let controllers: Api<ReplicationController> = Api::namespaced(cluster.kubernetes.clone(), cluster.namespace());
    let pods: Api<Pod> = Api::namespaced(cluster.kubernetes.clone(), cluster.namespace());
    let workers = ListParams::default().labels("suite=pachyderm,component=worker");
    let is_known = |name: &str| cluster.pipelines.iter().any(|pipeline| pipeline.name == name);
    let is_ours = |name: &str| scope == Scope::EveryPipeline || is_known(name);
    let works_for_ours = |metadata: &ObjectMeta| {
        let pipeline = metadata.labels.as_ref().and_then(|labels| labels.get("pipelineName"));
        pipeline.map_or(scope == Scope::EveryPipeline, |name| is_ours(name))
    };
    let (mut least, mut moved) = (usize::MAX, Instant::now());
    loop {
        let now = work::pipelines(&cluster.pachd).await?;
        let restless: Vec<_> = now.iter().filter(|one| is_ours(&one.name) && !one.is_at_rest()).collect();
        if let Some(new) = restless.iter().find(|pipeline| !is_known(&pipeline.name)) {
            let what = format!("pipeline {} was created while the cluster was being stopped", new.name);
            return Err(Error::new(ErrorKind::Disturbed, what).advise("run again"));
        }
        let restless: Vec<String> =
            restless.iter().map(|pipeline| format!("{} ({})", pipeline.name, pipeline.state_name())).collect();
        let scaled = controllers.list(&workers).await?.items.into_iter().filter(|controller| {
            works_for_ours(&controller.metadata)
                && (controller.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(0) > 0
                    || controller.status.as_ref().is_some_and(|status| status.replicas > 0))
        });
        let alive = pods.list(&workers).await?.items.into_iter().filter(|pod| works_for_ours(&pod.metadata));
        let left = restless.len() + scaled.count() + alive.count();
        if left == 0 {
            return Ok(());
        }
        if left < least {
            (least, moved) = (left, Instant::now());
            events.note(format!("{} pipelines are settling", restless.len()));
        }
        if moved.elapsed() > settings.stall {
            return Err(Error::new(
                ErrorKind::Deadline,
                format!(
                    "pipelines do not settle, nothing moved for {} s: {}",
                    settings.stall.as_secs(),
                    if restless.is_empty() { "worker pods are left".to_owned() } else { restless.join(", ") }
                ),
            )
            .advise("see pachd's log and `kubectl get pods -l component=worker`; raise stall if it is only slow"));
        }
        tokio::time::sleep(settings.poll).await;
    }
}

/// Reads the unfinished work once everything is at rest. What was drained must still be finished; what a policy
/// interrupted is recorded as lasting.
pub(super) async fn settled_work(cluster: &Cluster, drained: Work, settings: &SnapshotSettings) -> Result<Work> {
    let mut now = work::read(&cluster.pachd, &cluster.pipelines).await?;
    if now.is_drained() {
        return Ok(now);
    }
    if settings.drain == DrainPolicy::Interrupt && !drained.is_drained() {
        now.lasting.pipeline_commits.append(&mut now.draining_commits);
        now.lasting.jobs.append(&mut now.draining_jobs);
        return Ok(now);
    }
    Err(Error::new(
        ErrorKind::Disturbed,
        format!("work began while the cluster was being stopped: {}", super::describe_work(&now)),
    )
    .advise("something still writes: fence it or list it as a [[loader]], then run again"))
}

/// Starts what a run stopped: see [`super::undo()`].
pub(super) async fn start_one(cluster: &pachyderm::client::Client, name: &str, events: &Events) -> Result<()> {
    events
        .change("start", format!("pipeline {name}"), cluster.start_pipeline(name))
        .await
        .map_err(|error| pachd_error(&format!("starting pipeline {name}"), error))
}
