//! The persistent volumes under etcd: pod spec → claim → volume → the provider's name of it.

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, PersistentVolumeSpec};
use kube::{Api, ResourceExt};

use super::etcd_pods::{EtcdPods, data_volume};
use crate::error::Result;
use crate::manifest::EtcdVolumeRecord;

/// Where a claim and a volume name their class in Kubernetes' older way, which every `pachctl deploy` uses.
const CLASS_ANNOTATION: &str = "volume.beta.kubernetes.io/storage-class";

/// What volumes and nodes say of the zone they are in: the second name before Kubernetes 1.17.
pub(crate) const ZONES: [&str; 2] = ["topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"];

/// What is between the zones of a volume that is in several, in the label of a PersistentVolume.
pub(crate) const BETWEEN_ZONES: &str = "__";

/// Reads the volumes of every etcd pod. A claim or volume that can't be read is named in `unread` instead.
pub(super) async fn read(
    kubernetes: &kube::Client,
    namespace: &str,
    etcd: &EtcdPods,
) -> Result<(Vec<EtcdVolumeRecord>, Vec<String>)> {
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(kubernetes.clone(), namespace);
    let volumes: Api<PersistentVolume> = Api::all(kubernetes.clone());
    let (mut found, mut unread) = (Vec::new(), Vec::new());
    if etcd.pods.is_empty() {
        unread.push(format!("no pod of etcd is in namespace {namespace:?}"));
    }
    for pod in &etcd.pods {
        let pod_name = pod.name_any();
        let Some(volume) = data_volume(pod) else {
            unread.push(format!("pod {pod_name} keeps etcd's data in no volume: it is lost with the pod"));
            continue;
        };
        if let Some(host_path) = &volume.host_path {
            found.push(EtcdVolumeRecord {
                pod: pod_name,
                claim: String::new(),
                volume: volume.name.clone(),
                source: "hostPath".to_owned(),
                id: host_path.path.clone(),
                capacity: None,
                storage_class: None,
            });
            continue;
        }
        let Some(claim_source) = &volume.persistent_volume_claim else {
            let name = &volume.name;
            unread.push(format!(
                "pod {pod_name} keeps etcd's data in volume {name}, which is neither a claim nor a host path"
            ));
            continue;
        };
        match claims.get(&claim_source.claim_name).await {
            Ok(claim) => match resolve(&volumes, &claim, &pod_name).await {
                Ok(Some(record)) => found.push(record),
                Ok(None) => unread.push(format!("claim {} is not bound", claim_source.claim_name)),
                Err(error) => unread.push(format!("volume of claim {}: {error}", claim_source.claim_name)),
            },
            Err(error) => unread.push(format!("claim {}: {error}", claim_source.claim_name)),
        }
    }
    Ok((found, unread))
}

async fn resolve(
    volumes: &Api<PersistentVolume>,
    claim: &PersistentVolumeClaim,
    pod: &str,
) -> Result<Option<EtcdVolumeRecord>, kube::Error> {
    let Some(spec) = &claim.spec else { return Ok(None) };
    let Some(name) = spec.volume_name.clone().filter(|name| !name.is_empty()) else { return Ok(None) };
    let volume = volumes.get(&name).await?;
    let class = |annotations: &std::collections::BTreeMap<String, String>| annotations.get(CLASS_ANNOTATION).cloned();
    let (volume_class, claim_class) = (class(volume.annotations()), class(claim.annotations()));
    let zone = zone_of(&volume);
    let volume_spec = volume.spec.unwrap_or_default();
    let (source, id) = source_of(&volume_spec, zone.as_deref());
    Ok(Some(EtcdVolumeRecord {
        pod: pod.to_owned(),
        claim: claim.metadata.name.clone().unwrap_or_default(),
        volume: name,
        source,
        id,
        capacity: volume_spec.capacity.and_then(|capacity| capacity.get("storage").map(|size| size.0.clone())),
        storage_class: [volume_spec.storage_class_name, volume_class, spec.storage_class_name.clone(), claim_class]
            .into_iter()
            .flatten()
            .find(|class| !class.is_empty()),
    }))
}

/// The zone that a volume says it is in, by its label or by the nodes that may use it; the zones of a regional disk joined as in the
/// label: `us-central1-a__us-central1-b`.
fn zone_of(volume: &PersistentVolume) -> Option<String> {
    if let Some(zone) = ZONES.iter().find_map(|name| volume.labels().get(*name)) {
        return Some(zone.clone());
    }
    let required = volume.spec.as_ref()?.node_affinity.as_ref()?.required.as_ref()?;
    let mut of_nodes = required.node_selector_terms.iter().flat_map(|term| term.match_expressions.iter().flatten());
    let zones = of_nodes.find(|wanted| ZONES.contains(&wanted.key.as_str()) && wanted.operator == "In")?;
    zones.values.as_ref().filter(|values| !values.is_empty()).map(|values| values.join(BETWEEN_ZONES))
}

/// Kind of a volume's source and the provider's name of the volume, for in-tree and CSI volumes. A Persistent Disk is known only by its
/// zone and name together.
fn source_of(spec: &PersistentVolumeSpec, zone: Option<&str>) -> (String, String) {
    if let Some(csi) = &spec.csi {
        return (format!("csi:{}", csi.driver), csi.volume_handle.clone());
    }
    if let Some(ebs) = &spec.aws_elastic_block_store {
        return ("awsElasticBlockStore".to_owned(), ebs.volume_id.clone());
    }
    if let Some(disk) = &spec.gce_persistent_disk {
        let name = &disk.pd_name;
        let id = zone.map_or_else(|| name.clone(), |zone| format!("gce://{zone}/{name}"));
        return ("gcePersistentDisk".to_owned(), id);
    }
    if let Some(disk) = &spec.azure_disk {
        return ("azureDisk".to_owned(), disk.disk_uri.clone());
    }
    if let Some(path) = &spec.host_path {
        return ("hostPath".to_owned(), path.path.clone());
    }
    if let Some(path) = &spec.local {
        return ("local".to_owned(), path.path.clone());
    }
    if let Some(nfs) = &spec.nfs {
        return ("nfs".to_owned(), format!("{}:{}", nfs.server, nfs.path));
    }
    if let Some(disk) = &spec.vsphere_volume {
        return ("vsphereVolume".to_owned(), disk.volume_path.clone());
    }
    if let Some(disk) = &spec.cinder {
        return ("cinder".to_owned(), disk.volume_id.clone());
    }
    ("other".to_owned(), String::new())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn id_of(metadata: serde_json::Value, affinity: serde_json::Value) -> String {
        let disk = json!({"pdName": "etcd-disk", "fsType": "ext4"});
        let volume = json!({"metadata": metadata, "spec": {"gcePersistentDisk": disk, "nodeAffinity": affinity}});
        let volume: PersistentVolume = serde_json::from_value(volume).unwrap();
        source_of(&volume.spec.clone().unwrap(), zone_of(&volume).as_deref()).1
    }

    fn nodes(key: &str, zones: &[&str]) -> serde_json::Value {
        let term = json!({"matchExpressions": [{"key": key, "operator": "In", "values": zones}]});
        json!({"required": {"nodeSelectorTerms": [term]}})
    }

    #[test]
    fn a_persistent_disk_is_named_with_its_zone() {
        let label = json!({"labels": {"failure-domain.beta.kubernetes.io/zone": "us-central1-a"}});
        assert_eq!(id_of(label, json!(null)), "gce://us-central1-a/etcd-disk");
        let regional = json!({"labels": {"topology.kubernetes.io/zone": "us-central1-a__us-central1-b"}});
        assert_eq!(id_of(regional, json!(null)), "gce://us-central1-a__us-central1-b/etcd-disk");
        let zone = nodes("topology.kubernetes.io/zone", &["us-central1-a", "us-central1-b"]);
        assert_eq!(id_of(json!({}), zone), "gce://us-central1-a__us-central1-b/etcd-disk");
        assert_eq!(id_of(json!({}), nodes("kubernetes.io/hostname", &["node-1"])), "etcd-disk");
    }
}
