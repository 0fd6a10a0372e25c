//! Real TLS handshakes: a server is believed by the given certificates only.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use pachyderm::{
    client::{Address, Client, ClientOptions, TlsRoots},
    error::{Condition, Error},
    proto::version::Version,
};
use tonic::{
    Request, Response, Status,
    server::NamedService,
    transport::{Certificate, ClientTlsConfig, Endpoint, Identity, Server, ServerTlsConfig},
};
use tonic_prost::ProstCodec;

const AUTHORITY: &[u8] = include_bytes!("certificates/authority.pem");
const OTHER_AUTHORITY: &[u8] = include_bytes!("certificates/other-authority.pem");
const SERVER: &[u8] = include_bytes!("certificates/server.pem");
const SERVER_KEY: &[u8] = include_bytes!("certificates/server-key.pem");

/// Answers every call to `versionpb.API` with a version.
#[derive(Clone)]
struct VersionService;

impl NamedService for VersionService {
    const NAME: &'static str = "versionpb.API";
}

impl tower::Service<http::Request<tonic::body::Body>> for VersionService {
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        let answer = tower::service_fn(|_: Request<()>| -> Ready<Result<Response<Version>, Status>> {
            ready(Ok(Response::new(Version { major: 1, minor: 13, micro: 4, ..Version::default() })))
        });
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(ProstCodec::<Version, ()>::default());
            Ok(grpc.unary(answer, request).await)
        })
    }
}

async fn serve() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let tls = ServerTlsConfig::new().identity(Identity::from_pem(SERVER, SERVER_KEY));
    let server = Server::builder().tls_config(tls).unwrap().add_service(VersionService);
    let connections = tokio_stream::wrappers::TcpListenerStream::new(listener);
    tokio::spawn(async move { server.serve_with_incoming(connections).await.unwrap() });
    address
}

async fn connect(address: &str, roots: TlsRoots) -> Result<Client, Error> {
    let options = ClientOptions { tls_roots: roots, ..ClientOptions::default() };
    Client::connect(&Address::parse(address, 0).unwrap(), &options).await
}

fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

#[tokio::test]
async fn a_server_of_a_given_authority_is_believed_by_address_and_by_name() {
    let port = serve().await.port();
    for host in ["127.0.0.1", "localhost"] {
        let address = format!("grpcs://{host}:{port}");
        let pachd = connect(&address, TlsRoots::Pem(AUTHORITY.to_vec())).await.unwrap();
        assert_eq!(pachd.version().await.unwrap().to_string(), "1.13.4");
    }
}

#[tokio::test]
async fn a_server_of_another_authority_is_refused() {
    let address = serve().await;
    // The machine's own certificates do not hold the tests' authority either.
    for roots in [TlsRoots::Pem(OTHER_AUTHORITY.to_vec()), TlsRoots::Native] {
        let error = connect(&format!("grpcs://{address}"), roots).await.unwrap_err();
        assert_eq!((error.condition(), error.retry_helps()), (Condition::CertificateRefused, false));
        assert!(error.resource().unwrap().contains(&address.to_string()), "{error}");
        let text = chain(&error);
        assert!(text.contains("invalid peer certificate: UnknownIssuer"), "{text}");
    }
}

#[tokio::test]
async fn two_authorities_in_one_text_are_both_believed() {
    let address = serve().await;
    let both = [OTHER_AUTHORITY, AUTHORITY].concat();
    let pachd = connect(&format!("grpcs://{address}"), TlsRoots::Pem(both)).await.unwrap();
    assert_eq!(pachd.version().await.unwrap().to_string(), "1.13.4");
}

#[tokio::test]
async fn a_name_that_the_certificate_lacks_is_refused() {
    let address = serve().await;
    let server = move |_: http::Uri| tokio::net::TcpStream::connect(address);
    let options = ClientOptions { tls_roots: TlsRoots::Pem(AUTHORITY.to_vec()), ..ClientOptions::default() };
    let other = Address::parse("grpcs://pachd.example:650", 0).unwrap();
    let error = Client::with_connector(tower::service_fn(server), &other, &options).await.unwrap_err();
    assert_eq!(error.condition(), Condition::CertificateRefused);
    assert!(chain(&error).contains("not valid for name"), "{}", chain(&error));
}

#[tokio::test]
async fn plaintext_to_a_server_that_speaks_tls_fails() {
    let address = serve().await;
    let outcome = match connect(&format!("grpc://{address}"), TlsRoots::default()).await {
        Ok(pachd) => pachd.version().await.map(|_| ()),
        Err(error) => Err(error),
    };
    assert_eq!(outcome.unwrap_err().condition(), Condition::Unavailable);
}

#[tokio::test]
async fn a_certificate_that_is_refused_when_connecting_again_is_told_as_such() {
    let address = serve().await;
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(OTHER_AUTHORITY));
    let endpoint = Endpoint::from_shared(format!("https://{address}")).unwrap().tls_config(tls).unwrap();
    let pachd = Client::from_channel(endpoint.connect_lazy(), &ClientOptions::default()).unwrap();
    let error = pachd.version().await.unwrap_err();
    assert_eq!((error.condition(), error.retry_helps()), (Condition::CertificateRefused, false), "{}", chain(&error));
}
