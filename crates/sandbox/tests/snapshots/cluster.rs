//! The cluster under the tests: all that they know of it beside its API.

use std::path::PathBuf;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
pub(crate) use sandbox::kubernetes::{CSI_DRIVER, CsiCall, GrpcCode};
use sandbox::kubernetes::{KubernetesOptions, KubernetesServer};

/// The node of all pods.
pub(crate) const NODE: &str = "sandbox-node";

/// A client of the server that acts as `user`.
pub(crate) async fn client(server: &KubernetesServer, user: &str) -> Client {
    let kubeconfig = Kubeconfig::from_yaml(&server.kubeconfig_of(user)).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    Client::try_from(config).unwrap()
}

/// A cluster with the CSI driver, which no other test uses.
pub(crate) struct Cluster {
    server: KubernetesServer,
}

impl Cluster {
    pub(crate) async fn start() -> (Self, Client) {
        let server = KubernetesServer::start(KubernetesOptions::default()).await.unwrap();
        let client = client(&server, "admin").await;
        (Cluster { server }, client)
    }

    pub(crate) fn server(&self) -> &KubernetesServer {
        &self.server
    }

    pub(crate) fn volume_folder(&self, handle: &str) -> PathBuf {
        self.server.csi().volume_folder(handle).unwrap()
    }

    pub(crate) fn snapshot_folder(&self, handle: &str) -> PathBuf {
        self.server.csi().snapshot_folder(handle).unwrap()
    }

    pub(crate) fn fail(&self, call: CsiCall, code: GrpcCode, message: &str) {
        self.server.csi().fail(call, code, message);
    }

    pub(crate) fn delay(&self, call: CsiCall, delay: Duration) {
        self.server.csi().delay(call, delay);
    }

    pub(crate) async fn set_ready(&self, ready: bool) {
        self.server.csi().set_ready(ready);
    }

    pub(crate) async fn set_served(&self, served: bool) {
        self.server.csi().set_served(served);
    }

    pub(crate) fn clear_faults(&self) {
        self.server.csi().clear_faults();
    }
}
