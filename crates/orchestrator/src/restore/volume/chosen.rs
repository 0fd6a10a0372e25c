//! Which snapshot goes under which claim, found before anything changes.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::api::storage::v1::StorageClass;
use kube::{Api, ResourceExt};
use provider::Owner;

use super::super::RestoreSettings;
use super::super::look::Look;
use super::super::point::Point;
use super::claim::volume_of;
use crate::cluster::EtcdWorkload;
use crate::error::{Error, ErrorKind, Result};
use crate::job::{OpenedVolume, Stores};
use crate::manifest::VolumeArtifact;

/// Where a claim names its class in Kubernetes' older way, which every `pachctl deploy` uses.
const CLASS_ANNOTATION: &str = "volume.beta.kubernetes.io/storage-class";

/// What is put under which claim.
pub(in crate::restore) struct Chosen {
    /// The snapshot.
    pub(in crate::restore) artifact: VolumeArtifact,
    /// The service that makes a volume of it.
    pub(in crate::restore) opened: OpenedVolume,
    /// What runs the target's etcd.
    pub(in crate::restore) workload: EtcdWorkload,
    /// The claim that etcd expects.
    pub(in crate::restore) claim: String,
    /// The PersistentVolume that is under it now.
    pub(in crate::restore) volume: Option<String>,
    /// The class of the new one.
    pub(in crate::restore) class: Option<String>,
    /// Whether the source's etcd had several members, of which the target's is one.
    pub(in crate::restore) is_one_of_several: bool,
    /// What new objects carry, and by what they are known again.
    pub(in crate::restore) owner: Owner,
    /// The same, for the one import and the one volume of this restore.
    pub(in crate::restore) identity: String,
}

impl Chosen {
    /// What would be done, in words.
    pub(in crate::restore) fn describe(&self) -> String {
        let volume = self.volume.as_deref().unwrap_or("none");
        let class = self.class.as_deref().unwrap_or("the default one");
        format!(
            "snapshot {} of {}, cut {}, becomes claim {} (class {class}) of {}; PersistentVolume {volume}, which is there now, is \
             kept",
            self.artifact.snapshot,
            self.artifact.of.volume,
            self.artifact.cut_at,
            self.claim,
            self.workload.describe()
        )
    }
}

/// Finds what is put where, and refuses what can't work.
///
/// # Errors
/// `Configuration` without a snapshot of the disk or a provider for it; `UnsupportedCluster` for an etcd that keeps its data in no
/// claim, or has several members; those of Kubernetes.
pub(in crate::restore) async fn choose(
    point: &Point,
    look: &Look,
    settings: &RestoreSettings,
    stores: &dyn Stores,
) -> Result<Chosen> {
    let other_paths = "restore with --from etcd or --from metadata, which need no disk";
    let Some(artifact) = point.manifest.artifacts.volumes.first().cloned() else {
        return Err(Error::new(ErrorKind::Configuration, format!("run {} has no snapshot of a disk", point.run))
            .advise(other_paths));
    };
    let unsuitable = |what: String| Err(Error::new(ErrorKind::UnsupportedCluster, what).advise(other_paths));
    let Some(workload) = look.ground.etcd_workload.clone() else {
        return unsuitable("the target's etcd is run by no StatefulSet or Deployment of its namespace".to_owned());
    };
    let Some(claim) = workload.claim.clone() else {
        return unsuitable(format!("{} keeps its data in no PersistentVolumeClaim", workload.describe()));
    };
    let wanted = look.left.as_ref().and_then(|left| left.disk.as_ref()).map_or(workload.replicas, |disk| disk.replicas);
    if wanted != 1 {
        return unsuitable(format!("{} wants {wanted} members, and a disk becomes one", workload.describe()));
    }
    let kubernetes = &look.ground.kubernetes;
    let Some(opened) = stores.open_volume(kubernetes, &look.ground.namespace, &artifact.of)? else {
        let source = &artifact.of.source;
        return Err(Error::new(ErrorKind::Configuration, format!("this build makes no volumes of {source} snapshots"))
            .advise(other_paths));
    };
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(kubernetes.clone(), &look.ground.namespace);
    let present = claims.get_opt(&claim).await?;
    let class = settings.volume_class.clone().or_else(|| present.as_ref().and_then(class_of));
    check_class(look, class.as_deref(), &artifact).await?;
    let uid: String = look.ground.namespace_uid.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
    Ok(Chosen {
        volume: present.as_ref().and_then(volume_of),
        artifact,
        opened,
        workload,
        claim,
        class,
        is_one_of_several: point.manifest.cluster.etcd.as_ref().is_some_and(|etcd| etcd.members > 1),
        owner: Owner { cluster: point.manifest.cluster_name.clone(), run: format!("restore-of-{}", point.run) },
        identity: format!("pachsnap-restore-{}-{}", point.run, uid.to_ascii_lowercase()),
    })
}

fn class_of(claim: &PersistentVolumeClaim) -> Option<String> {
    let named = claim.spec.as_ref().and_then(|spec| spec.storage_class_name.clone());
    named.or_else(|| claim.annotations().get(CLASS_ANNOTATION).cloned()).filter(|class| !class.is_empty())
}

/// A class of another driver would leave the claim waiting for ever.
async fn check_class(look: &Look, class: Option<&str>, artifact: &VolumeArtifact) -> Result<()> {
    let Some(class) = class else { return Ok(()) };
    let classes: Api<StorageClass> = Api::all(look.ground.kubernetes.clone());
    let advice = "choose one by --volume-class (see `kubectl get storageclass`)";
    let Some(found) = classes.get_opt(class).await? else {
        return Err(Error::new(ErrorKind::Configuration, format!("there is no StorageClass {class}")).advise(advice));
    };
    match artifact.details.get("driver") {
        Some(driver) if *driver != found.provisioner => {
            let message =
                format!("StorageClass {class} makes volumes of {}, the snapshot is one of {driver}", found.provisioner);
            Err(Error::new(ErrorKind::Configuration, message).advise(advice))
        }
        _ => Ok(()),
    }
}
