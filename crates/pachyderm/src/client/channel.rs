//! Connections: plain TCP, TLS, or whatever a connector makes.

use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tower::ServiceExt as _;

use super::{Address, ClientOptions, TlsRoots};
use crate::error::{Cause, Error};

/// Interval and patience of HTTP/2 pings. pachd forbids less than 5 s between two.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// Most that headers and trailers may hold, in bytes: what grpc-go, pachd's own client, takes. An error text is in the
/// trailers, and some of pachd's texts repeat a whole operation.
const LARGEST_HEADERS: u32 = 16 * 1024 * 1024;

/// The operation that errors of connecting name.
const CONNECT: &str = "connect";

/// Whether pings go on while no call is running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IdlePings {
    /// pachd permits them, and they keep a connection through a load balancer or a port-forward alive.
    Sent,
    /// etcd takes them for an attack and closes the connection.
    Withheld,
}

/// Boxed error of a connector.
pub type ConnectorError = Box<dyn std::error::Error + Send + Sync>;

/// What makes connections, for instance a port-forward to a pod: each call gives a new one, since a channel connects again
/// when a connection breaks.
pub trait Connector:
    tower::Service<Uri, Response = Self::Io, Error = Self::ConnectError, Future = Self::Connecting> + Send + 'static
{
    /// A connection.
    type Io: AsyncRead + AsyncWrite + Send + Unpin + 'static;
    /// Why there is none.
    type ConnectError: Into<ConnectorError> + Send + 'static;
    /// A connection being made.
    type Connecting: Future<Output = Result<Self::Io, Self::ConnectError>> + Send + 'static;
}

impl<S> Connector for S
where
    S: tower::Service<Uri> + Send + 'static,
    S::Response: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    S::Error: Into<ConnectorError> + Send + 'static,
    S::Future: Send + 'static,
{
    type Io = S::Response;
    type ConnectError = S::Error;
    type Connecting = S::Future;
}

fn endpoint(address: &Address, options: &ClientOptions, pings: IdlePings) -> Result<Endpoint, Error> {
    let failed = |error| Error::new(CONNECT, &address.to_string(), Cause::Connect(error));
    let endpoint = Endpoint::from_shared(address.uri())
        .map_err(failed)?
        .connect_timeout(options.connect_timeout)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .http2_max_header_list_size(LARGEST_HEADERS)
        .keep_alive_while_idle(pings == IdlePings::Sent);
    if !address.tls() {
        return Ok(endpoint);
    }
    let tls = match &options.tls_roots {
        TlsRoots::Native => ClientTlsConfig::new().with_native_roots(),
        TlsRoots::Pem(pem) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)),
    };
    endpoint.tls_config(tls).map_err(failed)
}

/// Connects by TCP.
pub(crate) async fn connect(address: &Address, options: &ClientOptions, pings: IdlePings) -> Result<Channel, Error> {
    let endpoint = endpoint(address, options, pings)?;
    endpoint.connect().await.map_err(|error| Error::new(CONNECT, &address.to_string(), Cause::Connect(error)))
}

/// Connects by a connector. The address is only named to the server, and to TLS.
pub(crate) async fn connect_with<C: Connector>(
    connector: C,
    address: &Address,
    options: &ClientOptions,
    pings: IdlePings,
) -> Result<Channel, Error> {
    let endpoint = endpoint(address, options, pings)?;
    let connector = connector.map_response(TokioIo::new).map_err(|error| -> ConnectorError { error.into() });
    endpoint
        .connect_with_connector(connector)
        .await
        .map_err(|error| Error::new(CONNECT, &address.to_string(), Cause::Connect(error)))
}
