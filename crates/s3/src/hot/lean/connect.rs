//! Connections to a store: pooled, kept alive, spread over the store's addresses.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;
use tokio::net::TcpStream;
use tower::Service;

use super::failure::Failure;
use crate::Timeouts;
use crate::hot::choice::WhySdk;

/// How long a connection may be idle before it is closed from this side: shorter than stores wait, so that few requests meet
/// a connection that the store is just closing.
const IDLE: Duration = Duration::from_secs(15);

/// Bytes read at once where answers are small: a connection that copies keeps as much in memory, and there are hundreds.
const SMALL_ANSWER: usize = 4096;

/// Bytes of a page that are read at once. Left to itself a connection comes to keep half a megabyte.
const PIECE_OF_PAGE: usize = 64 << 10;

/// The pools. Clones share them.
#[derive(Clone)]
pub(crate) struct Connections {
    copies: Pool,
    pages: Pool,
    connect: Connect,
}

type Pool = Client<Connect, Empty<Bytes>>;

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").finish_non_exhaustive()
    }
}

impl Connections {
    /// Nothing is connected yet. `endpoint` is the store's URL, if it isn't Amazon's.
    pub(crate) fn new(endpoint: Option<&str>, timeouts: &Timeouts) -> Result<Self, WhySdk> {
        let mut tcp = HttpConnector::new_with_resolver(Spread::default());
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        let connector = if endpoint.is_some_and(|endpoint| endpoint.starts_with("http://")) {
            Connector::Plain(tcp)
        } else {
            let tls = TLS.clone().ok_or(WhySdk::Certificates)?;
            let tls = HttpsConnectorBuilder::new().with_tls_config(tls).https_only().enable_http1();
            Connector::Tls(tls.wrap_connector(tcp))
        };
        Ok(Self::over(Connect { connector, limit: Duration::from_secs(timeouts.connect_seconds) }))
    }

    /// Another pool of the same kind, with nothing in it.
    pub(crate) fn own(&self) -> Self {
        Self::over(self.connect.clone())
    }

    fn over(connect: Connect) -> Self {
        // A request is sent again by a pool only when a kept connection was closed before anything of it was sent.
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE).set_host(false);
        let pages = builder.http1_read_buf_exact_size(PIECE_OF_PAGE).build(connect.clone());
        let copies = builder.http1_read_buf_exact_size(SMALL_ANSWER).build(connect.clone());
        Self { copies, pages, connect }
    }

    /// Sends a request for a copy and waits for the headers of its answer.
    pub(super) async fn send_copy(&self, request: Request<Empty<Bytes>>) -> Result<Response<Incoming>, Failure> {
        self.copies.request(request).await.map_err(Failure::Unsent)
    }

    /// Sends a request for a page and waits for the headers of its answer.
    pub(super) async fn send_list(&self, request: Request<Empty<Bytes>>) -> Result<Response<Incoming>, Failure> {
        self.pages.request(request).await.map_err(Failure::Unsent)
    }
}

/// Which certificates to trust, and how to encrypt. Read once: it takes milliseconds and does not change.
static TLS: LazyLock<Option<ClientConfig>> = LazyLock::new(|| {
    let versions = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other);
    match versions.and_then(|config| config.with_native_roots()) {
        Ok(config) => Some(config.with_no_client_auth()),
        Err(error) => {
            tracing::warn!(%error, "no root certificates");
            None
        }
    }
});

/// Makes a connection within a limit, the TLS handshake included.
#[derive(Clone)]
struct Connect {
    connector: Connector,
    limit: Duration,
}

#[derive(Clone)]
enum Connector {
    Plain(HttpConnector<Spread>),
    Tls(HttpsConnector<HttpConnector<Spread>>),
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Connected = MaybeHttpsStream<TokioIo<TcpStream>>;
type Connecting<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

impl Service<Uri> for Connect {
    type Response = Connected;
    type Error = BoxError;
    type Future = Connecting<Connected, BoxError>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match &mut self.connector {
            Connector::Plain(tcp) => tcp.poll_ready(cx).map_err(BoxError::from),
            Connector::Tls(tls) => tls.poll_ready(cx),
        }
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let connecting: Self::Future = match &mut self.connector {
            Connector::Plain(tcp) => {
                let connecting = tcp.call(to);
                Box::pin(async { Ok(MaybeHttpsStream::Http(connecting.await?)) })
            }
            Connector::Tls(tls) => tls.call(to),
        };
        let limit = self.limit;
        Box::pin(async move {
            let late = |_| io::Error::new(io::ErrorKind::TimedOut, format!("no connection within {limit:?}"));
            tokio::time::timeout(limit, connecting).await.map_err(late)?
        })
    }
}

/// Looks names up and hands out a name's addresses beginning at another one each time: the system names them in one order, and all
/// connections would go to the first.
#[derive(Clone, Debug, Default)]
struct Spread {
    begin: Arc<AtomicUsize>,
}

impl Service<Name> for Spread {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Connecting<Self::Response, io::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let begin = self.begin.fetch_add(1, Ordering::Relaxed);
        let found = GaiResolver::new().call(name);
        Box::pin(async move { Ok(rotated(found.await?.collect(), begin).into_iter()) })
    }
}

/// The addresses beginning at the `begin`th, each family by itself: which one is tried first stays as it was.
fn rotated(addresses: Vec<SocketAddr>, begin: usize) -> Vec<SocketAddr> {
    let first_is_v4 = addresses.first().is_some_and(SocketAddr::is_ipv4);
    let (mut first, mut second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv4() == first_is_v4);
    for family in [&mut first, &mut second] {
        let middle = begin.checked_rem(family.len()).unwrap_or_default();
        family.rotate_left(middle);
    }
    first.append(&mut second);
    first
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn each_connection_begins_at_another_address() {
        let addresses = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let all = addresses(&["[::1]:0", "[::2]:0", "1.1.1.1:0", "1.1.1.2:0", "1.1.1.3:0"]);
        assert_eq!(rotated(all.clone(), 0), all);
        let second = addresses(&["[::2]:0", "[::1]:0", "1.1.1.2:0", "1.1.1.3:0", "1.1.1.1:0"]);
        assert_eq!(rotated(all.clone(), 1), second);
        assert_eq!(rotated(all.clone(), 6), all);
        assert_eq!(rotated(Vec::new(), 3), []);
    }
}
