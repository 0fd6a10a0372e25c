//! A cluster restored from the snapshot of the disk under etcd: a new volume under the target's etcd, and the old one kept.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::time::Duration;

use e2e::{Bench, Pair, assert_every_file_is_there, assert_said};
use sandbox::cluster::{BUCKET, ClusterOptions, NAMESPACE, Storage};
use sandbox::kubernetes::{CsiCall, GrpcCode, Rule};
use serde_json::{Value, json};

const RESTORE: [&str; 4] = ["restore", "latest", "--from", "volume"];
const CLAIM: &str = "etcd-storage-etcd-0";

async fn pair() -> Pair {
    Pair::on_one_storage(ClusterOptions::default(), ClusterOptions::default()).await
}

fn volume_under(pair: &Pair, claim: &str) -> String {
    let claim = pair.target.kubernetes.object("persistentvolumeclaims", NAMESPACE, claim).unwrap();
    claim["spec"]["volumeName"].as_str().unwrap().to_owned()
}

fn snapshots(pair: &Pair) -> (usize, usize) {
    let count = |plural| pair.target.kubernetes.objects(plural, None).len();
    (count("volumesnapshots"), count("volumesnapshotcontents"))
}

/// The target is the source as it was captured, on a disk of its own; nothing else of the restore is left.
fn assert_restored(pair: &Pair, claim: &str, before: &str) {
    assert_every_file_is_there(pair.target.pachd.state());
    let id = &pair.keys()[b"cluster-id".as_slice()].value;
    assert_eq!(*id, pair.source.cluster.pachd.state().live()[b"cluster-id".as_slice()].value);
    assert_eq!(pair.pachd_replicas(), 1);
    assert_ne!(volume_under(pair, claim), before);
    let kept = pair.target.kubernetes.object("persistentvolumes", "", before).unwrap();
    assert_eq!(kept["spec"]["persistentVolumeReclaimPolicy"], "Retain", "what was there is kept: {kept}");
    let left = ["configmaps", "leases"].map(|plural| pair.target.kubernetes.objects(plural, Some(NAMESPACE)));
    let ours = |object: &&Value| object["metadata"]["name"].as_str().unwrap().starts_with("pachsnap");
    assert_eq!(left.iter().flatten().filter(ours).count(), 0, "{left:?}");
    assert_eq!(snapshots(pair), (0, 0), "what stood for the snapshot is gone");
    // The snapshot itself is there, and still makes volumes.
    let contents = pair.source.cluster.kubernetes.objects("volumesnapshotcontents", None);
    let handle = contents[0]["status"]["snapshotHandle"].as_str().unwrap();
    assert!(pair.source.cluster.kubernetes.csi().snapshot_folder(handle).is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cluster_as_it_was_on_a_disk_of_its_own() {
    let pair = pair().await;
    let before = volume_under(&pair, CLAIM);
    let planned = pair.run(&[RESTORE.as_slice(), &["--dry-run"]].concat()).await;
    assert_said(&planned, 0, &[]);
    for words in
        ["disk       snapshot pachsnap-", "becomes claim etcd-storage-etcd-0", &before, "is kept", "shares its tokens"]
    {
        assert!(planned.stdout.contains(words), "{words}: {}", planned.stdout);
    }
    assert_eq!((pair.objects().len(), snapshots(&pair)), (0, (0, 0)));
    let ended = pair.run(&RESTORE).await;
    assert_said(&ended, 0, &[]);
    assert_restored(&pair, CLAIM, &before);
    for words in ["by volume", "come back paused", &before, "delete it when nobody needs it"] {
        assert!(ended.stdout.contains(words), "{words}: {}", ended.stdout);
    }
    assert!(ended.stderr.contains("keys on the disk are as in etcd's own snapshot"), "{}", ended.stderr);
    // The same again finds a cluster that is in use.
    pair.assert_refused(&RESTORE, 17, &["the target is the source itself"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_etcd_that_a_deployment_runs() {
    let target = ClusterOptions { etcd_deployment: true, ..ClusterOptions::default() };
    let pair = Pair::on_one_storage(ClusterOptions::default(), target).await;
    let before = volume_under(&pair, "etcd-storage");
    assert_said(&pair.run(&RESTORE).await, 0, &[]);
    assert_restored(&pair, "etcd-storage", &before);
}

/// A disk of one of several members knows the others: the first start makes it a cluster of its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_source_with_several_members() {
    let source = ClusterOptions { etcd_members: 3, ..ClusterOptions::default() };
    let pair = Pair::on_one_storage(source, ClusterOptions::default()).await;
    let before = volume_under(&pair, CLAIM);
    let ended = pair.run(&RESTORE).await;
    assert_said(&ended, 0, &["ETCD_FORCE_NEW_CLUSTER", "as a cluster of one member"]);
    assert_restored(&pair, CLAIM, &before);
    let set = pair.target.kubernetes.object("statefulsets", NAMESPACE, "etcd").unwrap();
    assert!(!set.to_string().contains("ETCD_FORCE_NEW_CLUSTER"), "it is for the first start only");
}

/// The source's cluster is gone with all its objects: the storage system has the snapshot.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_source() {
    let pair = pair().await;
    let before = volume_under(&pair, CLAIM);
    pair.source.cluster.kubernetes.delete("namespaces", "", NAMESPACE).unwrap();
    assert_said(&pair.run(&RESTORE).await, 0, &[]);
    assert_every_file_is_there(pair.target.pachd.state());
    assert_ne!(volume_under(&pair, CLAIM), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_each_step_the_same_command_goes_on() {
    let mut pair = pair().await;
    let steps = [
        "check-bucket",
        "stop-pachd",
        "stop-etcd",
        "replace-volume",
        "start-etcd",
        "check-etcd",
        "start-pachd",
        "check-target",
    ];
    for step in steps {
        pair.renew_target_on_one_storage().await;
        let before = volume_under(&pair, CLAIM);
        let mut running = pair.start(&[RESTORE.as_slice(), &["--output", "json"]].concat());
        running.wait_for_step(step).await;
        if step == "replace-volume" {
            tokio::time::sleep(Duration::from_millis(60)).await;
        }
        running.signal("KILL").await;
        assert_eq!(running.end().await.code, None, "{step}");
        pair.end_lease();
        let ended = pair.run(&RESTORE).await;
        assert_said(&ended, 0, &[]);
        assert_restored(&pair, CLAIM, &before);
    }
}

/// Until the claim is replaced, everything is put back.
#[tokio::test(flavor = "multi_thread")]
async fn a_signal_before_the_disk_is_replaced_puts_everything_back() {
    let pair = pair().await;
    let before = volume_under(&pair, CLAIM);
    // Its pods take their time to go.
    let slow = sandbox::kubernetes::PodTiming { gone_after: Duration::from_secs(2), ..Default::default() };
    pair.target.kubernetes.set_pod_timing(slow);
    let mut running = pair.start(&[RESTORE.as_slice(), &["--output", "json"]].concat());
    running.wait_for_step("stop-etcd").await;
    running.signal("INT").await;
    let ended = running.end().await;
    assert_eq!(ended.code, Some(24), "{}", ended.stderr);
    assert!(ended.stderr.contains("its etcd is untouched, and its pachd runs as before"), "{}", ended.stderr);
    pair.target.kubernetes.set_pod_timing(Default::default());
    assert_eq!((volume_under(&pair, CLAIM), pair.pachd_replicas()), (before.clone(), 1));
    let set = pair.target.kubernetes.object("statefulsets", NAMESPACE, "etcd").unwrap();
    assert_eq!(set["spec"]["replicas"], 1);
    assert_said(&pair.run(&RESTORE).await, 0, &[]);
    assert_restored(&pair, CLAIM, &before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_system_that_does_not_serve_the_snapshot() {
    let pair = pair().await;
    let before = volume_under(&pair, CLAIM);
    let csi = pair.source.cluster.kubernetes.csi();
    // Errors that pass are ridden out, and told.
    csi.fail(CsiCall::ListSnapshots, GrpcCode::Unavailable, "the array reboots");
    let mut running = pair.start(&[RESTORE.as_slice(), &["--output", "json"]].concat());
    running.wait_for(|event| event["message"].as_str().is_some_and(|text| text.contains("the array reboots"))).await;
    csi.clear_faults();
    assert_said(&running.end().await, 0, &[]);
    assert_restored(&pair, CLAIM, &before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_is_gone() {
    let pair = pair().await;
    let config = pair.source.folder().join("target.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("stall = \"30s\"", "stall = \"3s\"")).unwrap();
    let kubernetes = &pair.source.cluster.kubernetes;
    let snapshot =
        kubernetes.objects("volumesnapshots", Some(NAMESPACE))[0]["metadata"]["name"].as_str().unwrap().to_owned();
    let content =
        kubernetes.objects("volumesnapshotcontents", None)[0]["metadata"]["name"].as_str().unwrap().to_owned();
    kubernetes.merge("volumesnapshotcontents", "", &content, &json!({"spec": {"deletionPolicy": "Delete"}})).unwrap();
    kubernetes.delete("volumesnapshots", NAMESPACE, &snapshot).unwrap();
    for _ in 0..200 {
        if kubernetes.objects("volumesnapshotcontents", None).is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let ended = pair.run(&RESTORE).await;
    assert_said(&ended, 24, &["can't be used here after 3 s", "is the snapshot still there", "--from etcd", "is kept"]);
    let record = pair.target.kubernetes.object("configmaps", NAMESPACE, "pachsnap-restore").unwrap();
    assert!(record.to_string().contains("volume-before"), "{record}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_work_is_refused() {
    // An etcd on a folder of its node.
    let node = tempfile::tempdir().unwrap();
    let storage = Storage::Local(node.path().to_owned());
    let target = ClusterOptions { storage, ..ClusterOptions::default() };
    let on_host_path = Pair::on_one_storage(ClusterOptions::default(), target).await;
    std::fs::create_dir_all(node.path().join("pachd")).unwrap();
    on_host_path.write_config(&format!("\n[bucket]\npath = \"{}/pachd\"\n", node.path().display()));
    on_host_path.assert_refused(&RESTORE, 17, &["Deployment etcd", "in no PersistentVolumeClaim", "--from etcd"]).await;

    let mut pair = pair().await;
    let class = [RESTORE.as_slice(), &["--volume-class", "gold"]].concat();
    pair.assert_refused(&class, 11, &["there is no StorageClass gold", "kubectl get storageclass"]).await;
    let other = json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "gold"}, "provisioner": "other.example",
    });
    pair.target.kubernetes.create(other).unwrap();
    pair.assert_refused(&class, 11, &["makes volumes of other.example"]).await;
    pair.target.s3.bucket(BUCKET).put("somebody/elses", "data", None);
    pair.assert_refused(&RESTORE, 14, &["is not empty"]).await;
    pair.target.s3.bucket(BUCKET).clear();

    let all = Rule::new(&["", "apps", "coordination.k8s.io", "authorization.k8s.io", "storage.k8s.io"], &["*"], &["*"]);
    pair.target.kubernetes.add_user("limited-token", "limited", vec![all]);
    let kubeconfig = pair.source.folder().join("target.kubeconfig");
    std::fs::write(&kubeconfig, pair.target.kubernetes.kubeconfig_of("limited")).unwrap();
    let words = ["create volumesnapshotcontents.snapshot.storage.k8s.io", "rbac --for restore"];
    pair.assert_refused(&RESTORE, 13, &words).await;

    // A recovery point without a snapshot of a disk says which paths there are.
    let bench = Bench::new().await;
    bench.write_config("volume = \"skip\"\n");
    let csi = Some(bench.cluster.kubernetes.shared_csi());
    pair = Pair::of(bench, ClusterOptions { csi, ..ClusterOptions::default() }).await;
    pair.assert_refused(&RESTORE, 11, &["has no snapshot of a disk", "--from etcd or --from metadata"]).await;
}
