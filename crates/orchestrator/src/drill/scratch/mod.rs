//! The scratch cluster: pachd and etcd of the recovery point's deployment in a namespace of their own, with a bucket of their
//! own, and no way in from outside.

mod access;
mod blueprint;
pub(super) mod bucket;
mod etcd;
pub(super) mod namespace;
mod pachd;
mod ready;
mod storage_secret;
pub(super) mod volumes;

use k8s_openapi::NamespaceResourceScope;
use kube::api::PostParams;
use kube::{Api, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

pub(super) use blueprint::Blueprint;

use super::DrillSettings;
use super::plan::Prepared;
use super::record::DrillRecord;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Events;
use crate::job::{Stores, Target};
use crate::pause::Patience;
use crate::restore::RestoreFrom;

/// Everything that the scratch cluster is made of.
pub(super) struct Scratch<'a> {
    pub(super) home: &'a Target,
    pub(super) record: &'a DrillRecord,
    pub(super) prepared: &'a Prepared,
    pub(super) settings: &'a DrillSettings,
}

impl Scratch<'_> {
    /// Makes it, and waits until its pachd answers.
    ///
    /// # Errors
    /// `Busy` when the bucket was taken meanwhile, `Deadline` naming what its pods wait for; those of Kubernetes.
    pub(super) async fn make(&self, stores: &dyn Stores, events: &Events) -> Result<(Target, String)> {
        let bucket = stores.open_url(&self.record.bucket)?.bucket;
        let take = bucket::take(bucket.as_ref(), &self.record.bucket, &self.record.drill);
        events.change("mark", format!("bucket {}", self.record.bucket), take).await?;
        let create = namespace::create(&self.home.kubernetes, self.record, self.patience());
        events.change("create", format!("namespace {}", self.record.namespace), create).await?;
        let account = self.prepared.blueprint.service_account();
        for object in access::objects(&account, &self.record.namespace) {
            match object["kind"].as_str() {
                Some("ServiceAccount") => self.create::<k8s_openapi::api::core::v1::ServiceAccount>(object).await?,
                Some("Role") => self.create::<k8s_openapi::api::rbac::v1::Role>(object).await?,
                _ => self.create::<k8s_openapi::api::rbac::v1::RoleBinding>(object).await?,
            }
        }
        let secret = storage_secret::object(&self.settings.bucket.place, &self.prepared.layout)?;
        self.create::<k8s_openapi::api::core::v1::Secret>(secret).await?;
        // pachd's pod learns from its environment where etcd's Service is, so that has to be there first.
        self.create::<k8s_openapi::api::core::v1::Service>(etcd::service()).await?;
        let disk =
            self.prepared.manifest.artifacts.volumes.first().filter(|_| self.settings.from == RestoreFrom::Volume);
        if let Some(artifact) = disk {
            self.create::<k8s_openapi::api::core::v1::PersistentVolumeClaim>(etcd::claim(artifact)).await?;
        }
        let etcd = etcd::workload(&self.prepared.blueprint, disk.is_some());
        self.create::<k8s_openapi::api::apps::v1::Deployment>(etcd).await?;
        let pachd = pachd::workload(&self.prepared.blueprint, &self.prepared.layout);
        self.create::<k8s_openapi::api::apps::v1::Deployment>(pachd).await?;
        let target = Target {
            namespace: self.record.namespace.clone(),
            pachd_deployment: None,
            pachd_address: None,
            etcd_address: None,
            ..self.home.clone()
        };
        let text = ready::wait(&target, &self.settings.restore).await?;
        Ok((target, text))
    }

    fn patience(&self) -> Patience {
        Patience::new(self.settings.restore.stall, self.settings.restore.poll)
    }

    /// Makes one object in the scratch namespace. What an attempt with a lost reply has made counts.
    async fn create<K>(&self, mut object: Value) -> Result<()>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + Serialize
            + std::fmt::Debug,
    {
        object["metadata"]["namespace"] = json!(self.record.namespace);
        object["metadata"]["labels"][DrillRecord::LABEL] = json!(self.record.drill.as_str());
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let kind = K::kind(&());
        let failed = |cause: Box<dyn std::error::Error + Send + Sync>| {
            Error::new(ErrorKind::Failed, format!("{kind} {name} of the scratch cluster can't be made")).because(cause)
        };
        let object: K = serde_json::from_value(object).map_err(|cause| failed(Box::new(cause)))?;
        let api: Api<K> = Api::namespaced(self.home.kubernetes.clone(), &self.record.namespace);
        let mut patience = self.patience();
        let created = patience.call(|| async {
            match api.create(&PostParams::default(), &object).await {
                Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
                created => created.map(drop).map_err(Error::from),
            }
        });
        created.await.map_err(|error| {
            let kind = error.kind();
            let named = Error::new(kind, format!("{} {name} of the scratch cluster can't be made", K::kind(&())));
            named.because(error)
        })
    }
}
