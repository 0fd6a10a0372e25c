//! Waiting for the scratch cluster's pachd.

use std::time::Instant;

use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, ResourceExt};

use crate::cluster::{connect_pachd, is_ready, pachd_error};
use crate::error::{Error, ErrorKind, Result};
use crate::job::Target;
use crate::restore::RestoreSettings;

/// Waits until pachd answers, and says which one it is.
///
/// # Errors
/// `Deadline` naming what its pods wait for.
pub(super) async fn wait(target: &Target, settings: &RestoreSettings) -> Result<String> {
    let pods: Api<Pod> = Api::namespaced(target.kubernetes.clone(), &target.namespace);
    let began = Instant::now();
    loop {
        let answer = async {
            let pachd = connect_pachd(target).await?;
            pachd.inspect_cluster().await.map_err(|error| pachd_error("asking whether it is ready", error))?;
            pachd.version().await.map_err(|error| pachd_error("reading the version", error))
        };
        let error = match answer.await {
            Ok(version) => return Ok(format!("pachd {version} answers in namespace {}", target.namespace)),
            Err(error) => error,
        };
        if began.elapsed() > settings.stall {
            let limit = settings.stall.as_secs();
            let message = format!("the scratch cluster does not answer after {limit} s");
            let waiting = match pods.list(&ListParams::default()).await {
                Ok(pods) => pods.iter().filter(|pod| !is_ready(pod)).map(state_of).collect::<Vec<_>>().join("; "),
                Err(_) => String::new(),
            };
            let error = Error::new(ErrorKind::Deadline, message).because(error);
            return Err(if waiting.is_empty() { error } else { error.advise(waiting) });
        }
        tokio::time::sleep(settings.poll).await;
    }
}

/// What a pod waits for.
fn state_of(pod: &Pod) -> String {
    let status = pod.status.as_ref();
    let phase = status.and_then(|status| status.phase.clone()).unwrap_or_else(|| "not started".to_owned());
    let containers = status.and_then(|status| status.container_statuses.as_ref()).into_iter().flatten();
    let waiting = containers.filter_map(|container| container.state.as_ref()?.waiting.as_ref());
    let waiting = waiting.map(|waiting| {
        let part = |text: &Option<String>| text.clone().unwrap_or_default();
        format!("{} {}", part(&waiting.reason), part(&waiting.message))
    });
    let conditions = status.and_then(|status| status.conditions.as_ref()).into_iter().flatten();
    let unmet = conditions.filter(|one| one.status == "False").filter_map(|one| one.message.clone());
    let why: Vec<String> = waiting.chain(unmet).collect();
    let why = if why.is_empty() { String::new() } else { format!(": {}", why.join(", ")) };
    format!("pod {} is {phase}{why}", pod.name_any())
}
