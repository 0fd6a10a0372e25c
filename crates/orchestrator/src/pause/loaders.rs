//! External loaders: programs outside Pachyderm that write to it are paused with the cluster and put back.

use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams};
use kube::core::Selector;
use serde_json::json;

use super::Hold;
use super::undo_record::LoaderBefore;
use crate::cluster::Cluster;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Events;
use crate::job::{Loader, SnapshotSettings};

/// Longest time that a hook may take.
const HOOK_LIMIT: Duration = Duration::from_secs(600);

/// Reads how the loaders are now.
pub(crate) async fn read(kubernetes: &kube::Client, namespace: &str, loaders: &[Loader]) -> Result<Vec<LoaderBefore>> {
    let mut before = Vec::new();
    for loader in loaders {
        let (mut replicas, mut suspended) = (None, None);
        match loader {
            Loader::Deployment { namespace: own, name } => {
                let api: Api<Deployment> = Api::namespaced(kubernetes.clone(), own.as_deref().unwrap_or(namespace));
                let found = api.get(name).await.map_err(|error| missing(loader, error))?;
                replicas = Some(found.spec.replicas.unwrap_or(1));
            }
            Loader::StatefulSet { namespace: own, name } => {
                let api: Api<StatefulSet> = Api::namespaced(kubernetes.clone(), own.as_deref().unwrap_or(namespace));
                let found = api.get(name).await.map_err(|error| missing(loader, error))?;
                replicas = Some(found.spec.replicas.unwrap_or(1));
            }
            Loader::CronJob { namespace: own, name } => {
                let api: Api<CronJob> = Api::namespaced(kubernetes.clone(), own.as_deref().unwrap_or(namespace));
                let found = api.get(name).await.map_err(|error| missing(loader, error))?;
                suspended = Some(found.spec.suspend.unwrap_or(false));
            }
            Loader::Hook { name, pause, resume } => {
                if pause.is_empty() || resume.is_empty() {
                    return Err(Error::new(ErrorKind::Configuration, format!("loader hook {name:?} lacks a program"))
                        .advise("give both `pause` and `resume` as lists: program, then arguments"));
                }
            }
        }
        before.push(LoaderBefore { loader: loader.clone(), replicas, suspended });
    }
    Ok(before)
}

fn missing(loader: &Loader, error: kube::Error) -> Error {
    let error = Error::from(error);
    Error::new(error.kind(), format!("loader {} can't be read", label(loader)))
        .because(error)
        .advise("correct [[loader]] in the configuration")
}

/// What messages call a loader.
pub(super) fn label(loader: &Loader) -> String {
    match loader {
        Loader::Deployment { name, .. } => format!("Deployment {name}"),
        Loader::StatefulSet { name, .. } => format!("StatefulSet {name}"),
        Loader::CronJob { name, .. } => format!("CronJob {name}"),
        Loader::Hook { name, .. } => format!("hook {name}"),
    }
}

/// Pauses every loader of the record, then waits until none of their programs is left.
pub(super) async fn pause(
    cluster: &Cluster,
    hold: &Hold,
    settings: &SnapshotSettings,
    events: &Events,
) -> Result<((), String)> {
    for before in &hold.record().loaders {
        hold.check().await?;
        events
            .change("pause", label(&before.loader), set(&cluster.kubernetes, cluster.namespace(), before, true))
            .await?;
    }
    for before in &hold.record().loaders {
        wait_until_gone(&cluster.kubernetes, cluster.namespace(), &before.loader, settings).await?;
    }
    Ok(((), format!("{} loaders paused", hold.record().loaders.len())))
}

/// Waits until a loader's pods, or a CronJob's running Jobs, are gone: until then they may write.
async fn wait_until_gone(
    kubernetes: &kube::Client,
    namespace: &str,
    loader: &Loader,
    settings: &SnapshotSettings,
) -> Result<()> {
    let began = Instant::now();
    loop {
        let left = running(kubernetes, namespace, loader).await?;
        if left == 0 {
            return Ok(());
        }
        if began.elapsed() > settings.drain_timeout {
            let (limit, name) = (settings.drain_timeout.as_secs(), label(loader));
            return Err(Error::new(
                ErrorKind::Deadline,
                format!("{left} programs of loader {name} still run after {limit} s"),
            )
            .advise("let it end before the snapshot, or raise drain-timeout"));
        }
        tokio::time::sleep(settings.poll).await;
    }
}

/// How many of a loader's pods or Jobs are left. A hook answers when it is done.
async fn running(kubernetes: &kube::Client, namespace: &str, loader: &Loader) -> Result<usize> {
    let place = |own: &Option<String>| own.clone().unwrap_or_else(|| namespace.to_owned());
    match loader {
        Loader::Deployment { namespace: own, name } => {
            let found = Api::<Deployment>::namespaced(kubernetes.clone(), &place(own)).get(name).await?;
            pods(kubernetes, &place(own), found.spec.selector).await
        }
        Loader::StatefulSet { namespace: own, name } => {
            let found = Api::<StatefulSet>::namespaced(kubernetes.clone(), &place(own)).get(name).await?;
            pods(kubernetes, &place(own), found.spec.selector).await
        }
        Loader::CronJob { namespace: own, name } => {
            let found = Api::<CronJob>::namespaced(kubernetes.clone(), &place(own)).get(name).await?;
            Ok(found.status.and_then(|status| status.active).map_or(0, |active| active.len()))
        }
        Loader::Hook { .. } => Ok(0),
    }
}

/// Pods that a workload selects and that have not ended.
async fn pods(kubernetes: &kube::Client, namespace: &str, selector: LabelSelector) -> Result<usize> {
    let selector = Selector::try_from(selector)
        .map_err(|cause| Error::new(ErrorKind::Failed, "a loader's selector can't be read").because(cause))?;
    let pods: Api<Pod> = Api::namespaced(kubernetes.clone(), namespace);
    let found = pods.list(&ListParams::default().labels_from(&selector)).await?;
    let has_ended = |pod: &Pod| {
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        matches!(phase, Some("Succeeded" | "Failed"))
    };
    Ok(found.iter().filter(|pod| !has_ended(pod)).count())
}

/// Puts one loader back. May be repeated.
pub(super) async fn put_back(kubernetes: &kube::Client, namespace: &str, before: &LoaderBefore) -> Result<()> {
    set(kubernetes, namespace, before, false).await
}

async fn set(kubernetes: &kube::Client, namespace: &str, before: &LoaderBefore, paused: bool) -> Result<()> {
    let parameters = PatchParams::default();
    let replicas = json!({"spec": {"replicas": if paused { 0 } else { before.replicas.unwrap_or(1) }}});
    match &before.loader {
        Loader::Deployment { namespace: own, name } => {
            let api: Api<Deployment> = Api::namespaced(kubernetes.clone(), own.as_deref().unwrap_or(namespace));
            api.patch(name, &parameters, &Patch::Merge(&replicas)).await?;
        }
        Loader::StatefulSet { namespace: own, name } => {
            let api: Api<StatefulSet> = Api::namespaced(kubernetes.clone(), own.as_deref().unwrap_or(namespace));
            api.patch(name, &parameters, &Patch::Merge(&replicas)).await?;
        }
        Loader::CronJob { namespace: own, name } => {
            let api: Api<CronJob> = Api::namespaced(kubernetes.clone(), own.as_deref().unwrap_or(namespace));
            let suspend = json!({"spec": {"suspend": paused || before.suspended.unwrap_or(false)}});
            api.patch(name, &parameters, &Patch::Merge(&suspend)).await?;
        }
        Loader::Hook { name, pause, resume } => run(name, if paused { pause } else { resume }).await?,
    }
    Ok(())
}

async fn run(name: &str, words: &[String]) -> Result<()> {
    let failed = |what: String| Error::new(ErrorKind::Failed, format!("hook {name}: {what}"));
    let (program, arguments) = words.split_first().ok_or_else(|| failed("no program is named".to_owned()))?;
    // Killed when the run is cancelled: a pause that ends after its resume would leave the loader paused.
    let output = tokio::process::Command::new(program)
        .args(arguments)
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(HOOK_LIMIT, output)
        .await
        .map_err(|_| failed(format!("{program} did not end within {} s and was killed", HOOK_LIMIT.as_secs())))?
        .map_err(|cause| failed(format!("{program} could not be started")).because(cause))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(failed(format!("{program} ended with {}: {}", output.status, said.trim())))
}
