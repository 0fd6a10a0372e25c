//! `pachsnap clone` with a store whose certificate nobody signed but its owner. Certificate and key are in `certificates/`: good for
//! `localhost`, for a hundred years, and for nothing but this test.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use e2e::{CloneCommand, Ended, assert_said, start};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sandbox::s3::{Operation, S3Options, S3Server};
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// A server behind TLS.
struct Place {
    server: S3Server,
    folder: TempDir,
    endpoint: String,
}

impl Place {
    async fn new() -> Self {
        let server = S3Server::start(S3Options::default()).await.unwrap();
        drop(server.bucket("clone"));
        for number in 0..1_500 {
            server.bucket("source").put(&format!("pach/block/{number:032x}"), number.to_string(), None);
        }
        let folder = tempfile::tempdir().unwrap();
        let certificate = CertificateDer::from_pem_file(file("store.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(file("store.key")).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let port = serve(TlsAcceptor::from(Arc::new(config)), server.addr()).await;
        Self { server, folder, endpoint: format!("https://localhost:{port}") }
    }

    async fn run(&self, more: &[(&'static str, &str)]) -> Ended {
        let command = CloneCommand::new("source", "clone/c/", &self.endpoint, &self.folder.path().join("state"));
        let environment = CloneCommand::environment().into_iter().chain(more.iter().copied());
        start(self.folder.path(), environment, command.arguments()).end().await
    }
}

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/certificates").join(name)
}

/// Answers the port where it lets in who speaks TLS.
async fn serve(acceptor: TlsAcceptor, to: SocketAddr) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // Who doesn't believe the certificate hangs up here.
                let Ok(mut client) = acceptor.accept(stream).await else { return };
                let mut server = TcpStream::connect(to).await.unwrap();
                let _ = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_believed_when_it_is_named_and_else_refused_at_once() {
    let place = Place::new().await;
    let began = std::time::Instant::now();
    let refused = place.run(&[]).await;
    assert_said(&refused, 23, &["certificate is not believed", "SSL_CERT_FILE", "UnknownIssuer"]);
    assert_said(&refused, 23, &["The clone is not up to date"]);
    assert!(began.elapsed().as_secs() < 60, "it is asked again, although no waiting helps");
    assert_eq!(place.server.requests().len(), 0, "something was sent to a store that is not believed");

    let certificate = file("store.pem").display().to_string();
    assert_said(&place.run(&[("SSL_CERT_FILE", &certificate)]).await, 0, &[]);
    assert_eq!(place.server.request_count(Operation::CopyObject), 1_500);
    let clone = place.server.bucket("clone");
    assert_eq!(clone.keys().len(), 1_500);
    // Both clients were used: the SDK locks, the other one copies.
    assert!(place.server.request_count(Operation::PutObject) > 0);
}
