//! Who asks: a metadata server, a file, its text, and what can't be used.

use std::process::Command;

use provider::{Bucket as _, ErrorKind, GetRequest, Key, PutMode, PutRequest};
use provider_gcp::{GcsBucket, GcsConfig, GoogleCredentials};
use sandbox::gcs::{GcsOptions, GcsServer, Operation};

use crate::place::{config, read, words};

const ENDPOINT: &str = "PROVIDER_GCP_TEST_ENDPOINT";

async fn server() -> GcsServer {
    let server = GcsServer::start(GcsOptions::default()).await.unwrap();
    server.bucket("data").put("key", "content", None);
    server
}

fn open(server: &GcsServer, credentials: GoogleCredentials) -> GcsBucket {
    GcsBucket::open(&GcsConfig { credentials, ..config(server, "data") }).unwrap()
}

/// Run in a process of its own by the test below, with the environment of a machine of Google's.
#[tokio::test]
#[ignore = "the test of the metadata server runs it"]
async fn asks_with_the_default_credentials() {
    let endpoint = Some(std::env::var(ENDPOINT).unwrap());
    let bucket = GcsBucket::open(&GcsConfig { endpoint, ..GcsConfig::new("data") }).unwrap();
    assert_eq!(read(&bucket, "key").await.unwrap(), b"content");
    let own = bucket.with_own_connections().unwrap();
    own.put(PutRequest::bytes("seen", PutMode::CreateOnly, "x")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metadata_server_gives_a_token_once() {
    let server = server().await;
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args(["--ignored", "--exact", "credentials::asks_with_the_default_credentials"])
        .env_remove("GOOGLE_APPLICATION_CREDENTIALS")
        .env("HOME", "/nonexistent")
        .env("GCE_METADATA_HOST", server.metadata_host())
        .env(ENDPOINT, server.endpoint());
    let output = tokio::task::spawn_blocking(move || child.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(server.bucket("data").get("seen").unwrap().bytes, "x");
    assert_eq!(server.request_count(Operation::Token), 1);
}

#[tokio::test]
async fn a_file_and_its_text_name_a_user() {
    let server = server().await;
    let text = server.user_credentials().to_string();
    let path = std::env::temp_dir().join(format!("provider-gcp-{}.json", std::process::id()));
    std::fs::write(&path, &text).unwrap();
    let by_file = open(&server, GoogleCredentials::File(path.clone()));
    let by_text = open(&server, GoogleCredentials::Json(text));
    for bucket in [&by_file, &by_text] {
        assert_eq!(read(bucket, "key").await.unwrap(), b"content");
        bucket.with_own_connections().unwrap().head(&Key::new("key")).await.unwrap().unwrap();
    }
    std::fs::remove_file(path).unwrap();
    assert_eq!(server.request_count(Operation::Token), 2);
    server.revoke_tokens();
    let error = by_file.head(&Key::new("key")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert!(words(&error).contains("gcloud auth application-default login"), "{}", words(&error));
    assert!(!format!("{error:?} {by_text:?}").contains(&server.options().refresh_token));
}

#[tokio::test]
async fn nobody_and_a_wrong_file_are_refused() {
    let server = server().await;
    let nobody = open(&server, GoogleCredentials::Anonymous);
    let error = nobody.get(&GetRequest::whole("key")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    let mut stale = server.user_credentials();
    stale["refresh_token"] = "hush".into();
    let stale = open(&server, GoogleCredentials::Json(stale.to_string()));
    let error = stale.head(&Key::new("key")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error:?}");
    assert!(!words(&error).contains("hush") && !format!("{error:?}").contains("hush"), "{error:?}");
}
