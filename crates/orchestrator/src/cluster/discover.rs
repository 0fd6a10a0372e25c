//! From a namespace to a [`Cluster`]: reads only, and proves what it read.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use pachyderm::client::{Client, ClientOptions, TlsRoots, Token};
use pachyderm::etcd::EtcdClient;

use super::connection::Route;
use super::environment::{Environment, grpc_port};
use super::etcd_pods::EtcdPods;
use super::{
    Cluster, EntryService, Pipeline, Pods, Work, deployments, etcd_error, etcd_volume, identity, pachd_error,
    parse_version, services, work,
};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Events;
use crate::job::{Opened, Stores, Target};
use crate::manifest::{ClusterRecord, EtcdRecord, EtcdVolumeRecord};

/// Reads everything that a run has to know, and proves that pachd, etcd and the bucket belong together.
///
/// # Errors
/// `NotFound` without a deployment of Pachyderm in the namespace, `Configuration` when an option has to say which of several
/// it is or where etcd is, `Denied` naming the right that is missing,
/// `UnsupportedCluster` for other storage or versions, `WrongCluster` when the parts contradict each other.
pub async fn discover(target: &Target, stores: &dyn Stores, events: &Events) -> Result<Cluster> {
    let kubernetes = &target.kubernetes;
    let version = kubernetes.apiserver_version().await.map_err(|error| {
        let error = Error::from(error);
        Error::new(error.kind(), "the Kubernetes API can't be used")
            .because(error)
            .advise("check the context with `kubectl version`; choose one with --context or --kubeconfig")
    })?;
    let namespace = read_namespace(target).await?;
    let deployment = deployments::pachd(target).await?;
    let environment = Environment::read(kubernetes, &target.namespace, &deployment).await?;
    environment.refuse_storage_v2()?;

    let pachd = connect(target, &deployment).await?;
    let pachd_version = pachd.version().await.map_err(|error| pachd_error("reading the version", error))?.to_string();
    let (major, minor, _) = parse_version(&pachd_version);
    if major != 1 || minor < 7 {
        return Err(Error::new(ErrorKind::UnsupportedCluster, format!("pachd has version {pachd_version}"))
            .advise("pachsnap backs up Pachyderm 1.7 to 1.13"));
    }
    let info = pachd.inspect_cluster().await.map_err(|error| pachd_error("reading the cluster's id", error))?;

    let mut warnings = Vec::new();
    let etcd_pods = EtcdPods::read(target, environment.etcd_host()).await?;
    let (etcd, etcd_record) = match connect_etcd(target, &etcd_pods).await {
        Ok((client, record)) => (Some(client), Some(record)),
        Err(error) => {
            warnings.push(format!(
                "etcd does not answer ({}): no etcd snapshot, and quiescence is proven by two polls only; if it \
                 runs elsewhere, name its address with --etcd-address",
                crate::error::chain(&error)
            ));
            (None, None)
        }
    };
    if let Some(etcd) = &etcd {
        identity::same_cluster(etcd, &info.id).await?;
    }
    let (etcd_volumes, unread) = etcd_volume::read(kubernetes, &target.namespace, &etcd_pods).await?;
    warnings.extend(etcd_record.as_ref().and_then(|record: &EtcdRecord| etcd_pods.unseen(record.members)));
    warnings.extend(unread.into_iter().map(|what| format!("volume under etcd: {what}")));

    let location = environment.bucket((major, minor))?;
    let Opened { bucket, facts: bucket_facts, realm } = stores.open_data(&location)?;
    identity::bucket_is_the_clusters(&pachd, bucket.as_ref(), &location).await?;

    let moving = Moving::read(target, &deployment, &pachd).await?;
    for warning in &warnings {
        events.warn(warning.clone());
    }
    let record = ClusterRecord {
        namespace: target.namespace.clone(),
        namespace_uid: namespace.metadata.uid.unwrap_or_default(),
        cluster_id: info.id,
        deployment_id: Some(info.deployment_id).filter(|id| !id.is_empty()),
        pachd_version,
        kubernetes_version: version.git_version,
        backend: location.backend_name().to_owned(),
        bucket: location.describe(),
        root: location.layout.root.clone(),
        reversed_keys: location.layout.is_reversed(),
        etcd: etcd_record,
        etcd_volumes,
    };
    events.note(format!("pachd image {}", environment.image().unwrap_or("unknown")));
    Ok(Cluster {
        record,
        kubernetes: kubernetes.clone(),
        pods: Pods::of(target),
        etcd_port: etcd_pods.port,
        pachd,
        etcd,
        etcd_prefix: environment.etcd_prefix().to_owned(),
        location,
        bucket,
        bucket_facts,
        bucket_realm: realm,
        services: moving.services,
        pipelines: moving.pipelines,
        work: moving.work,
        access_ends: target.access_ends,
        warnings,
    })
}

/// The volumes under etcd of a deployment, read from Kubernetes alone: neither pachd nor the bucket is asked.
///
/// # Errors
/// As [`discover`], where they are about Kubernetes.
pub async fn etcd_volumes(target: &Target) -> Result<Vec<EtcdVolumeRecord>> {
    let deployment = deployments::pachd(target).await?;
    let environment = Environment::read(&target.kubernetes, &target.namespace, &deployment).await?;
    let pods = EtcdPods::read(target, environment.etcd_host()).await?;
    let (volumes, _unread) = etcd_volume::read(&target.kubernetes, &target.namespace, &pods).await?;
    Ok(volumes)
}

/// What changes while a cluster runs.
struct Moving {
    services: Vec<EntryService>,
    pipelines: Vec<Pipeline>,
    work: Work,
}

impl Moving {
    async fn read(target: &Target, deployment: &Deployment, pachd: &Client) -> Result<Self> {
        let mut entry_labels = vec![deployments::pod_labels(deployment)];
        entry_labels.extend(deployments::dashboards(target).await?.iter().map(deployments::pod_labels));
        let services = services::read(&target.kubernetes, &target.namespace, &entry_labels).await?;
        let pipelines = work::pipelines(pachd).await?;
        let work = work::read(pachd, &pipelines).await?;
        Ok(Self { services, pipelines, work })
    }
}

impl Cluster {
    /// Reads again what changes while a cluster runs: Services, pipelines, unfinished work. Asked right before the undo
    /// record is composed, since hours of copying may lie behind discovery.
    ///
    /// # Errors
    /// Those of Kubernetes and pachd.
    pub(crate) async fn refresh(&mut self, target: &Target) -> Result<()> {
        let moving = Moving::read(target, &deployments::pachd(target).await?, &self.pachd).await?;
        self.services = moving.services;
        self.pipelines = moving.pipelines;
        self.work = moving.work;
        Ok(())
    }
}

pub(super) async fn read_namespace(target: &Target) -> Result<Namespace> {
    Api::<Namespace>::all(target.kubernetes.clone()).get(&target.namespace).await.map_err(|error| {
        let error = Error::from(error);
        Error::new(error.kind(), format!("namespace {:?} can't be read", target.namespace))
            .because(error)
            .advise("choose a namespace with -n, a cluster with --context; the right needed is: get namespaces")
    })
}

/// Connects to the pachd of a target, without discovering anything else.
///
/// # Errors
/// `NotFound` without a Deployment of pachd, `Configuration` with several that could be it, `Unreachable` when it does not answer.
pub async fn connect_pachd(target: &Target) -> Result<Client> {
    connect(target, &deployments::pachd(target).await?).await
}

/// A client of pachd: through a ready pod of its Deployment, or at the address that the target names.
///
/// # Errors
/// `Configuration` for an address that is none.
async fn connect(target: &Target, deployment: &Deployment) -> Result<Client> {
    let selector = deployments::label_selector(&deployments::pod_labels(deployment));
    let pod = Pods::of(target).with_labels(selector, grpc_port(deployment));
    let options = ClientOptions {
        token: target.token.clone().map(Token::new),
        tls_roots: target.tls_ca.clone().map_or(TlsRoots::Native, TlsRoots::Pem),
        ..ClientOptions::default()
    };
    Route::new(target.pachd_address.as_deref(), 30650, pod)?.pachd(&options).await
}

pub(super) async fn connect_etcd(target: &Target, etcd: &EtcdPods) -> Result<(EtcdClient, EtcdRecord)> {
    let pod = Pods::of(target).with_labels(&etcd.selector, etcd.port);
    let client = Route::new(target.etcd_address.as_deref(), 2379, pod)?.etcd(&ClientOptions::default()).await?;
    let status = client.status().await.map_err(|error| etcd_error("reading the status", error))?;
    let members = client.members().await.map_err(|error| etcd_error("listing members", error))?;
    let gc_generation =
        client.get(b"gc-generation").await.map_err(|error| etcd_error("reading gc-generation", error))?;
    let record = EtcdRecord {
        version: status.version,
        image: etcd.image(),
        db_size: u64::try_from(status.db_size).unwrap_or_default(),
        members: members.len(),
        gc_generation: gc_generation.map(|value| String::from_utf8_lossy(&value.value).into_owned()),
    };
    Ok((client, record))
}
