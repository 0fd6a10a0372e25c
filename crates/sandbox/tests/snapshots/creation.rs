//! How a snapshot comes about, and what its class and its source decide.

use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::PersistentVolume;
use kube::ResourceExt as _;
use kube::api::{DynamicObject, ListParams, PostParams, WatchEvent, WatchParams};
use serde_json::{Value, json};
use std::time::Duration;

use super::bench::{Bench, GIB, finalizers, object};
use super::cluster::{CSI_DRIVER, CsiCall, on_both};

/// The finalizers and the status of an object at each of its versions after this one, until the condition holds.
async fn history(
    api: kube::Api<DynamicObject>,
    version: &str,
    last: impl Fn(&Value, &[String]) -> bool,
) -> Vec<(Vec<String>, Value)> {
    let mut events = api.watch(&WatchParams::default(), version).await.unwrap().boxed();
    let mut states = Vec::new();
    while let Some(event) = events.try_next().await.unwrap() {
        if let WatchEvent::Added(mut object) | WatchEvent::Modified(mut object) = event {
            let state = (finalizers(&object), object.data["status"].take());
            let ends = last(&state.1, &state.0);
            states.push(state);
            if ends {
                return states;
            }
        }
    }
    panic!("the watch ended");
}

async fn finalizer_content_cut_and_readiness_come_in_the_recorded_order(bench: Bench) {
    bench.claim("data").await;
    let version = bench.snapshots().list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
    let created = bench.snapshot("s", "data", Some("drop")).await;
    let (snapshots, contents) = tokio::join!(
        history(bench.snapshots(), &version, |status, finalizers| {
            status["readyToUse"] == true && finalizers.len() == 2
        }),
        history(bench.contents(), &version, |status, _| status["readyToUse"] == true),
    );
    let name = format!("snapcontent-{}", created.uid().unwrap());
    let source = "volumesnapshot-as-source-protection".to_owned();
    let both = vec![source.clone(), "volumesnapshot-bound-protection".to_owned()];
    assert_eq!(snapshots[0], (vec![], Value::Null));
    assert_eq!(snapshots[1], (vec![source.clone()], Value::Null));
    assert_eq!(snapshots[2], (vec![source], json!({"boundVolumeSnapshotContentName": name, "readyToUse": false})));
    assert_eq!(snapshots.last().unwrap().0, both);

    let content = bench.contents().get(&name).await.unwrap();
    let volume = bench.claims().get("data").await.unwrap().spec.unwrap().volume_name.unwrap();
    let volume = bench.volumes().get(&volume).await.unwrap().spec.unwrap().csi.unwrap();
    let mut spec = content.data["spec"].clone();
    let reference = spec["volumeSnapshotRef"].take();
    assert_eq!(
        spec,
        json!({
            "deletionPolicy": "Delete",
            "driver": CSI_DRIVER,
            "source": {"volumeHandle": volume.volume_handle},
            "sourceVolumeMode": "Filesystem",
            "volumeSnapshotClassName": "drop",
            "volumeSnapshotRef": null,
        })
    );
    assert_eq!(
        (reference["uid"].as_str(), reference["name"].as_str(), reference["namespace"].as_str()),
        (created.metadata.uid.as_deref(), Some("s"), Some(bench.namespace.as_str()))
    );
    assert!(contents[0].1.is_null(), "{contents:?}");
    let told = &contents.last().unwrap().1;
    assert_eq!(told["restoreSize"], json!(1u64 << 30));
    assert!(told["snapshotHandle"].is_string(), "{told}");
    let nanoseconds = told["creationTime"].as_i64().unwrap();
    let seconds = whole_seconds(nanoseconds);
    let status = bench.ready("s").await;
    assert_eq!(
        status,
        json!({
            "boundVolumeSnapshotContentName": name,
            "creationTime": seconds,
            "readyToUse": true,
            "restoreSize": GIB,
        })
    );
    assert_eq!(
        bench.event(&bench.namespace, "s", "SnapshotReady").await.0,
        format!("Snapshot {}/s is ready to use.", bench.namespace)
    );
}

/// Whole seconds, as API objects write them.
fn whole_seconds(nanoseconds: i64) -> String {
    let time = jiff::Timestamp::from_nanosecond(i128::from(nanoseconds)).unwrap();
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

async fn a_missing_claim_is_an_error_until_it_appears(bench: Bench) {
    bench.snapshot("s", "late", Some("keep")).await;
    let why = "Failed to create snapshot content with error snapshot controller failed to update s on API server: \
               cannot get claim from snapshot";
    assert_eq!(bench.error("s").await, why);
    assert_eq!(
        bench.event(&bench.namespace, "s", "SnapshotContentCreationFailed").await,
        (why.to_owned(), "Warning".to_owned())
    );
    bench.claim("late").await;
    assert!(bench.ready("s").await["error"].is_null());
}

async fn a_claim_that_is_not_bound_yet_is_waited_for(bench: Bench) {
    let default = json!({"snapshot.storage.kubernetes.io/is-default-class": "true"});
    let class = json!({"deletionPolicy": "Delete", "metadata": {"annotations": default}});
    bench.snapshot_class("usual", CSI_DRIVER, class).await;
    bench.cluster.delay(CsiCall::CreateVolume, Duration::from_secs(3600));
    bench.ask("data", GIB, None).await;
    bench.snapshot("s", "data", None).await;
    let (message, kind) = bench.event(&bench.namespace, "s", "SetDefaultSnapshotClassFailed").await;
    let why = "the PVC data is not yet bound to a PV, will not attempt to take a snapshot";
    assert_eq!((message.contains(why), kind.as_str()), (true, "Warning"), "{message}");
    bench.cluster.clear_faults().await;
    bench.ready("s").await;
    let snapshot = bench.snapshots().get("s").await.unwrap();
    assert_eq!(snapshot.data["spec"]["volumeSnapshotClassName"], "usual");
    bench.delete_snapshot_class("usual").await;
}

async fn a_class_must_be_there_or_be_the_default(bench: Bench) {
    bench.claim("data").await;
    bench.snapshot("named", "data", Some("none")).await;
    let why = "Failed to get snapshot class with error volumesnapshotclass.snapshot.storage.k8s.io \"none\" not found";
    assert_eq!(bench.error("named").await, why);
    bench.snapshot("default", "data", None).await;
    let why = "Failed to set default snapshot class with error cannot find default snapshot class";
    assert_eq!(bench.error("default").await, why);
    bench.snapshot_class("none", CSI_DRIVER, json!({"deletionPolicy": "Delete"})).await;
    bench.ready("named").await;
}

async fn a_driver_that_nobody_serves_does_nothing_and_tells_nothing(bench: Bench) {
    bench.claim("data").await;
    bench.snapshot_class("foreign", "other.csi.example.com", json!({"deletionPolicy": "Delete"})).await;
    bench.snapshot("foreign", "data", Some("foreign")).await;
    bench.content_of("foreign").await;
    bench.cluster.set_served(false).await;
    bench.snapshot("unserved", "data", Some("keep")).await;
    bench.content_of("unserved").await;
    bench.cluster.set_served(true).await;
    bench.ready("unserved").await;
    let status = bench.status("foreign", |_| true).await;
    assert_eq!((&status["readyToUse"], &status["error"]), (&json!(false), &Value::Null));
    assert!(bench.content_of("foreign").await.data["status"].is_null());
}

async fn a_volume_without_a_csi_driver_cannot_be_snapshotted(bench: Bench) {
    let spec = json!({"accessModes": ["ReadWriteOnce"], "capacity": {"storage": GIB}, "hostPath": {"path": "/tmp/hp"}});
    let volume: PersistentVolume = object(json!({"metadata": {"name": "hp"}, "spec": spec}));
    bench.volumes().create(&PostParams::default(), &volume).await.unwrap();
    let spec = json!({
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": GIB}},
        "storageClassName": "",
        "volumeName": "hp",
    });
    let claim = object(json!({"metadata": {"name": "data"}, "spec": spec}));
    bench.claims().create(&PostParams::default(), &claim).await.unwrap();
    let bound = async || {
        let claim = bench.claims().get("data").await.unwrap();
        claim.status.filter(|status| status.phase.as_deref() == Some("Bound"))
    };
    bench.until("the claim's volume", bound).await;
    bench.snapshot("s", "data", Some("keep")).await;
    let why = "Failed to create snapshot content with error cannot find CSI PersistentVolumeSource for volume hp";
    assert_eq!(bench.error("s").await, why);
}

async fn the_claim_is_held_while_it_is_cut(bench: Bench) {
    bench.claim("data").await;
    bench.cluster.delay(CsiCall::CreateSnapshot, Duration::from_secs(3600));
    bench.snapshot("s", "data", Some("keep")).await;
    bench.content_of("s").await;
    let held = finalizers(&bench.claims().get("data").await.unwrap());
    assert_eq!(held, ["pvc-protection", "pvc-as-source-protection"]);
    bench.cluster.clear_faults().await;
    bench.ready("s").await;
    bench.claim_released("data").await;
}

on_both! {
    Real finalizer_content_cut_and_readiness_come_in_the_recorded_order
    Real a_missing_claim_is_an_error_until_it_appears
    RealAlone a_claim_that_is_not_bound_yet_is_waited_for
    Real a_class_must_be_there_or_be_the_default
    RealAlone a_driver_that_nobody_serves_does_nothing_and_tells_nothing
    Real a_volume_without_a_csi_driver_cannot_be_snapshotted
    RealAlone the_claim_is_held_while_it_is_cut
}
