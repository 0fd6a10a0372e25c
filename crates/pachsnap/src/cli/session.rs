//! What every command needs: options, environment, the way to be interrupted.

use std::sync::Arc;

use orchestrator::job::{Opened, PodAccess, Stores, Target};
use orchestrator::outcome::Failure;
use orchestrator::vault::Vault;
use orchestrator::{Error, ErrorKind};

use super::{Ended, GlobalOptions};
use crate::config::{Config, ConfigError, Environment, FlagValue};
use crate::kubernetes::{self, Place};
use crate::render::{EventFormat, Progress};
use crate::signals::Interruption;
use crate::stores::ConfiguredStores;

/// What every command needs.
#[derive(Debug)]
pub(crate) struct Session {
    /// Options of every command.
    pub(crate) global: GlobalOptions,
    /// The environment.
    pub(crate) environment: Environment,
    /// When to stop.
    pub(crate) interruption: Interruption,
}

impl Session {
    /// The merged configuration, with the flags of this command.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn config(&self, flags: &[Vec<FlagValue>]) -> Result<Config, Error> {
        let flags: Vec<FlagValue> = self.global.flags().into_iter().chain(flags.concat()).collect();
        Ok(Config::load(self.global.config.as_deref(), self.environment.clone(), &flags)?)
    }

    /// The cluster that the configuration points to. Nothing is sent to it yet.
    ///
    /// # Errors
    /// `Configuration` without a usable kubeconfig or with a token that can't be read.
    pub(crate) async fn target(&self, config: &Config) -> Result<Target, Error> {
        let (settings, place) = kubernetes::settings(config).await?;
        let namespace = config.text("cluster.namespace").unwrap_or(&settings.default_namespace).to_owned();
        let access_ends = kubernetes::access_ends(&settings);
        Ok(Target {
            kubernetes: kubernetes::client(settings)?,
            namespace,
            pachd_deployment: config.text("cluster.pachd-deployment").map(str::to_owned),
            pod_access: match (config.text("cluster.pod-access"), place) {
                (Some("port-forward"), _) | (Some("auto") | None, Place::Outside) => PodAccess::PortForward,
                _ => PodAccess::PodAddress,
            },
            pachd_address: config.text("cluster.pachd-address").map(str::to_owned),
            etcd_address: config.text("cluster.etcd-address").map(str::to_owned),
            token: config.token()?.map(|token| token.reveal().to_owned()),
            tls_ca: config.tls_ca()?,
            access_ends,
        })
    }

    /// The stores that the configuration describes.
    pub(crate) fn stores(&self, config: &Config) -> Arc<ConfiguredStores> {
        Arc::new(ConfiguredStores::new(config.clone()))
    }

    /// The cluster's part of the vault. Asks the kubeconfig for a namespace only if nothing else names the cluster.
    ///
    /// # Errors
    /// `Configuration` when vault or cluster are not named.
    pub(crate) async fn vault(&self, config: &Config) -> Result<Vault, Error> {
        let url = config.require("vault.url")?;
        let cluster = match config.text("cluster.name").or_else(|| config.text("cluster.namespace")) {
            Some(name) => name.to_owned(),
            None => match kubernetes::settings(config).await {
                Ok((settings, _)) => settings.default_namespace,
                Err(_) => return Err(ConfigError::Missing { name: "cluster.name" }.into()),
            },
        };
        let Opened { bucket, facts, .. } = self.stores(config).open_url(url)?;
        Ok(Vault::new(bucket, facts, &cluster)?)
    }

    /// The renderer of this command's events.
    pub(crate) fn progress(&self, format: EventFormat) -> Progress {
        Progress::start(format, self.global.verbose > 0)
    }

    /// Does work that changes nothing, until it is done or interrupted.
    ///
    /// # Errors
    /// `Cancelled` after a signal, `Deadline` when `--timeout` has passed; else those of the work.
    pub(crate) async fn reading<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Ended> {
        let work = async {
            tokio::select! {
                biased;
                () = self.interruption.token().cancelled() => Err(Error::new(ErrorKind::Cancelled, "cancelled")),
                result = work => result,
            }
        };
        work.await.map_err(|error| self.explain(Failure::untouched(error)).into())
    }

    /// A failure whose cancellation came from `--timeout` says so.
    pub(crate) fn explain(&self, mut failure: Failure) -> Failure {
        if failure.error.kind() == ErrorKind::Cancelled && self.interruption.timed_out() {
            let timeout = Error::new(ErrorKind::Deadline, "the time that --timeout allows has passed");
            failure.error = timeout.because(failure.error);
        }
        failure
    }
}
