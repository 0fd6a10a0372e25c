//! Waiting until what was scaled to nothing is gone.

use std::time::Instant;

use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, ResourceExt};

use super::RestoreSettings;
use crate::error::{Error, ErrorKind, Result};
use crate::pause::Patience;

/// Pods that may still write somewhere.
#[derive(Clone, Copy, Debug)]
pub(super) struct Writers<'a> {
    /// Whose pods they are, as in `pachd`.
    pub(super) of: &'a str,
    /// Which pods, as a label selector.
    pub(super) labels: &'a str,
    /// What they may write to, as in `etcd`.
    pub(super) to: &'a str,
}

/// Waits until no pod runs any more.
///
/// # Errors
/// Those of Kubernetes; `Deadline` when pods stay.
pub(super) async fn until_gone(
    kubernetes: &kube::Client,
    namespace: &str,
    writers: Writers<'_>,
    settings: &RestoreSettings,
) -> Result<((), String)> {
    let Writers { of, labels, to } = writers;
    let pods: Api<Pod> = Api::namespaced(kubernetes.clone(), namespace);
    let chosen = ListParams::default().labels(labels);
    let mut patience = Patience::new(settings.stall, settings.poll);
    let began = Instant::now();
    loop {
        let left = patience.call(|| async { Ok(pods.list(&chosen).await?) }).await?;
        let names: Vec<String> = left.iter().filter(|pod| !has_ended(pod)).map(ResourceExt::name_any).collect();
        if names.is_empty() {
            return Ok(((), format!("no pod of {of} is left")));
        }
        if began.elapsed() > settings.stall {
            let limit = settings.stall.as_secs();
            let message = format!("pods of {of} are left after {limit} s: {}", names.join(", "));
            return Err(Error::new(ErrorKind::Deadline, message)
                .advise(format!("see `kubectl get pods`; whatever keeps them may write to {to}")));
        }
        tokio::time::sleep(settings.poll).await;
    }
}

fn has_ended(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}
