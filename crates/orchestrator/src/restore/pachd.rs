//! Stopping the target's pachd while its etcd is filled, and starting it again.

use std::time::Instant;

use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::RestoreSettings;
use super::pods::{Writers, until_gone};
use crate::cluster::{Ground, connect_pachd, pachd_error};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Events;
use crate::job::Target;
use crate::pause::Patience;

/// Takes pachd to no pods, and waits until none is left: until then it may write to etcd.
///
/// # Errors
/// Those of Kubernetes; `Deadline` when pods stay.
pub(super) async fn stop(ground: &Ground, settings: &RestoreSettings, events: &Events) -> Result<((), String)> {
    scale(ground, 0, settings, events).await?;
    let writers = Writers { of: "pachd", labels: &ground.pachd_pods, to: "etcd" };
    until_gone(&ground.kubernetes, &ground.namespace, writers, settings).await
}

/// Gives pachd its pods again, and waits until it answers.
///
/// # Errors
/// Those of Kubernetes; `Deadline` when it does not answer in time.
pub(super) async fn start(
    target: &Target,
    ground: &Ground,
    replicas: i32,
    settings: &RestoreSettings,
    events: &Events,
) -> Result<((), String)> {
    scale(ground, replicas.max(1), settings, events).await?;
    let began = Instant::now();
    loop {
        let answer = async {
            let pachd = connect_pachd(target).await?;
            pachd.inspect_cluster().await.map_err(|error| pachd_error("asking whether it is ready", error))
        };
        match answer.await {
            Ok(_) => return Ok(((), "pachd answers".to_owned())),
            Err(error) if began.elapsed() > settings.stall => {
                let limit = settings.stall.as_secs();
                return Err(Error::new(
                    ErrorKind::Deadline,
                    format!("pachd does not answer {limit} s after its start"),
                )
                .because(error)
                .advise("see `kubectl get pods -l app=pachd` and its log"));
            }
            Err(_) => tokio::time::sleep(settings.poll).await,
        }
    }
}

async fn scale(ground: &Ground, replicas: i32, settings: &RestoreSettings, events: &Events) -> Result<()> {
    let deployments: Api<Deployment> = Api::namespaced(ground.kubernetes.clone(), &ground.namespace);
    let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
    let parameters = PatchParams::default();
    let mut patience = Patience::new(settings.stall, settings.poll);
    let patched =
        patience.call(|| async { Ok(deployments.patch(&ground.deployment, &parameters, &patch).await.map(drop)?) });
    events.change("scale", format!("Deployment {} to {replicas}", ground.deployment), patched).await
}
