//! Connections to pachd and etcd: to the pod itself, so that a fence on a Service never locks us out, or to an address.

use std::pin::Pin;
use std::task::{Context, Poll};

use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use pachyderm::client::{Address, Client, ClientOptions};
use pachyderm::etcd::EtcdClient;
use pachyderm::etcd::proto::StatusResponse;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::error::{Error, ErrorKind, Result};
use crate::job::{PodAccess, Target};

/// The pods of one namespace, and how their ports are reached.
#[derive(Clone)]
pub struct Pods {
    kubernetes: kube::Client,
    namespace: String,
    access: PodAccess,
}

impl Pods {
    /// The pods of a target's namespace.
    #[must_use]
    pub fn of(target: &Target) -> Self {
        Self { kubernetes: target.kubernetes.clone(), namespace: target.namespace.clone(), access: target.pod_access }
    }

    /// A port of the ready pods that `selector` (as in `kubectl get -l`) chooses.
    #[must_use]
    pub fn with_labels(&self, selector: impl Into<String>, port: u16) -> PodPort {
        self.port(Chosen::Labels(selector.into()), port)
    }

    /// A port of one pod.
    #[must_use]
    pub fn named(&self, name: &str, port: u16) -> PodPort {
        self.port(Chosen::Name(name.to_owned()), port)
    }

    fn port(&self, chosen: Chosen, port: u16) -> PodPort {
        let pods = Api::namespaced(self.kubernetes.clone(), &self.namespace);
        PodPort { pods, chosen, port, access: self.access }
    }
}

/// A port of whichever pod of a workload is ready.
///
/// Each connection looks for a ready pod anew, so that a pod that was replaced is found again.
#[derive(Clone)]
pub struct PodPort {
    pods: Api<Pod>,
    chosen: Chosen,
    port: u16,
    access: PodAccess,
}

/// Which pods may be connected to.
#[derive(Clone)]
enum Chosen {
    /// Any ready one with these labels.
    Labels(String),
    /// The one of this name.
    Name(String),
}

/// A connection to a pod.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Connection for S {}

impl PodPort {
    async fn connect(self) -> Result<Box<dyn Connection>> {
        let pod = self.pod().await?;
        let name = pod.name_any();
        let refused =
            || Error::new(ErrorKind::Unreachable, format!("port {} of pod {name} can't be connected to", self.port));
        match self.access {
            PodAccess::PortForward => {
                let mut forwarder = self.pods.portforward(&name, &[self.port]).await?;
                let stream = forwarder.take_stream(self.port).ok_or_else(refused)?;
                Ok(Box::new(stream))
            }
            PodAccess::PodAddress => {
                let address = pod.status.and_then(|status| status.pod_ip).ok_or_else(refused)?;
                let stream = TcpStream::connect((address.as_str(), self.port)).await.map_err(|cause| {
                    refused().because(cause).advise(
                        "pods are dialled at their own addresses, which works inside of the cluster: see network policies, or \
                         set cluster.pod-access to \"port-forward\"",
                    )
                })?;
                stream.set_nodelay(true).map_err(|cause| refused().because(cause))?;
                Ok(Box::new(stream))
            }
        }
    }
}

impl PodPort {
    async fn pod(&self) -> Result<Pod> {
        let selector = match &self.chosen {
            Chosen::Name(name) => return Ok(self.pods.get(name).await?),
            Chosen::Labels(selector) => selector,
        };
        let pods = self.pods.list(&ListParams::default().labels(selector)).await?;
        pods.items.into_iter().find(is_ready).ok_or_else(|| {
            Error::new(ErrorKind::Unreachable, format!("no pod with {selector} is ready"))
                .advise(format!("see `kubectl get pods -l {selector}`"))
        })
    }
}

/// Whether a pod runs, is ready and isn't being deleted.
#[must_use]
pub fn is_ready(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_none()
        && pod.status.as_ref().is_some_and(|status| {
            status.phase.as_deref() == Some("Running")
                && status
                    .conditions
                    .as_ref()
                    .is_some_and(|all| all.iter().any(|one| one.type_ == "Ready" && one.status == "True"))
        })
}

impl tower::Service<http::Uri> for PodPort {
    type Response = Box<dyn Connection>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Uri) -> Self::Future {
        let port = self.clone();
        Box::pin(port.connect())
    }
}

/// Where a server is reached.
pub(super) enum Route {
    /// Through whichever pod is ready.
    Pod(Box<PodPort>),
    /// At an address.
    Direct(Address),
}

impl Route {
    /// The address, if one was given; else the pod.
    pub(super) fn new(address: Option<&str>, default_port: u16, pod: PodPort) -> Result<Self> {
        let Some(address) = address else { return Ok(Self::Pod(Box::new(pod))) };
        Address::parse(address, default_port).map(Self::Direct).map_err(|cause| {
            Error::new(ErrorKind::Configuration, format!("{address:?} is no address"))
                .because(cause)
                .advise("write it as host:port")
        })
    }

    /// Connects to pachd.
    pub(super) async fn pachd(self, options: &ClientOptions) -> Result<Client> {
        let connected = match self {
            Self::Pod(pod) => Client::with_connector(*pod, &Address::plaintext("pachd", 650), options).await,
            Self::Direct(address) => Client::connect(&address, options).await,
        };
        connected.map_err(|error| super::pachd_error("connecting", error))
    }

    /// Connects to etcd.
    pub(super) async fn etcd(self, options: &ClientOptions) -> Result<EtcdClient> {
        let connected = match self {
            Self::Pod(pod) => EtcdClient::with_connector(*pod, &Address::plaintext("etcd", 2379), options).await,
            Self::Direct(address) => EtcdClient::connect(&address, options).await,
        };
        connected.map_err(|error| super::etcd_error("connecting", error))
    }
}

/// What one member of etcd says of itself.
pub(crate) async fn etcd_of_pod(pod: PodPort) -> Result<StatusResponse> {
    let client = Route::Pod(Box::new(pod)).etcd(&ClientOptions::default()).await?;
    client.status().await.map_err(|error| super::etcd_error("reading the status", error))
}
