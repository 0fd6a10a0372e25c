//! A server, buckets on it, and calls that many tests make.

use bytes::Bytes;
use futures::TryStreamExt as _;
use provider::{Bucket, CopyRequest, Error, GetRequest, Key, ObjectMeta};
use provider_gcp::{GcsBucket, GcsConfig, GoogleCredentials};
use sandbox::gcs::{GcsOptions, GcsServer};

pub(crate) const MIB: u64 = 1 << 20;

/// A server that asks for no token and rewrites 1 MiB in a call if source and destination differ.
pub(crate) async fn server() -> GcsServer {
    let options = GcsOptions { anonymous: true, rewrite_bytes_per_call: Some(MIB), ..GcsOptions::default() };
    let server = GcsServer::start(options).await.unwrap();
    let _ = server.bucket("data");
    server
}

pub(crate) fn config(server: &GcsServer, bucket: &str) -> GcsConfig {
    let credentials = GoogleCredentials::Anonymous;
    GcsConfig { endpoint: Some(server.endpoint()), credentials, ..GcsConfig::new(bucket) }
}

pub(crate) fn open(server: &GcsServer, bucket: &str) -> GcsBucket {
    GcsBucket::open(&config(server, bucket)).unwrap()
}

pub(crate) async fn head(bucket: &GcsBucket, key: &str) -> ObjectMeta {
    bucket.head(&Key::new(key)).await.unwrap().unwrap()
}

pub(crate) async fn read(bucket: &GcsBucket, key: &str) -> Result<Vec<u8>, Error> {
    Ok(bucket.get(&GetRequest::whole(key)).await?.body.try_collect::<Vec<Bytes>>().await?.concat())
}

pub(crate) fn copy<'a>(source: &'a dyn Bucket, from: &str, to: &str, meta: &ObjectMeta) -> CopyRequest<'a> {
    CopyRequest {
        source,
        from: Key::new(from),
        to: Key::new(to),
        size: meta.size,
        class: meta.class,
        if_version: Some(meta.version.clone()),
        token: None,
    }
}

pub(crate) fn pattern(bytes: usize) -> Bytes {
    (0..bytes).map(|at| u8::try_from((at / 7) % 251).unwrap()).collect::<Vec<u8>>().into()
}

/// An error and its causes, as they are told.
pub(crate) fn words(error: &Error) -> String {
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(found) = cause {
        words = format!("{words}: {found}");
        cause = found.source();
    }
    words
}
