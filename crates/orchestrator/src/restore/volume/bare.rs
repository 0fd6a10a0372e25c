//! The Kubernetes objects over a volume that a provider has made and no object stands for yet.

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, PersistentVolumeSpec};
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};

use super::super::RestoreSettings;
use super::Chosen;
use super::claim::{delete_claim, volume_of};
use crate::cluster::{BETWEEN_ZONES, ZONES};
use crate::error::{Error, ErrorKind, Result};
use crate::job::Target;
use crate::pause::Patience;

/// A volume that no Kubernetes object stands for yet.
pub(super) struct BareVolume<'a> {
    pub(super) driver: &'a str,
    pub(super) handle: &'a str,
    pub(super) size: u64,
    pub(super) zone: Option<&'a str>,
}

impl BareVolume<'_> {
    /// How nodes find the volume, as they find the one that is there now, and the provisioner that may delete it. A cluster whose
    /// volumes are in-tree ones may have no CSI driver.
    fn source(&self, like: Option<&PersistentVolumeSpec>) -> (&'static str, Value, &str) {
        let last = self.handle.rsplit('/').next().unwrap_or(self.handle);
        let in_tree = |is: fn(&PersistentVolumeSpec) -> bool| like.is_some_and(is);
        match self.driver {
            "ebs.csi.aws.com" if in_tree(|volume| volume.aws_elastic_block_store.is_some()) => {
                let id = self.zone.map_or_else(|| last.to_owned(), |zone| format!("aws://{zone}/{last}"));
                ("awsElasticBlockStore", json!({"volumeID": id, "fsType": "ext4"}), "kubernetes.io/aws-ebs")
            }
            "pd.csi.storage.gke.io" if in_tree(|volume| volume.gce_persistent_disk.is_some()) => {
                ("gcePersistentDisk", json!({"pdName": last, "fsType": "ext4"}), "kubernetes.io/gce-pd")
            }
            "disk.csi.azure.com" if in_tree(|volume| volume.azure_disk.is_some()) => {
                let disk = json!({"diskName": last, "diskURI": self.handle, "kind": "Managed", "fsType": "ext4"});
                ("azureDisk", disk, "kubernetes.io/azure-disk")
            }
            driver => ("csi", json!({"driver": driver, "fsType": "ext4", "volumeHandle": self.handle}), driver),
        }
    }
}

/// Makes the PersistentVolume, and the claim over it, once the claim of that name is gone. Made ones are left as they are.
///
/// # Errors
/// `Deadline` when the old claim stays; those of Kubernetes.
pub(super) async fn put_under_claim(
    target: &Target,
    chosen: &Chosen,
    bare: &BareVolume<'_>,
    settings: &RestoreSettings,
) -> Result<()> {
    let volumes: Api<PersistentVolume> = Api::all(target.kubernetes.clone());
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(target.kubernetes.clone(), &target.namespace);
    let mut patience = Patience::new(settings.stall, settings.poll);
    let before = patience.call(|| async {
        let Some(before) = &chosen.volume else { return Ok(None) };
        Ok(volumes.get_opt(before).await?.and_then(|volume| volume.spec))
    });
    let before = before.await?;
    let name = format!("{}-etcd", chosen.identity);
    let (volume, claim) = objects(target, chosen, bare, &name, before.as_ref())?;
    let is_there = |made: kube::Result<()>| match made {
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
        made => made.map_err(Error::from),
    };
    let make = || async { is_there(volumes.create(&PostParams::default(), &volume).await.map(drop)) };
    patience.call(make).await?;
    // The claim of that name may still be the one that was there before.
    let present = patience.call(|| async { Ok(claims.get_opt(&chosen.claim).await?) }).await?;
    if present.as_ref().and_then(volume_of).is_some_and(|under| under != name) {
        delete_claim(target, &chosen.claim, settings).await?;
    }
    patience.call(|| async { is_there(claims.create(&PostParams::default(), &claim).await.map(drop)) }).await
}

fn objects(
    target: &Target,
    chosen: &Chosen,
    bare: &BareVolume<'_>,
    name: &str,
    before: Option<&PersistentVolumeSpec>,
) -> Result<(PersistentVolume, PersistentVolumeClaim)> {
    let storage = json!({"storage": bare.size.to_string()});
    let class = chosen.class.clone().unwrap_or_default();
    let (kind, source, provisioner) = bare.source(before);
    let mut volume = json!({
        // By this its provisioner knows a volume that it may delete, once its policy says so: a drill's goes with the drill.
        "metadata": {"name": name, "annotations": {"pv.kubernetes.io/provisioned-by": provisioner}},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "capacity": storage,
            "claimRef": {
                "apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": target.namespace, "name": chosen.claim,
            },
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": class,
        },
    });
    volume["spec"][kind] = source;
    if let Some(zone) = bare.zone {
        // One of the terms has to hold.
        let zones: Vec<&str> = zone.split(BETWEEN_ZONES).collect();
        let terms = ZONES.map(|key| json!({"matchExpressions": [{"key": key, "operator": "In", "values": zones}]}));
        volume["spec"]["nodeAffinity"] = json!({"required": {"nodeSelectorTerms": terms}});
    }
    let claim = json!({
        "metadata": {"name": chosen.claim, "labels": {"app": "etcd", "suite": "pachyderm"}},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": storage},
            "storageClassName": class,
            "volumeName": name,
        },
    });
    let unwritable = |cause| Error::new(ErrorKind::Failed, "writing the objects of a volume").because(cause);
    Ok((serde_json::from_value(volume).map_err(unwritable)?, serde_json::from_value(claim).map_err(unwritable)?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_volume_is_found_as_the_one_before_it_was() {
        let volume = |driver, handle| BareVolume { driver, handle, size: 1, zone: Some("us-east-1a") };
        let like = |spec: Value| serde_json::from_value::<PersistentVolumeSpec>(spec).unwrap();
        let ebs = volume("ebs.csi.aws.com", "vol-1");
        let in_tree = like(json!({"awsElasticBlockStore": {"volumeID": "aws://us-east-1a/vol-0"}}));
        let csi = like(json!({"csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-0"}}));
        let of_csi = json!({"driver": "ebs.csi.aws.com", "fsType": "ext4", "volumeHandle": "vol-1"});
        let csi_source = ("csi", of_csi, "ebs.csi.aws.com");
        assert_eq!(ebs.source(Some(&in_tree)).1["volumeID"], "aws://us-east-1a/vol-1");
        assert_eq!(BareVolume { zone: None, ..ebs }.source(Some(&in_tree)).1["volumeID"], "vol-1");
        let ebs = volume("ebs.csi.aws.com", "vol-1");
        assert_eq!((ebs.source(Some(&csi)), ebs.source(None)), (csi_source.clone(), csi_source));
        let disk = volume("pd.csi.storage.gke.io", "projects/p/zones/z/disks/etcd-1");
        let found = disk.source(Some(&like(json!({"gcePersistentDisk": {"pdName": "etcd-0"}}))));
        let (kind, source, provisioner) = found;
        assert_eq!((kind, &source["pdName"]), ("gcePersistentDisk", &json!("etcd-1")));
        assert_eq!(provisioner, "kubernetes.io/gce-pd");
        // Another cloud's volume is of another kind, whatever was there.
        assert_eq!(disk.source(Some(&in_tree)).0, "csi");
        let uri = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/disks/etcd-1";
        let disk = volume("disk.csi.azure.com", uri);
        let (kind, source, _) = disk.source(Some(&like(json!({"azureDisk": {"diskName": "etcd-0", "diskURI": "x"}}))));
        assert_eq!((kind, &source["diskName"], &source["diskURI"]), ("azureDisk", &json!("etcd-1"), &json!(uri)));
    }
}
