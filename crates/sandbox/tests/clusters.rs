//! Recorded clusters, each on storage of another kind: the same content under other keys.

#![cfg(all(feature = "kubernetes", feature = "pachd", feature = "s3"))]
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DynamicObject, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind};
use pachyderm::client::{Address, Client, ClientOptions, History, Unreadable};
use pachyderm::layout::{KeyKind, KeyMap, Mapped};
use pachyderm::proto::admin::ExtractRequest;
use pachyderm::proto::pps::{PipelineInfo, PipelineState};
use sandbox::cluster::{BUCKET, ClusterOptions, ETCD_DATABASE, NAMESPACE, RecordedCluster, Storage};
use sandbox::pachd::etcd::mvcc::Change;
use sandbox::pachd::etcd::snapshot;
use sandbox::pachd::recorded;
use serde_json::json;

const ALL: [Storage; 5] =
    [Storage::Minio, Storage::Amazon, Storage::AmazonReversed, Storage::Google, Storage::Microsoft];

async fn serve(storage: Storage, running: bool) -> (RecordedCluster, Client) {
    let options = ClusterOptions { storage, running, ..ClusterOptions::default() };
    let cluster = RecordedCluster::amazon(options).await.unwrap();
    let address = Address::plaintext("127.0.0.1", cluster.pachd.external().port());
    let client = Client::connect(&address, &ClientOptions::default()).await.unwrap();
    (cluster, client)
}

async fn extracted(client: &Client, request: ExtractRequest) -> Vec<Vec<u8>> {
    let mut messages = client.extract(request).await.unwrap();
    let mut ops = Vec::new();
    while let Some(op) = messages.message().await.unwrap() {
        ops.push(op.to_vec());
    }
    ops.sort();
    ops
}

async fn kube(cluster: &RecordedCluster) -> kube::Client {
    let config = Kubeconfig::from_yaml(&cluster.kubernetes.kubeconfig()).unwrap();
    let config = kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await.unwrap();
    kube::Client::try_from(config).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_storage_extracts_the_recorded_ops_and_the_same_objects() {
    let mut recorded = recorded::amazon_ops().unwrap();
    recorded.sort();
    let mut objects: Option<Vec<Vec<u8>>> = None;
    for storage in ALL {
        let (_cluster, client) = serve(storage.clone(), false).await;
        let metadata = ExtractRequest { no_objects: true, ..ExtractRequest::default() };
        assert!(extracted(&client, metadata).await == recorded, "{storage:?} has other ops");
        let request = ExtractRequest { no_repos: true, no_pipelines: true, ..ExtractRequest::default() };
        let found = extracted(&client, request).await;
        // 58 blocks, each of one piece or none with its end, 49 objects, 11 tags.
        assert!(found.len() >= 58 + 49 + 11, "{storage:?}: {}", found.len());
        assert!(*objects.get_or_insert_with(|| found.clone()) == found, "{storage:?} has other objects");
    }
}

/// The keys of the recorded listing, which is of plain keys.
fn listed() -> BTreeSet<String> {
    let listing =
        std::fs::read_to_string(format!("{}/../../tests/data/bucket/amazon-keys.tsv", env!("CARGO_MANIFEST_DIR")));
    let keys = listing.unwrap().lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect::<Vec<_>>();
    keys.into_iter().filter(|key| key.contains('/')).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_those_of_the_storage_and_map_back_to_the_listing() {
    let listed = listed();
    assert_eq!(listed.len(), 118);
    for storage in ALL {
        let (cluster, _client) = serve(storage.clone(), false).await;
        let keys: Vec<String> = cluster.objects().into_keys().collect();
        let layout = storage.layout();
        assert!(keys.iter().all(|key| layout.classify(key) != KeyKind::Foreign));
        let begins = |start: &str| keys.iter().all(|key| key.starts_with(start));
        match storage {
            Storage::Minio | Storage::Amazon => assert!(begins("pach/")),
            Storage::AmazonReversed => assert!(keys.iter().all(|key| key.ends_with("/hcap"))),
            Storage::Google | Storage::Microsoft => assert!(begins("/pach/")),
            Storage::Local(_) => unreachable!("it keeps nothing on the server"),
        }
        let back = KeyMap::new(layout, Storage::Amazon.layout());
        let plain = keys.iter().map(|key| match back.map(key) {
            Mapped::Key(key) => key,
            other => format!("{key} became {other:?}"),
        });
        assert_eq!(plain.collect::<BTreeSet<_>>(), listed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deployment_names_its_backend() {
    for (storage, backend, value) in [
        (Storage::Minio, "MINIO", ("minio-bucket", BUCKET)),
        (Storage::Amazon, "AMAZON", ("reverse", "false")),
        (Storage::AmazonReversed, "AMAZON", ("reverse", "true")),
        (Storage::Google, "GOOGLE", ("google-bucket", BUCKET)),
        (Storage::Microsoft, "MICROSOFT", ("microsoft-container", BUCKET)),
    ] {
        let (cluster, _client) = serve(storage.clone(), false).await;
        let kube = kube(&cluster).await;
        let pachd: Api<k8s_openapi::api::apps::v1::Deployment> = Api::namespaced(kube.clone(), NAMESPACE);
        let pod = pachd.get("pachd").await.unwrap().spec.template.spec.unwrap();
        let environment = pod.containers[0].env.clone().unwrap();
        let set = environment.iter().find(|variable| variable.name == "STORAGE_BACKEND").unwrap();
        assert_eq!(set.value.as_deref(), Some(backend));
        let secrets: Api<Secret> = Api::namespaced(kube, NAMESPACE);
        let secret = secrets.get("pachyderm-storage-secret").await.unwrap().data.unwrap();
        assert_eq!(secret[value.0].0, value.1.as_bytes(), "{storage:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn its_pipelines_run_and_stop_to_the_recorded_state() {
    let (_cluster, client) = serve(Storage::AmazonReversed, true).await;
    let is = |info: &PipelineInfo, state: PipelineState| info.state == state as i32;
    let before = client.list_pipeline(History::Current, Unreadable::Refuse).await.unwrap();
    assert_eq!(before.len(), 2);
    assert!(before.iter().all(|info| !info.stopped && is(info, PipelineState::Running)));
    for name in ["cp", "sz"] {
        client.stop_pipeline(name).await.unwrap();
    }
    for _ in 0..12_000 {
        let now = client.list_pipeline(History::Current, Unreadable::Refuse).await.unwrap();
        if now.iter().all(|info| info.stopped && is(info, PipelineState::Paused)) {
            let metadata = ExtractRequest { no_objects: true, ..ExtractRequest::default() };
            let mut recorded = recorded::amazon_ops().unwrap();
            recorded.sort();
            assert!(extracted(&client, metadata).await == recorded, "an op differs from the recorded one");
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    unreachable!("the pipelines never came to PAUSED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_of_etcds_volume_holds_the_keys_at_the_cut() {
    let options = ClusterOptions { running: false, csi_etcd_volume: true, ..ClusterOptions::default() };
    let cluster = RecordedCluster::amazon(options).await.unwrap();
    let kind = GroupVersionKind::gvk("snapshot.storage.k8s.io", "v1", "VolumeSnapshot");
    let kind = ApiResource::from_gvk(&kind);
    let snapshots = Api::<DynamicObject>::namespaced_with(kube(&cluster).await, NAMESPACE, &kind);
    let mut wanted = DynamicObject::new("moment", &kind);
    let source = json!({"persistentVolumeClaimName": "etcd-storage-etcd-0"});
    wanted.data = json!({"spec": {"source": source, "volumeSnapshotClassName": "pachsnap-retain"}});
    let etcd = &cluster.pachd.state().store;
    etcd.put("before", "the cut");
    let (revision, _, before) = etcd.dump();
    snapshots.create(&PostParams::default(), &wanted).await.unwrap();
    let bound = loop {
        let status = snapshots.get("moment").await.unwrap().data["status"].take();
        assert!(status["error"].is_null(), "{status}");
        if status["readyToUse"] == true {
            break status["boundVolumeSnapshotContentName"].as_str().unwrap().to_owned();
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    };
    assert_eq!(etcd.revision(), revision, "something else wrote");
    etcd.put("after", "the cut");
    let content = cluster.kubernetes.object("volumesnapshotcontents", "", &bound).unwrap();
    let handle = content["status"]["snapshotHandle"].as_str().unwrap();
    let folder = cluster.kubernetes.csi().snapshot_folder(handle).unwrap();
    let found = snapshot::load(&std::fs::read(folder.join(ETCD_DATABASE)).unwrap()).unwrap();
    let keys =
        |changes: &[Change]| changes.iter().map(|it| (it.kv.key.clone(), it.kv.mod_revision)).collect::<Vec<_>>();
    assert_eq!(keys(&found), keys(&before));
    assert!(found.iter().any(|change| change.kv.key == "before"));
}
