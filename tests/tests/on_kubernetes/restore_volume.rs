//! A cluster restored from the snapshot of the disk under etcd, by the real controllers: a new volume of the snapshot under the
//! target's etcd, and the old one kept.

use e2e::{Ended, RealBench, assert_every_file_is_there, assert_said, start};
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolume, PersistentVolumeClaim};
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use sandbox::cluster::ETCD_DATABASE;
use sandbox::cluster::on_kubernetes::ETCD_CLAIM;

use crate::shared;

async fn volume_under(bench: &RealBench<'_>) -> PersistentVolume {
    let claim = bench.objects::<PersistentVolumeClaim>().get(ETCD_CLAIM).await.unwrap();
    let volumes: Api<PersistentVolume> = Api::all(bench.client.clone());
    volumes.get(&claim.spec.unwrap().volume_name.unwrap()).await.unwrap()
}

/// Runs the binary against the target, with the vault of the source.
async fn restore(source: &RealBench<'_>, target: &RealBench<'_>, more: &[&str]) -> Ended {
    let config = target.folder().join("pachsnap.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let (theirs, ours) = (target.folder().join("vault"), source.folder().join("vault"));
    std::fs::write(&config, text.replace(&*theirs.to_string_lossy(), &ours.to_string_lossy())).unwrap();
    let config = config.display().to_string();
    let words = ["restore", "latest", "--from", "volume", "--config", &config];
    start(target.folder(), [("PATH", "/usr/bin:/bin")], words.iter().chain(more).copied()).end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn etcd_runs_on_a_volume_made_of_the_snapshot() {
    let kubernetes = shared().await;
    let source = RealBench::new(kubernetes, "disk-source").await;
    let _kept = source.cluster.keep_etcd_on(source.etcd_disk().await);
    assert_said(&source.run(&["snapshot"]).await, 0, &[]);
    let target = RealBench::empty_on_disk(kubernetes, "disk-target").await;
    let before = volume_under(&target).await;

    let ended = restore(&source, &target, &[]).await;
    assert_said(&ended, 0, &["keys on the disk are as in etcd's own snapshot"]);
    assert_every_file_is_there(target.cluster.pachd.state());
    let id = |bench: &RealBench<'_>| bench.cluster.pachd.state().live()[b"cluster-id".as_slice()].value.clone();
    assert_eq!(id(&target), id(&source));

    let after = volume_under(&target).await;
    assert_ne!(after.name_any(), before.name_any());
    let disk = kubernetes.driver().volume_folder(&after.spec.unwrap().csi.unwrap().volume_handle);
    assert!(disk.join(ETCD_DATABASE).exists(), "the volume has the snapshot's content");
    let volumes: Api<PersistentVolume> = Api::all(target.client.clone());
    let kept = volumes.get(&before.name_any()).await.unwrap().spec.unwrap();
    assert_eq!(kept.persistent_volume_reclaim_policy.as_deref(), Some("Retain"), "what was there is kept");

    let pachd = target.objects::<Deployment>().get("pachd").await.unwrap();
    let etcd = target.objects::<StatefulSet>().get("etcd").await.unwrap();
    assert_eq!((pachd.spec.replicas, etcd.spec.replicas), (Some(1), Some(1)));
    let maps = target.objects::<ConfigMap>().list(&ListParams::default()).await.unwrap();
    assert!(!maps.iter().any(|map| map.name_any().starts_with("pachsnap")), "no record is left");
    let imported = target.volume_snapshots().list(&ListParams::default()).await.unwrap();
    assert_eq!(imported.items.len(), 0, "what stood for the snapshot is gone");
    assert_eq!(
        source.volume_snapshots().list(&ListParams::default()).await.unwrap().items.len(),
        1,
        "the snapshot is not"
    );

    // The same again finds a cluster that is in use.
    assert_said(&restore(&source, &target, &[]).await, 17, &["the target is the source itself"]);
}
