//! A whole recorded cluster: pachd with its etcd, its bucket on an S3 server, and the Kubernetes API around it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::kubernetes::{Backend, KubernetesOptions, KubernetesServer, PachydermDeployment, WorkerControl};
use crate::pachd::objects::ObjectStore;
use crate::pachd::pipelines::Workers;
use crate::pachd::recorded::{self, LoadError};
use crate::pachd::{AuthOptions, ExtractClock, PachdOptions, PachdServer};
use crate::s3::{BucketHandle, S3Options, S3Server};

/// Namespace of the deployment.
pub const NAMESPACE: &str = "pachyderm";
/// Name of the data bucket.
pub const BUCKET: &str = "pachyderm-data";
/// The storage root inside the bucket, as a MINIO deployment writes it.
const ROOT: &str = "pach/";

/// How a recorded cluster is served.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// Whether its pipelines run, as before the recording, or are stopped, as recorded.
    pub running: bool,
    /// How long the pipeline master takes for each state of each pipeline. The recorded one took about 1.3 s.
    pub master_interval: Duration,
    /// Access key and secret of the data bucket.
    pub access_key: (String, String),
    /// Whether the deployment is marked as one with other storage, which can't be backed up.
    pub storage_v2: bool,
    /// Present when auth is on.
    pub auth: Option<AuthOptions>,
}

impl Default for ClusterOptions {
    fn default() -> Self {
        Self {
            running: true,
            master_interval: Duration::from_millis(20),
            access_key: ("sandbox".to_owned(), "sandbox-secret-key".to_owned()),
            storage_v2: false,
            auth: None,
        }
    }
}

/// Why a cluster could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A socket could not be opened.
    #[error("a socket could not be opened")]
    Socket(#[from] io::Error),
    /// The recorded data is damaged.
    #[error("the recorded cluster can't be loaded")]
    Load(#[from] LoadError),
    /// The Kubernetes API refused the deployment.
    #[error("the deployment was refused: {0}")]
    Deploy(String),
}

/// A recorded cluster that is being served. Everything stops when it is dropped.
#[derive(Debug)]
pub struct RecordedCluster {
    /// The Kubernetes API.
    pub kubernetes: KubernetesServer,
    /// The store that holds the data bucket.
    pub s3: S3Server,
    /// pachd and its etcd.
    pub pachd: PachdServer,
}

impl RecordedCluster {
    /// Serves cluster *alpha*.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn alpha(options: ClusterOptions) -> Result<Self, StartError> {
        let (access_key, secret_key) = options.access_key.clone();
        let s3 = S3Server::start(S3Options {
            access_key: access_key.clone(),
            secret_key: secret_key.clone(),
            ..S3Options::default()
        })
        .await?;
        let bucket = Arc::new(ServedBucket { handle: s3.bucket(BUCKET) });
        let recorded = recorded::load_alpha(bucket, options.running)?;

        let kubernetes = KubernetesServer::start(KubernetesOptions {
            default_namespace: Some(NAMESPACE.to_owned()),
            ..KubernetesOptions::default()
        })
        .await?;
        let refused = |error: crate::kubernetes::StatusError| StartError::Deploy(error.message);
        kubernetes.create_namespace(NAMESPACE).map_err(refused)?;
        let mut deployment = PachydermDeployment::new(
            NAMESPACE,
            Backend::Minio {
                endpoint: s3.addr().to_string(),
                bucket: BUCKET.to_owned(),
                id: access_key,
                secret: secret_key,
                secure: false,
            },
        );
        deployment.storage_v2 = options.storage_v2;
        kubernetes.deploy(&deployment).map_err(refused)?;

        let pachd = PachdServer::start(
            recorded,
            PachdOptions {
                workers: Arc::new(ServedWorkers(kubernetes.worker_control(NAMESPACE))),
                master_interval: options.master_interval,
                clock: ExtractClock::Recorded(recorded::alpha_clock()?),
                deployment_id: deployment.deployment_id.clone(),
                auth: options.auth,
            },
        )
        .await?;
        kubernetes.set_forward("app=pachd", 650, pachd.external());
        kubernetes.set_forward("app=pachd", 653, pachd.peer());
        kubernetes.set_forward("app=etcd", 2379, pachd.etcd());
        Ok(Self { kubernetes, s3, pachd })
    }
}

/// pachd's bucket is the one that the S3 server serves.
#[derive(Debug)]
struct ServedBucket {
    handle: BucketHandle,
}

impl ObjectStore for ServedBucket {
    fn get(&self, key: &str) -> Option<Bytes> {
        self.handle.get(&format!("{ROOT}{key}")).map(|object| object.bytes)
    }

    fn put(&self, key: &str, value: Bytes) {
        self.handle.put(&format!("{ROOT}{key}"), value, None);
    }

    fn delete(&self, key: &str) {
        self.handle.remove(&format!("{ROOT}{key}"));
    }

    fn list(&self, prefix: &str) -> Vec<String> {
        let prefix = format!("{ROOT}{prefix}");
        let keys = self.handle.keys().into_iter().filter(|key| key.starts_with(&prefix));
        keys.map(|key| key[ROOT.len()..].to_owned()).collect()
    }
}

/// pachd's workers are pods of the Kubernetes API.
#[derive(Debug)]
struct ServedWorkers(WorkerControl);

impl Workers for ServedWorkers {
    fn replace(&self, pipeline: &str, version: u64, spec_commit: &str, replicas: usize) {
        if let Err(error) = self.0.set_worker_rc(pipeline, version, spec_commit, replicas) {
            tracing::warn!(pipeline, error = error.message, "workers could not be replaced");
        }
    }

    fn any_left(&self, pipeline: &str) -> bool {
        self.0.workers(pipeline).pods > 0
    }
}
