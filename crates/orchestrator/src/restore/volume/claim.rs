//! A claim with the snapshot's content under the name that etcd expects; the volume that was there is kept.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use provider::{CreateVolumeRequest, ImportRequest, Notices, RestoredVolume};
use serde_json::json;

use super::super::RestoreSettings;
use super::Chosen;
use super::bare::{BareVolume, put_under_claim};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Events;
use crate::job::Target;
use crate::pause::Patience;

/// The PersistentVolume under a claim.
pub(in crate::restore) fn volume_of(claim: &PersistentVolumeClaim) -> Option<String> {
    claim.spec.as_ref()?.volume_name.clone().filter(|name| !name.is_empty())
}

/// Lets the volume that is under the claim outlive it.
///
/// # Errors
/// Those of Kubernetes. A volume that is gone is no error.
pub(in crate::restore) async fn keep_volume(target: &Target, volume: &str, settings: &RestoreSettings) -> Result<()> {
    let volumes: Api<PersistentVolume> = Api::all(target.kubernetes.clone());
    let patch = Patch::Merge(json!({"spec": {"persistentVolumeReclaimPolicy": "Retain"}}));
    let keep = || async {
        match volumes.patch(volume, &PatchParams::default(), &patch).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            kept => kept.map(drop).map_err(Error::from),
        }
    };
    Patience::new(settings.stall, settings.poll).call(keep).await
}

/// Puts a new volume under the claim. Done again, it goes on.
///
/// # Errors
/// `Deadline` when the snapshot can't be used here, or the old claim stays; those of the provider and of Kubernetes.
pub(in crate::restore) async fn replace(
    target: &Target,
    chosen: &Chosen,
    settings: &RestoreSettings,
    events: &Events,
) -> Result<((), String)> {
    let snapshots = &chosen.opened.snapshots;
    let told = events.clone();
    let import = ImportRequest {
        snapshot: provider::SnapshotId(chosen.artifact.snapshot.clone()),
        details: chosen.artifact.details.clone(),
        size: chosen.artifact.size,
        identity: chosen.identity.clone(),
        owner: chosen.owner.clone(),
        limit: settings.stall,
        notices: Notices::to(move |sentence| told.warn(sentence)),
    };
    let imported = events.change("import", format!("snapshot {}", chosen.artifact.snapshot), snapshots.import(&import));
    let imported = imported.await.map_err(unusable)?;
    let request = CreateVolumeRequest {
        snapshot: imported,
        identity: chosen.identity.clone(),
        claim: Some(chosen.claim.clone()),
        owner: chosen.owner.clone(),
        size: None,
        zone: None,
        class: chosen.class.clone(),
    };
    let mut patience = Patience::new(settings.stall, settings.poll);
    let made = patience.call(|| async {
        match snapshots.create_volume(&request).await {
            // The claim of that name is still the one that was there before.
            Err(error) if error.kind() == provider::ErrorKind::AlreadyExists => Ok(None),
            made => Ok(Some(made.map_err(Error::from)?)),
        }
    });
    let made = match made.await? {
        Some(made) => made,
        None => {
            let delete = delete_claim(target, &chosen.claim, settings);
            events.change("delete", format!("claim {}", chosen.claim), delete).await?;
            let create = patience.call(|| async { Ok(snapshots.create_volume(&request).await?) });
            events.change("create", format!("claim {}", chosen.claim), create).await?
        }
    };
    let text = match made {
        RestoredVolume::Claim { name, size, .. } => format!("claim {name} has the snapshot's {size} bytes"),
        RestoredVolume::Volume { driver, handle, size, zone } => {
            let volume = BareVolume { driver: &driver, handle: &handle, size, zone: zone.as_deref() };
            put_under_claim(target, chosen, &volume, settings).await?;
            format!("claim {} is over volume {handle} of {driver}, {size} bytes", chosen.claim)
        }
    };
    Ok(((), text))
}

fn unusable(error: provider::Error) -> Error {
    let kind = error.kind();
    let error = Error::from(error);
    match kind {
        provider::ErrorKind::Timeout => Error::new(ErrorKind::Deadline, "the snapshot of the disk can't be used here")
            .because(error)
            .advise("see `kubectl describe volumesnapshot`; the recovery point can be restored with --from etcd too"),
        _ => error,
    }
}

/// Deletes a claim, and waits until its name is free.
pub(super) async fn delete_claim(target: &Target, name: &str, settings: &RestoreSettings) -> Result<()> {
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(target.kubernetes.clone(), &target.namespace);
    let mut patience = Patience::new(settings.stall, settings.poll);
    let began = Instant::now();
    loop {
        let there = patience.call(|| async {
            match claims.delete(name, &DeleteParams::default()).await {
                Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
                deleted => deleted.map(|_| true).map_err(Error::from),
            }
        });
        if !there.await? {
            return Ok(());
        }
        if began.elapsed() > settings.stall {
            let limit = settings.stall.as_secs();
            return Err(Error::new(ErrorKind::Deadline, format!("claim {name} is still there after {limit} s"))
                .advise(format!("see `kubectl describe pvc {name}`: whatever uses it keeps it")));
        }
        tokio::time::sleep(settings.poll.max(Duration::from_millis(10))).await;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeMap;
    use std::path::PathBuf;
    use std::sync::Arc;

    use kube::config::{KubeConfigOptions, Kubeconfig};
    use provider::testkit::memory::MemoryVolumes;
    use provider::{CutRequest, Owner, VolumeId, VolumeSnapshots};
    use sandbox::kubernetes::{Backend, KubernetesOptions, KubernetesServer, PachydermDeployment};

    use super::*;
    use crate::clone::Writer;
    use crate::cluster::EtcdWorkload;
    use crate::job::{OpenedVolume, PodAccess, SnapshotService};
    use crate::manifest::{EtcdVolumeRecord, VolumeArtifact};

    const NAMESPACE: &str = "pachyderm";
    const CLAIM: &str = "etcd-storage-etcd-0";

    async fn target(server: &KubernetesServer) -> Target {
        let backend = Backend::Google { bucket: "data".to_owned(), credentials: String::new() };
        server.deploy(&PachydermDeployment::new(NAMESPACE, backend)).unwrap();
        let kubeconfig = Kubeconfig::from_yaml(&server.kubeconfig()).unwrap();
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        Target {
            kubernetes: kube::Client::try_from(config).unwrap(),
            namespace: NAMESPACE.to_owned(),
            pachd_deployment: None,
            pod_access: PodAccess::PortForward,
            pachd_address: None,
            etcd_address: None,
            token: None,
            tls_ca: None,
            access_ends: None,
        }
    }

    /// A service that makes volumes which no object of Kubernetes stands for, with a snapshot that is ready.
    async fn service(owner: &Owner) -> (MemoryVolumes, VolumeArtifact) {
        let service = MemoryVolumes::new(0);
        let volume = VolumeId("disk-of-etcd".to_owned());
        service.add_volume(&volume, 10 << 30, "what etcd wrote");
        let request = CutRequest {
            volume: volume.clone(),
            identity: "cut".to_owned(),
            owner: owner.clone(),
            description: String::new(),
            limit: Duration::from_secs(1),
            notices: Notices::to_nobody(),
        };
        let cut = service.cut(&request).await.unwrap();
        let of = EtcdVolumeRecord {
            pod: "etcd-0".to_owned(),
            claim: CLAIM.to_owned(),
            volume: "pv".to_owned(),
            source: "csi:memory".to_owned(),
            id: volume.0,
            capacity: None,
            storage_class: None,
        };
        let artifact =
            VolumeArtifact { of, snapshot: cut.id.0, cut_at: cut.cut_at, size: cut.size, details: BTreeMap::new() };
        (service, artifact)
    }

    fn settings() -> RestoreSettings {
        RestoreSettings {
            vault: String::new(),
            state: String::new(),
            volume_class: None,
            start_pipelines: false,
            max_missed_ticks: 0,
            through_here: false,
            copy_parallelism: 1,
            writer: Writer::default(),
            staging: PathBuf::new(),
            root_token_file: PathBuf::new(),
            poll: Duration::from_millis(10),
            stall: Duration::from_secs(10),
        }
    }

    #[tokio::test]
    async fn a_volume_that_nothing_stands_for_gets_its_objects_and_the_old_one_stays() {
        let server = KubernetesServer::start(KubernetesOptions::default()).await.unwrap();
        let target = target(&server).await;
        let owner = Owner { cluster: "alpha".to_owned(), run: "restore-of-x".to_owned() };
        let (service, artifact) = service(&owner).await;
        let workload = EtcdWorkload::read(&target, "app=etcd").await.unwrap().unwrap();
        assert_eq!((workload.describe().as_str(), workload.claim.as_deref()), ("StatefulSet etcd", Some(CLAIM)));
        let claim = || server.object("persistentvolumeclaims", NAMESPACE, CLAIM).unwrap();
        let before = claim()["spec"]["volumeName"].as_str().unwrap().to_owned();
        let chosen = Chosen {
            artifact,
            opened: OpenedVolume {
                snapshots: Arc::new(service.clone()),
                volume: VolumeId(CLAIM.to_owned()),
                service: SnapshotService::Cloud,
            },
            workload: workload.clone(),
            claim: CLAIM.to_owned(),
            volume: Some(before.clone()),
            class: Some("fast".to_owned()),
            is_one_of_several: false,
            owner: owner.clone(),
            identity: "pachsnap-restore-x".to_owned(),
        };
        workload.scale(0).await.unwrap();
        keep_volume(&target, &before, &settings()).await.unwrap();
        // A second time finds what the first has made.
        for _ in 0..2 {
            let ((), told) = replace(&target, &chosen, &settings(), &Events::nowhere()).await.unwrap();
            assert!(told.contains("is over volume volume-"), "{told}");
        }
        assert_eq!(service.volumes_made(&owner), 1);
        let name = claim()["spec"]["volumeName"].as_str().unwrap().to_owned();
        let volume = server.object("persistentvolumes", "", &name).unwrap();
        let handle = volume["spec"]["csi"]["volumeHandle"].as_str().unwrap();
        assert_eq!(service.read(&VolumeId(handle.to_owned())).unwrap(), "what etcd wrote");
        assert_eq!(volume["spec"]["claimRef"]["name"], CLAIM);
        let annotations = &volume["metadata"]["annotations"];
        assert_eq!(annotations["pv.kubernetes.io/provisioned-by"], volume["spec"]["csi"]["driver"]);
        for (volume, policy) in [(name, "Retain"), (before, "Retain")] {
            let volume = server.object("persistentvolumes", "", &volume).unwrap();
            assert_eq!(volume["spec"]["persistentVolumeReclaimPolicy"], policy, "{volume}");
        }
    }
}
