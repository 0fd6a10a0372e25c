//! An S3 server in memory.
//!
//! It checks signatures (SigV4) and checksums, copies, copies in parts, lists by range scans (so that a million keys
//! list fast), writes conditionally, and has a [`FaultScript`] for bad days. Path style only.
//!
//! ```no_run
//! # async fn demo() -> std::io::Result<()> {
//! use sandbox::s3::{Fault, FaultRule, Operation, S3Options, S3Server};
//!
//! let server = S3Server::start(S3Options::default()).await?;
//! server.bucket("data").put("block/1", "content", None);
//! server.faults().add(FaultRule::new(Fault::slow_down()).on(Operation::CopyObject).times(3));
//! println!("{}", server.endpoint());
//! # Ok(())
//! # }
//! ```

mod bucket_handle;
mod buckets;
mod checksums;
mod fault;
mod layer;
mod list_v2;
mod listing;
mod multipart;
mod objects;
mod operation;
mod rights;
mod service;
mod store;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use s3s::service::S3ServiceBuilder;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::iam::Policy;
use crate::traffic::Traffic;

pub use bucket_handle::BucketHandle;
pub use fault::{Fault, FaultRule, FaultScript};
pub use operation::Operation;
pub use store::{Object, ObjectHeaders};

/// How to start a server.
#[derive(Clone)]
pub struct S3Options {
    /// Id of the only key pair.
    pub access_key: String,
    /// Secret of the only key pair.
    pub secret_key: String,
    /// Largest object, in bytes, that one `CopyObject` copies; 5 GiB as on AWS.
    pub single_copy_limit: u64,
    /// Smallest part, in bytes, that a multipart upload may have before its last; 5 MiB as on AWS.
    pub min_part_size: u64,
    /// Whether it honours `If-None-Match` and `If-Match` on writes. Older stores take no notice of them.
    pub conditional_writes: bool,
    /// What the server says of its region.
    pub region: String,
    /// Where to listen; port 0 takes a free one.
    pub addr: SocketAddr,
}

impl Default for S3Options {
    fn default() -> Self {
        Self {
            access_key: "sandbox".to_owned(),
            secret_key: "sandbox-secret".to_owned(),
            single_copy_limit: 5 << 30,
            min_part_size: 5 << 20,
            conditional_writes: true,
            region: "us-east-1".to_owned(),
            addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        }
    }
}

impl fmt::Debug for S3Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Options")
            .field("access_key", &self.access_key)
            .field("secret_key", &"<redacted>")
            .field("single_copy_limit", &self.single_copy_limit)
            .field("min_part_size", &self.min_part_size)
            .field("conditional_writes", &self.conditional_writes)
            .field("region", &self.region)
            .field("addr", &self.addr)
            .finish()
    }
}

/// A running server. Dropping it ends it and closes its connections.
pub struct S3Server {
    addr: SocketAddr,
    options: S3Options,
    store: store::Store,
    faults: FaultScript,
    traffic: Traffic,
    policy: layer::Allowed,
    end: CancellationToken,
    tasks: TaskTracker,
}

impl S3Server {
    /// Starts a server on the current runtime.
    ///
    /// # Errors
    /// Those of binding the address.
    pub async fn start(options: S3Options) -> io::Result<Self> {
        let listener = TcpListener::bind(options.addr).await?;
        let addr = listener.local_addr()?;
        let server = Self {
            addr,
            store: store::Store::default(),
            faults: FaultScript::default(),
            traffic: Traffic::of(Operation::ALL.len()),
            policy: layer::Allowed::default(),
            end: CancellationToken::new(),
            tasks: TaskTracker::new(),
            options,
        };
        let layer = server.layer();
        let (end, tasks) = (server.end.clone(), server.tasks.clone());
        server.tasks.spawn(accept(listener, layer, end, tasks));
        Ok(server)
    }

    fn layer(&self) -> layer::Layer {
        let mut builder = S3ServiceBuilder::new(service::Service {
            store: self.store.clone(),
            region: self.options.region.clone(),
            single_copy_limit: self.options.single_copy_limit,
            min_part_size: self.options.min_part_size,
            conditional_writes: self.options.conditional_writes,
        });
        builder.set_auth(service::SingleUser {
            access_key: self.options.access_key.clone(),
            secret_key: self.options.secret_key.as_str().into(),
        });
        builder.set_route(list_v2::ListV2 { store: self.store.clone() });
        layer::Layer {
            service: builder.build(),
            faults: self.faults.clone(),
            traffic: self.traffic.clone(),
            policy: self.policy.clone(),
        }
    }

    /// The server's URL.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Where the server listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// How the server was started.
    #[must_use]
    pub fn options(&self) -> &S3Options {
        &self.options
    }

    /// A bucket, reached directly. It is created if it isn't there.
    #[must_use]
    pub fn bucket(&self, name: &str) -> BucketHandle {
        BucketHandle::new(self.store.clone(), name)
    }

    /// The faults to come.
    #[must_use]
    pub fn faults(&self) -> FaultScript {
        self.faults.clone()
    }

    /// Delays each request of an operation, or of all that have no latency of their own.
    pub fn set_latency(&self, operation: impl Into<Option<Operation>>, latency: Duration) {
        self.traffic.set_latency(operation.into().map(|operation| operation as usize), latency);
    }

    /// Whether everybody may read a bucket, as its ACL and policy status tell.
    pub fn set_public(&self, bucket: &str, public: bool) {
        self.bucket(bucket).set_public(public);
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
        self.traffic.requests(operation as usize)
    }

    /// From now on nothing is allowed but what a policy allows.
    pub fn allow_only(&self, policy: Arc<Policy>) {
        *self.policy.write().unwrap_or_else(PoisonError::into_inner) = Some(policy);
    }

    /// Ends the server and waits until its connections are closed.
    pub async fn stop(self) {
        self.end.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.end.cancel();
        self.tasks.close();
    }
}

impl fmt::Debug for S3Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Server").field("endpoint", &self.endpoint()).finish_non_exhaustive()
    }
}

async fn accept(listener: TcpListener, layer: layer::Layer, end: CancellationToken, tasks: TaskTracker) {
    loop {
        let accepted = tokio::select! {
            () = end.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => drop(tasks.spawn(serve(stream, layer.clone(), end.clone()))),
            Err(error) => {
                tracing::warn!(%error, "accepting a connection failed");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, layer: layer::Layer, end: CancellationToken) {
    // Without this, small replies wait for the client's acknowledgement.
    let nodelay = stream.set_nodelay(true);
    let connection = hyper::server::conn::http1::Builder::new()
        // A timer for each request costs more than it is worth between a client and a server of one test.
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), service_fn(move |request| layer.clone().call(request)));
    tokio::select! {
        () = end.cancelled() => {}
        ended = connection => tracing::debug!(?nodelay, ?ended, "connection ended"),
    }
}
