//! The API server with its controllers, a node, and CSI snapshots.

use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{Api, Client};
use tokio::time::Instant;

use super::api_server::{ApiServer, ApiServerOptions};
use super::controllers::{Controllers, STAGES};
use super::csi_driver::CsiDriver;
use super::{binaries, first_objects};
use crate::programs::{LONGEST, ProgramError, TRIES, free_ports};

/// A whole Kubernetes without containers: some seconds to start, 640 MB.
///
/// Pods that name the node [`super::NODE`] become Running and ready at once, unless their annotation
/// `bench.pachsnap.io/ready` is `never`; deleted ones go at once, or after `bench.pachsnap.io/gone-after`. Claims of the
/// default class get a volume of the CSI driver, VolumeSnapshots are taken by it. There is no scheduler, no kubelet and
/// no network: port-forward, exec and logs fail, and nobody opens the ports of a Service.
#[derive(Debug)]
pub struct KubernetesBench {
    // The API server last: fields are dropped in this order.
    controllers: Controllers,
    driver: CsiDriver,
    api: ApiServer,
}

impl KubernetesBench {
    /// Starts one whose API server has the user `admin` alone.
    ///
    /// # Errors
    /// When a program is missing and can't be built, or doesn't serve.
    pub async fn start() -> Result<Self, ProgramError> {
        Self::start_with(ApiServerOptions::default()).await
    }

    /// Starts one over an API server as the options say.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_with(options: ApiServerOptions) -> Result<Self, ProgramError> {
        let built = tokio::task::spawn_blocking(binaries::built).await;
        let binaries = built.map_err(|error| ProgramError::io("the programs")(std::io::Error::other(error)))??;
        let mut tries = 1;
        loop {
            match Self::start_once(&binaries, &options).await {
                Err(error) if error.is_port_taken() && tries < TRIES => tries += 1,
                result => return result,
            }
        }
    }

    async fn start_once(binaries: &Path, options: &ApiServerOptions) -> Result<Self, ProgramError> {
        let api = ApiServer::start_with(options.clone()).await?;
        let client = api.client().await?;
        api.write_file("kubeconfig", &api.kubeconfig()?)?;
        api.write_file("stages.yaml", STAGES)?;
        first_objects::create_snapshot_kinds(&client, &binaries.join("crds")).await?;

        let [manager, snapshots, kwok, snapshotter, provisioner] = free_ports()?;
        let state = api.new_folder("csi")?;
        let driver = CsiDriver::start(binaries, api.folder(), state, [snapshotter, provisioner]).await?;
        let controllers = Controllers::start(binaries, api.folder(), [manager, snapshots, kwok])?;
        let bench = Self { controllers, driver, api };
        tokio::time::timeout(LONGEST, bench.settle(&client)).await.unwrap_or_else(|_| {
            Err(bench.never_came("a class can't be created, kwok has no node or the controller manager doesn't act"))
        })?;
        Ok(bench)
    }

    /// Waits until the controllers act, as long as none has ended.
    async fn settle(&self, client: &Client) -> Result<(), ProgramError> {
        let accounts = Api::<ServiceAccount>::namespaced(client.clone(), "default");
        let account_made = async {
            // The namespace's own account is the work of the controller manager.
            while !matches!(accounts.get_opt("default").await, Ok(Some(_))) {
                self.check()?;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Ok(())
        };
        let all_run = async {
            loop {
                self.check()?;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let made = async {
            let (classes, node, account) =
                tokio::join!(first_objects::create_classes(client), first_objects::create_node(client), account_made);
            classes.and(node).and(account)
        };
        tokio::select! {
            settled = made => settled,
            ended = all_run => ended,
        }
    }

    /// Starts kube-apiserver again over the same data, and then everything that is its client. A controller that was refused
    /// waits before it looks again, twice as long each time, up to a minute: as many of them as a deployment needs one after
    /// the other would not act for minutes.
    ///
    /// # Errors
    /// When one of them doesn't serve.
    pub async fn restart_api_server(&self) -> Result<(), ProgramError> {
        self.api.restart().await?;
        self.controllers.restart()?;
        self.driver.restart().await
    }

    /// Looks again and again until there is an answer; as long as there is none, `look` says how things are.
    ///
    /// # Errors
    /// When none comes in 3 minutes ([`ProgramError::NeverCame`], with how things are and the ends of all logs), or when a
    /// program has ended by itself.
    pub async fn wait_for<T, F>(&self, mut look: impl FnMut() -> F) -> Result<T, ProgramError>
    where
        F: Future<Output = Result<T, String>>,
    {
        let ends = Instant::now() + LONGEST;
        loop {
            let what = match look().await {
                Ok(found) => return Ok(found),
                Err(what) => what,
            };
            self.check()?;
            if Instant::now() >= ends {
                return Err(self.never_came(&what));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn never_came(&self, what: &str) -> ProgramError {
        ProgramError::NeverCame { what: what.to_owned(), logs: self.api.ends_of_logs() }
    }

    fn check(&self) -> Result<(), ProgramError> {
        self.controllers.check()?;
        self.driver.check()
    }

    /// The API server.
    #[must_use]
    pub fn api(&self) -> &ApiServer {
        &self.api
    }

    /// The CSI driver.
    #[must_use]
    pub fn driver(&self) -> &CsiDriver {
        &self.driver
    }
}
