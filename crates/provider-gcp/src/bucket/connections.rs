//! The SDK's clients: one for bytes, and several for everything else.
//!
//! A connection of gRPC carries at most 100 calls at a time, so calls are spread over as many as their number needs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use google_cloud_auth::credentials::Credentials;
use google_cloud_gax::retry_policy::NeverRetry;
use google_cloud_storage::client::{Storage, StorageControl};
use google_cloud_storage::read_resume_policy::NeverResume;
use provider::Result;
use tokio::sync::OnceCell;

use crate::error::of_client;

/// Calls on a connection before another one is opened: fewer than it carries, since calls come at once.
const CALLS: usize = 64;

/// What a connection is made with.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) endpoint: Option<String>,
    /// Clones share their tokens.
    pub(super) credentials: Credentials,
    /// Most connections.
    pub(super) channels: usize,
}

/// The clients of a bucket. Each is made when it is first needed, on the runtime that needs it. They send each request once.
pub(super) struct Connections {
    target: Target,
    channels: Vec<Channel>,
    /// How many of them are in use.
    opened: AtomicUsize,
    bytes: OnceCell<Storage>,
}

#[derive(Default)]
struct Channel {
    client: OnceCell<StorageControl>,
    in_flight: AtomicUsize,
}

/// A client, and the place of one call on its connection.
pub(super) struct Lease<'a> {
    client: &'a StorageControl,
    _place: Place<'a>,
}

struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl std::ops::Deref for Lease<'_> {
    type Target = StorageControl;

    fn deref(&self) -> &StorageControl {
        self.client
    }
}

impl Connections {
    pub(super) fn new(target: Target) -> Arc<Self> {
        let channels = (0..target.channels.max(1)).map(|_| Channel::default()).collect();
        Arc::new(Self { target, channels, opened: AtomicUsize::new(1), bytes: OnceCell::new() })
    }

    /// The same with connections of its own.
    pub(super) fn another(&self) -> Arc<Self> {
        Self::new(self.target.clone())
    }

    /// How many connections calls are spread over so far.
    pub(super) fn opened(&self) -> usize {
        self.opened.load(Ordering::Relaxed)
    }

    /// The client that moves bytes.
    pub(super) async fn bytes(&self) -> Result<&Storage> {
        self.bytes
            .get_or_try_init(|| async {
                let mut builder = Storage::builder()
                    .with_credentials(self.target.credentials.clone())
                    .with_retry_policy(NeverRetry)
                    .with_read_resume_policy(NeverResume)
                    .with_grpc_subchannel_count(1);
                if let Some(endpoint) = &self.target.endpoint {
                    builder = builder.with_endpoint(endpoint);
                }
                builder.build().await.map_err(|error| of_client(self.name(), error))
            })
            .await
    }

    /// The client for a call, on the connection with the fewest of them.
    pub(super) async fn control(&self) -> Result<Lease<'_>> {
        let channel = self.emptiest();
        channel.in_flight.fetch_add(1, Ordering::Relaxed);
        let place = Place(&channel.in_flight);
        let client = channel
            .client
            .get_or_try_init(|| async {
                let mut builder = StorageControl::builder()
                    .with_credentials(self.target.credentials.clone())
                    .with_retry_policy(NeverRetry);
                if let Some(endpoint) = &self.target.endpoint {
                    builder = builder.with_endpoint(endpoint);
                }
                builder.build().await.map_err(|error| of_client(self.name(), error))
            })
            .await?;
        Ok(Lease { client, _place: place })
    }

    fn emptiest(&self) -> &Channel {
        let opened = self.opened().clamp(1, self.channels.len());
        let load = |channel: &&Channel| channel.in_flight.load(Ordering::Relaxed);
        let emptiest = self.channels[..opened].iter().min_by_key(load).unwrap_or(&self.channels[0]);
        if load(&emptiest) < CALLS || opened == self.channels.len() {
            return emptiest;
        }
        self.opened.fetch_max(opened + 1, Ordering::Relaxed);
        &self.channels[opened]
    }

    fn name(&self) -> &str {
        self.target.endpoint.as_deref().unwrap_or("Cloud Storage")
    }
}

#[cfg(test)]
mod tests {
    use google_cloud_auth::credentials::anonymous;

    use super::*;

    #[tokio::test]
    async fn connections_are_opened_as_calls_need_them() {
        let credentials = anonymous::Builder::new().build();
        let endpoint = Some("http://127.0.0.1:1".to_owned());
        let connections = Connections::new(Target { endpoint, credentials, channels: 3 });
        let mut leases = Vec::new();
        for (calls, opened) in [(1, 1), (64, 1), (65, 2), (128, 2), (129, 3), (400, 3)] {
            while leases.len() < calls {
                leases.push(connections.control().await.unwrap());
            }
            assert_eq!(connections.opened(), opened, "{calls}");
        }
        let loads = || connections.channels.iter().map(|channel| channel.in_flight.load(Ordering::Relaxed));
        assert!(loads().all(|load| (133..=134).contains(&load)), "{:?}", loads().collect::<Vec<_>>());
        drop(leases);
        assert_eq!(loads().sum::<usize>(), 0);
    }
}
