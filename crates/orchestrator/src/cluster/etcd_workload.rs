//! What runs etcd's pods: a StatefulSet or a Deployment, and the claim that holds the data of its first member.

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{PersistentVolumeClaimVolumeSource, Pod, PodTemplateSpec, Volume};
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use super::etcd_pods::{data_volume, etcd_container};
use crate::error::Result;
use crate::job::Target;

/// The variable by which etcd makes a cluster of its own of the data that it finds.
const FORCE_NEW_CLUSTER: &str = "ETCD_FORCE_NEW_CLUSTER";

/// Which kind of workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WorkloadKind {
    StatefulSet,
    Deployment,
}

/// What runs etcd.
#[derive(Clone)]
pub(crate) struct EtcdWorkload {
    pub(crate) kind: WorkloadKind,
    pub(crate) name: String,
    /// Pods that are wanted now.
    pub(crate) replicas: i32,
    /// The claim of the first member's data; none where it is in no claim.
    pub(crate) claim: Option<String>,
    /// Labels of its pods, as `kubectl get -l` takes them.
    pub(crate) pods: String,
    container: String,
    kubernetes: kube::Client,
    namespace: String,
}

impl EtcdWorkload {
    /// The workload whose pods these labels choose.
    ///
    /// # Errors
    /// Those of Kubernetes.
    pub(crate) async fn read(target: &Target, pods: &str) -> Result<Option<Self>> {
        let sets: Api<StatefulSet> = Api::namespaced(target.kubernetes.clone(), &target.namespace);
        for set in sets.list(&ListParams::default()).await? {
            if has_labels(&set.spec.template, pods) {
                let mut pod = pod_of(&set.spec.template);
                add_claims(&mut pod, &set);
                let replicas = set.spec.replicas.unwrap_or(1);
                return Ok(Some(Self::of(target, WorkloadKind::StatefulSet, (set.name_any(), replicas), &pod, pods)));
            }
        }
        let deployments: Api<Deployment> = Api::namespaced(target.kubernetes.clone(), &target.namespace);
        for one in deployments.list(&ListParams::default()).await? {
            if has_labels(&one.spec.template, pods) {
                let pod = pod_of(&one.spec.template);
                let replicas = one.spec.replicas.unwrap_or(1);
                return Ok(Some(Self::of(target, WorkloadKind::Deployment, (one.name_any(), replicas), &pod, pods)));
            }
        }
        Ok(None)
    }

    fn of(target: &Target, kind: WorkloadKind, (name, replicas): (String, i32), pod: &Pod, pods: &str) -> Self {
        let claim = data_volume(pod).and_then(|volume| volume.persistent_volume_claim.as_ref());
        Self {
            kind,
            name,
            replicas,
            claim: claim.map(|claim| claim.claim_name.clone()),
            pods: pods.to_owned(),
            container: etcd_container(pod).map(|container| container.name.clone()).unwrap_or_default(),
            kubernetes: target.kubernetes.clone(),
            namespace: target.namespace.clone(),
        }
    }

    /// In words: `StatefulSet etcd`.
    pub(crate) fn describe(&self) -> String {
        match self.kind {
            WorkloadKind::StatefulSet => format!("StatefulSet {}", self.name),
            WorkloadKind::Deployment => format!("Deployment {}", self.name),
        }
    }

    /// Wants so many pods from now on.
    ///
    /// # Errors
    /// Those of Kubernetes.
    pub(crate) async fn scale(&self, replicas: i32) -> Result<()> {
        self.patch(&Patch::Merge(json!({"spec": {"replicas": replicas}}))).await
    }

    /// Whether pods that start from now on leave the cluster that their data tells of and are one of their own: what etcd has
    /// for a disk of one of several members.
    ///
    /// # Errors
    /// Those of Kubernetes.
    pub(crate) async fn force_new_cluster(&self, force: bool) -> Result<()> {
        let variable = if force {
            json!({"name": FORCE_NEW_CLUSTER, "value": "true"})
        } else {
            json!({"name": FORCE_NEW_CLUSTER, "$patch": "delete"})
        };
        let containers = json!([{"name": self.container, "env": [variable]}]);
        self.patch(&Patch::Strategic(json!({"spec": {"template": {"spec": {"containers": containers}}}}))).await
    }

    async fn patch(&self, patch: &Patch<Value>) -> Result<()> {
        let parameters = PatchParams::default();
        match self.kind {
            WorkloadKind::StatefulSet => {
                let api: Api<StatefulSet> = Api::namespaced(self.kubernetes.clone(), &self.namespace);
                api.patch(&self.name, &parameters, patch).await?;
            }
            WorkloadKind::Deployment => {
                let api: Api<Deployment> = Api::namespaced(self.kubernetes.clone(), &self.namespace);
                api.patch(&self.name, &parameters, patch).await?;
            }
        }
        Ok(())
    }
}

fn pod_of(template: &PodTemplateSpec) -> Pod {
    Pod { spec: template.spec.clone(), ..Pod::default() }
}

/// Whether pods of a template have all labels of a selector such as `app=etcd,suite=pachyderm`.
fn has_labels(template: &PodTemplateSpec, selector: &str) -> bool {
    let labels = template.metadata.as_ref().and_then(|metadata| metadata.labels.as_ref());
    let mut pairs = selector.split(',').filter_map(|pair| pair.split_once('='));
    labels.is_some_and(|labels| pairs.all(|(name, value)| labels.get(name).is_some_and(|found| found == value)))
}

/// Gives the pod the claims that the StatefulSet makes for its first one.
fn add_claims(pod: &mut Pod, set: &StatefulSet) {
    let Some(spec) = &mut pod.spec else { return };
    let volumes = spec.volumes.get_or_insert_default();
    for template in set.spec.volume_claim_templates.iter().flatten() {
        let name = template.name_any();
        volumes.retain(|volume| volume.name != name);
        let claim_name = format!("{name}-{}-0", set.name_any());
        volumes.push(Volume {
            name,
            persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource { claim_name, read_only: None }),
            ..Volume::default()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_has_all_labels_of_a_selector_or_not() {
        let template: PodTemplateSpec =
            serde_json::from_value(json!({"metadata": {"labels": {"app": "etcd", "suite": "pachyderm"}}}))
                .unwrap_or_default();
        assert!(has_labels(&template, "app=etcd") && has_labels(&template, "app=etcd,suite=pachyderm"));
        assert!(!has_labels(&template, "app=etcd,tier=x") && !has_labels(&PodTemplateSpec::default(), "app=etcd"));
    }
}
