//! A running server.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::shared::Shared;
use super::{BucketHandle, FaultScript, GcsOptions, Operation, Permissions, connections};

/// A running server. Dropping it ends it and closes its connections.
pub struct GcsServer {
    addr: SocketAddr,
    shared: Arc<Shared>,
    end: CancellationToken,
    tasks: TaskTracker,
}

impl GcsServer {
    /// Starts a server on the current runtime.
    ///
    /// # Errors
    /// Those of binding the address.
    pub async fn start(options: GcsOptions) -> io::Result<Self> {
        let listener = TcpListener::bind(options.addr).await?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared::new(options, format!("http://{addr}")));
        let server = Self { addr, shared, end: CancellationToken::new(), tasks: TaskTracker::new() };
        let (end, tasks) = (server.end.clone(), server.tasks.clone());
        server.tasks.spawn(connections::accept(listener, Arc::clone(&server.shared), end, tasks));
        Ok(server)
    }

    /// The server's URL.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.shared.endpoint.clone()
    }

    /// Where the server listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `host:port` for the environment variable `GCE_METADATA_HOST`, by which Google's libraries find a metadata server.
    #[must_use]
    pub fn metadata_host(&self) -> String {
        self.addr.to_string()
    }

    /// Where an OAuth token is refreshed: the `token_uri` of a credential file.
    #[must_use]
    pub fn token_uri(&self) -> String {
        format!("{}/token", self.shared.endpoint)
    }

    /// A credential file of the type `authorized_user`, as `gcloud auth application-default login` writes one, with this
    /// server's token endpoint.
    #[must_use]
    pub fn user_credentials(&self) -> Value {
        json!({
            "type": "authorized_user",
            "client_id": "sandbox.apps.googleusercontent.com",
            "client_secret": "sandbox-client-secret",
            "refresh_token": self.shared.options.refresh_token,
            "token_uri": self.token_uri(),
        })
    }

    /// A new access token of the service account, for requests made by hand.
    #[must_use]
    pub fn token(&self) -> String {
        self.shared.accounts.issue(&self.shared.options.account)
    }

    /// Tells of a token whether this server gave it and it is still good: other services of the same cloud take it too.
    #[must_use]
    pub fn token_check(&self) -> Arc<dyn Fn(&str) -> bool + Send + Sync> {
        let shared = Arc::clone(&self.shared);
        Arc::new(move |token| shared.accounts.knows(token))
    }

    /// From now on no token is good that was given so far.
    pub fn revoke_tokens(&self) {
        self.shared.accounts.revoke_all();
    }

    /// How the server was started.
    #[must_use]
    pub fn options(&self) -> &GcsOptions {
        &self.shared.options
    }

    /// A bucket, reached directly. It is created if it isn't there.
    #[must_use]
    pub fn bucket(&self, name: &str) -> BucketHandle {
        BucketHandle::new(self.shared.store.clone(), name)
    }

    /// Names of the buckets, sorted.
    #[must_use]
    pub fn buckets(&self) -> Vec<String> {
        self.shared.store.all().keys().cloned().collect()
    }

    /// The faults to come.
    #[must_use]
    pub fn faults(&self) -> FaultScript {
        self.shared.faults.clone()
    }

    /// Delays each request of an operation, or of all that have no latency of their own.
    pub fn set_latency(&self, operation: impl Into<Option<Operation>>, latency: Duration) {
        self.shared.traffic.set_latency(operation.into().map(|operation| operation as usize), latency);
    }

    /// How many requests arrived, by operation; those with faults count too.
    #[must_use]
    pub fn requests(&self) -> BTreeMap<Operation, u64> {
        let seen = Operation::ALL.iter().map(|operation| (*operation, self.request_count(*operation)));
        seen.filter(|(_, requests)| *requests > 0).collect()
    }

    /// How many requests of one operation arrived.
    #[must_use]
    pub fn request_count(&self, operation: Operation) -> u64 {
        self.shared.traffic.requests(operation as usize)
    }

    /// The projects that calls were billed to by their own word: `x-goog-user-project` or `userProject`.
    #[must_use]
    pub fn user_projects(&self) -> BTreeSet<String> {
        self.shared.user_projects.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on nobody may do anything but what these permissions allow.
    pub fn allow_only(&self, permissions: Arc<Permissions>) {
        *self.shared.permissions.write().unwrap_or_else(PoisonError::into_inner) = Some(permissions);
    }

    /// Ends the server and waits until its connections are closed.
    pub async fn stop(self) {
        self.end.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for GcsServer {
    fn drop(&mut self) {
        self.end.cancel();
        self.tasks.close();
    }
}

impl fmt::Debug for GcsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GcsServer").field("endpoint", &self.shared.endpoint).finish_non_exhaustive()
    }
}
