//! A Compute Engine, and how it is reached.

use std::collections::HashMap;
use std::time::Duration;

use google_cloud_auth::credentials::{CacheableResource, Credentials, CredentialsProvider, EntityTag};
use google_cloud_auth::errors::CredentialsError;
use google_cloud_compute_v1::client::{Disks, Snapshots};
use google_cloud_gax::retry_policy::NeverRetry;
use http::{Extensions, HeaderMap, HeaderValue, header};
pub(crate) use provider::testkit::volume_requests::{cut, outcome, owner, ready, restore, words};
use provider_gcp::{PdOptions, PdSnapshots};
use sandbox::compute::{ComputeOptions, ComputeServer, NewDisk};

pub(crate) const PROJECT: &str = "sandbox";
pub(crate) const ZONE: &str = "us-central1-a";
pub(crate) const MISSING_DISK: &str = "projects/sandbox/zones/us-central1-a/disks/nothing";

/// A token that never ends.
#[derive(Debug)]
struct Token(&'static str);

impl CredentialsProvider for Token {
    async fn headers(&self, _: Extensions) -> Result<CacheableResource<HeaderMap>, CredentialsError> {
        let value = HeaderValue::from_str(&format!("Bearer {}", self.0)).unwrap();
        let data = HeaderMap::from_iter([(header::AUTHORIZATION, value)]);
        Ok(CacheableResource::New { entity_tag: EntityTag::default(), data })
    }

    async fn universe_domain(&self) -> Option<String> {
        None
    }
}

pub(crate) fn credentials(token: &'static str) -> Credentials {
    Credentials::from(Token(token))
}

/// In a hurry.
pub(crate) fn options(endpoint: &str) -> PdOptions {
    PdOptions {
        project: Some(PROJECT.to_owned()),
        endpoint: Some(endpoint.to_owned()),
        credentials: provider_gcp::GoogleCredentials::Given(credentials("sandbox")),
        poll: Duration::from_millis(20),
        available_limit: Duration::from_secs(5),
        answer_limit: Duration::from_secs(5),
        lookup_limit: Duration::from_millis(300),
        ..PdOptions::default()
    }
}

/// A sandbox with a disk.
pub(crate) async fn sandbox(options: ComputeOptions) -> (ComputeServer, String) {
    let server = ComputeServer::start(options).await.unwrap();
    let disk = server.add_disk(NewDisk::default());
    (server, disk)
}

pub(crate) async fn connect(server: &ComputeServer) -> PdSnapshots {
    PdSnapshots::connect(options(&server.endpoint())).await.unwrap()
}

/// The SDK itself, which sends everything once.
pub(crate) async fn clients(server: &ComputeServer) -> (Disks, Snapshots) {
    let disks = Disks::builder().with_endpoint(server.endpoint()).with_credentials(credentials("sandbox"));
    let snapshots = Snapshots::builder().with_endpoint(server.endpoint()).with_credentials(credentials("sandbox"));
    let disks = disks.with_retry_policy(NeverRetry).build().await.unwrap();
    (disks, snapshots.with_retry_policy(NeverRetry).build().await.unwrap())
}

/// How often a call was made.
pub(crate) fn count(server: &ComputeServer, call: &str) -> usize {
    server.calls().iter().filter(|made| made.call == call).count()
}

/// The body of the last call of a name.
pub(crate) fn sent(server: &ComputeServer, call: &str) -> serde_json::Value {
    server.calls().into_iter().rfind(|made| made.call == call).unwrap().body
}

/// The request ids of all calls of a name, in order.
pub(crate) fn request_ids(server: &ComputeServer, call: &str) -> Vec<String> {
    let calls = server.calls().into_iter().filter(|made| made.call == call);
    calls.map(|made| made.query["requestId"].clone()).collect()
}

/// Labels as the SDK takes them.
pub(crate) fn labels(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
