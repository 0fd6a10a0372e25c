//! What goes with a snapshot, and what stays.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, PostParams};
use serde_json::json;

use super::bench::{Bench, finalizers, object};
use super::cluster::{CsiCall, GrpcCode, on_both};

async fn with_the_policy_delete_content_and_data_go(bench: Bench) {
    bench.claim("data").await;
    bench.snapshot("s", "data", Some("drop")).await;
    let folder = bench.snapshot_folder("s").await;
    bench.delete_snapshot("s").await;
    bench.gone("s").await;
    assert_eq!(bench.count_contents().await, 0);
    assert!(!folder.exists());
}

async fn with_the_policy_retain_they_stay_and_can_be_imported_elsewhere(bench: Bench) {
    let data = bench.claim("data").await;
    std::fs::write(data.join("file"), "kept").unwrap();
    bench.snapshot("s", "data", Some("keep")).await;
    let folder = bench.snapshot_folder("s").await;
    let content = bench.content_of("s").await;
    bench.delete_snapshot("s").await;
    bench.gone("s").await;
    let content = bench.contents().get(&content.name_any()).await.unwrap();
    assert_eq!(content.annotations()["snapshot.storage.kubernetes.io/volumesnapshot-being-deleted"], "yes");
    assert_eq!(std::fs::read_to_string(folder.join("file")).unwrap(), "kept");

    let elsewhere = format!("{}-elsewhere", bench.namespace);
    bench.create_namespace(&elsewhere).await;
    let handle = content.data["status"]["snapshotHandle"].as_str().unwrap();
    bench.import("imported", handle, &elsewhere, "copy").await;
    let spec = json!({"source": {"volumeSnapshotContentName": "imported"}});
    let copy = bench.create_snapshot(&elsewhere, "copy", spec).await.unwrap();
    let status = bench.until("the copy's readiness", async || {
        let status = bench.snapshots_in(&elsewhere).get("copy").await.unwrap().data["status"].take();
        (status["readyToUse"] == true).then_some(status)
    });
    assert_eq!(status.await["boundVolumeSnapshotContentName"], "imported");
    let imported = bench.contents().get("imported").await.unwrap();
    assert_eq!(imported.data["spec"]["volumeSnapshotRef"]["uid"], copy.uid().unwrap());
    assert_eq!(imported.data["status"]["creationTime"], content.data["status"]["creationTime"]);
}

async fn a_content_for_another_snapshot_is_not_bound(bench: Bench) {
    bench.import("taken", "snap-1", &bench.namespace, "other").await;
    for (name, content, why) in [
        ("s", "taken", "VolumeSnapshotContent [taken] is bound to a different snapshot"),
        ("none", "absent", "VolumeSnapshotContent is missing"),
    ] {
        let spec = json!({"source": {"volumeSnapshotContentName": content}});
        bench.create_snapshot(&bench.namespace, name, spec).await.unwrap();
        assert_eq!(bench.error(name).await, why);
    }
    let taken = bench.contents().get("taken").await.unwrap();
    assert!(taken.data["spec"]["volumeSnapshotRef"]["uid"].is_null());
    let why = "Failed to check and update snapshot content: failed to list snapshot for content taken: \
               \"can not find snapshot for snapshotID snap-1\"";
    assert_eq!(taken.data["status"]["error"]["message"], why);
}

async fn a_deletion_that_fails_is_told_on_the_content_only(bench: Bench) {
    bench.claim("data").await;
    bench.snapshot("s", "data", Some("drop")).await;
    let folder = bench.snapshot_folder("s").await;
    let (content, before) = (bench.content_of("s").await, bench.ready("s").await);
    bench.cluster.fail(CsiCall::DeleteSnapshot, GrpcCode::Internal, "it is stuck");
    bench.delete_snapshot("s").await;
    let (message, kind) = bench.event("default", &content.name_any(), "SnapshotDeleteError").await;
    assert_eq!((message.as_str(), kind.as_str()), ("Failed to delete snapshot", "Warning"));
    let waiting = bench.snapshots().get("s").await.unwrap();
    assert!(waiting.metadata.deletion_timestamp.is_some() && waiting.data["status"] == before);
    assert!(folder.exists());
    bench.cluster.clear_faults().await;
    bench.gone("s").await;
    assert!(!folder.exists());
}

async fn a_snapshot_that_is_deleted_while_it_is_cut_goes_when_the_driver_is_done(bench: Bench) {
    bench.claim("data").await;
    bench.cluster.delay(CsiCall::CreateSnapshot, Duration::from_secs(3600));
    bench.snapshot("s", "data", Some("drop")).await;
    let bound = async || {
        let snapshot = bench.snapshots().get("s").await.unwrap();
        (finalizers(&snapshot).len() == 2).then_some(())
    };
    bench.until("both finalizers", bound).await;
    let content = bench.content_of("s").await.name_any();
    let cutting = "snapshot.storage.kubernetes.io/volumesnapshot-being-created";
    let cut_begun = async || bench.contents().get(&content).await.unwrap().annotations().get(cutting).cloned();
    bench.until("the beginning of the cut", cut_begun).await;
    bench.delete_snapshot("s").await;
    let is_deleted = async || bench.contents().get(&content).await.unwrap().metadata.deletion_timestamp;
    bench.until("the content's deletion", is_deleted).await;
    assert!(bench.snapshots().get("s").await.is_ok());
    bench.cluster.clear_faults().await;
    bench.gone("s").await;
    assert!(bench.contents().get_opt(&content).await.unwrap().is_none());
    bench.claim_released("data").await;
}

async fn with_a_claim_its_volume_goes(bench: Bench) {
    let folder = bench.claim("data").await;
    bench.claims().delete("data", &DeleteParams::default()).await.unwrap();
    bench.until("the volume's end", async || (bench.count_volumes().await == 0).then_some(())).await;
    assert!(!folder.exists());
}

async fn a_claim_that_a_pod_uses_goes_with_the_pod(bench: Bench) {
    let folder = bench.claim("data").await;
    let volume = json!({"name": "data", "persistentVolumeClaim": {"claimName": "data"}});
    let pod = json!({
        "metadata": {"name": "user"},
        "spec": {"nodeName": bench.cluster.node(), "containers": [{"name": "c", "image": "i"}], "volumes": [volume]},
    });
    let pods = bench.api::<Pod>();
    pods.create(&PostParams::default(), &object(pod)).await.unwrap();
    let running = async || {
        let pod = pods.get("user").await.unwrap();
        pod.status.filter(|status| status.phase.as_deref() == Some("Running"))
    };
    bench.until("the pod", running).await;
    bench.claims().delete("data", &DeleteParams::default()).await.unwrap();
    bench.claim("unused").await;
    bench.claims().delete("unused", &DeleteParams::default()).await.unwrap();
    let unused_gone = async || bench.claims().get_opt("unused").await.unwrap().is_none().then_some(());
    bench.until("the end of the other claim", unused_gone).await;
    assert!(bench.claims().get("data").await.unwrap().metadata.deletion_timestamp.is_some());
    assert!(folder.exists());
    pods.delete("user", &DeleteParams::default()).await.unwrap();
    bench.until("the end of the volume's folder", async || (!folder.exists()).then_some(())).await;
    assert!(bench.claims().get_opt("data").await.unwrap().is_none());
}

on_both! {
    Real with_the_policy_delete_content_and_data_go
    Real with_the_policy_retain_they_stay_and_can_be_imported_elsewhere
    Real a_content_for_another_snapshot_is_not_bound
    RealAlone a_deletion_that_fails_is_told_on_the_content_only
    RealAlone a_snapshot_that_is_deleted_while_it_is_cut_goes_when_the_driver_is_done
    Real with_a_claim_its_volume_goes
    Real a_claim_that_a_pod_uses_goes_with_the_pod
}
