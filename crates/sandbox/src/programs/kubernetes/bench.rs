//! The API server with its controllers, a node, and CSI snapshots.

use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{Api, Client};

use super::api_server::{ApiServer, ApiServerOptions};
use super::controllers::{Controllers, STAGES};
use super::csi_driver::CsiDriver;
use super::{binaries, first_objects};
use crate::programs::{ProgramError, TRIES, free_ports};

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
    /// When a program is missing and can't be built, or doesn't serve within a minute.
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
        tokio::time::timeout(Duration::from_secs(60), bench.settle(&client)).await.unwrap_or_else(|_| {
            Err(ProgramError::NotReady { program: "a controller".to_owned(), log: "see the logs in its folder".into() })
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
