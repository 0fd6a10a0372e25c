//! The Kubernetes API with the user's own rights: kubeconfig and context as kubectl finds them.

use kube::config::{KubeConfigOptions, Kubeconfig};
use orchestrator::{Error, ErrorKind};

use crate::config::Config;

/// The connection's settings, from the configured kubeconfig, else from where kubectl looks, else from the pod that we
/// run in.
///
/// # Errors
/// `Configuration` without a usable kubeconfig.
pub(crate) async fn settings(config: &Config) -> Result<kube::Config, Error> {
    let options = KubeConfigOptions {
        context: config.text("cluster.context").map(str::to_owned),
        ..KubeConfigOptions::default()
    };
    let settings = match config.path("cluster.kubeconfig") {
        Some(path) => {
            let kubeconfig = Kubeconfig::read_from(&path).map_err(|cause| unusable().because(cause))?;
            kube::Config::from_custom_kubeconfig(kubeconfig, &options)
                .await
                .map_err(|cause| unusable().because(cause))?
        }
        None if options.context.is_some() => {
            kube::Config::from_kubeconfig(&options).await.map_err(|cause| unusable().because(cause))?
        }
        None => kube::Config::infer().await.map_err(|cause| unusable().because(cause))?,
    };
    Ok(settings)
}

/// A client with these settings.
///
/// # Errors
/// `Configuration` when its certificates or its way to authenticate can't be used.
pub(crate) fn client(settings: kube::Config) -> Result<kube::Client, Error> {
    kube::Client::try_from(settings).map_err(|cause| unusable().because(cause))
}

fn unusable() -> Error {
    Error::new(ErrorKind::Configuration, "no usable kubeconfig").advise(
        "name one with --kubeconfig or KUBECONFIG, and a context with --context; `kubectl version` uses the same",
    )
}
