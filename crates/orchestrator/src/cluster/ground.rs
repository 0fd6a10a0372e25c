//! What of a cluster can be reached while its pachd is stopped: Deployment, etcd and bucket.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;
use pachyderm::etcd::EtcdClient;
use provider::Bucket;

use super::discover::{connect_etcd, read_namespace};
use super::environment::Environment;
use super::etcd_pods::EtcdPods;
use super::etcd_workload::EtcdWorkload;
use super::{BucketLocation, deployments, parse_version};
use crate::error::Result;
use crate::job::{Opened, Stores, Target};

/// A cluster without its pachd.
pub(crate) struct Ground {
    /// Kubernetes client.
    pub(crate) kubernetes: kube::Client,
    /// The namespace.
    pub(crate) namespace: String,
    /// Name of pachd's Deployment.
    pub(crate) deployment: String,
    /// How many pods of pachd are wanted now.
    pub(crate) replicas: i32,
    /// Labels of pachd's pods, as `kubectl get -l` takes them.
    pub(crate) pachd_pods: String,
    /// UID of the namespace.
    pub(crate) namespace_uid: String,
    /// etcd, or why it can't be reached.
    pub(crate) etcd: Result<EtcdClient>,
    /// What runs etcd, where that is in the namespace.
    pub(crate) etcd_workload: Option<EtcdWorkload>,
    etcd_host: Option<String>,
    /// Prefix of pachd's keys in etcd.
    pub(crate) etcd_prefix: String,
    /// Where the data goes.
    pub(crate) location: BucketLocation,
    /// The data bucket.
    pub(crate) bucket: Arc<dyn Bucket>,
    /// Which stores can copy with it by themselves.
    pub(crate) bucket_realm: String,
}

impl Ground {
    /// Reads it. `pachd_version` is that of the pachd that runs there, or did.
    ///
    /// # Errors
    /// As those of discovery. An etcd that can't be reached is none yet.
    pub(crate) async fn read(target: &Target, stores: &dyn Stores, pachd_version: &str) -> Result<Self> {
        let namespace = read_namespace(target).await?;
        let deployment: Deployment = deployments::pachd(target).await?;
        let environment = Environment::read(&target.kubernetes, &target.namespace, &deployment).await?;
        let (etcd, etcd_workload) = match EtcdPods::read(target, environment.etcd_host()).await {
            Ok(pods) => {
                let client = connect_etcd(target, &pods).await.map(|(client, _)| client);
                (client, EtcdWorkload::read(target, &pods.selector).await?)
            }
            Err(error) => (Err(error), None),
        };
        let (major, minor, _) = parse_version(pachd_version);
        let location = environment.bucket((major, minor))?;
        let Opened { bucket, realm, .. } = stores.open_data(&location)?;
        Ok(Self {
            kubernetes: target.kubernetes.clone(),
            namespace: target.namespace.clone(),
            deployment: deployment.name_any(),
            replicas: deployment.spec.replicas.unwrap_or(1),
            pachd_pods: deployments::label_selector(&deployments::pod_labels(&deployment)),
            namespace_uid: namespace.metadata.uid.unwrap_or_default(),
            etcd,
            etcd_workload,
            etcd_host: environment.etcd_host().map(str::to_owned),
            etcd_prefix: environment.etcd_prefix().to_owned(),
            location,
            bucket,
            bucket_realm: realm,
        })
    }

    /// etcd as it can be reached now, after its pods have changed.
    ///
    /// # Errors
    /// Why it can't be reached.
    pub(crate) async fn connect_etcd(&self, target: &Target) -> Result<EtcdClient> {
        let pods = EtcdPods::read(target, self.etcd_host.as_deref()).await?;
        connect_etcd(target, &pods).await.map(|(client, _)| client)
    }
}
