//! What the API itself says of volume snapshots: rules, rights, discovery.

use http::Request;
use kube::api::{ListParams, Patch, PatchParams};
use sandbox::kubernetes::{KubernetesOptions, KubernetesServer, Rule};
use serde_json::{Value, json};

use super::bench::{Bench, kind};
use super::cluster::{Kind, client, on_both};

fn refusal<T: std::fmt::Debug>(result: kube::Result<T>) -> (u16, String) {
    match result {
        Err(kube::Error::Api(status)) => (status.code, status.message),
        other => panic!("not a refusal by the server: {other:?}"),
    }
}

async fn a_snapshot_has_one_source_for_ever(bench: Bench) {
    let one = "VolumeSnapshot.snapshot.storage.k8s.io \"s\" is invalid: spec.source: Invalid value: exactly one of \
               volumeSnapshotContentName and persistentVolumeClaimName must be set";
    for source in [json!({}), json!({"persistentVolumeClaimName": "a", "volumeSnapshotContentName": "b"})] {
        let created = bench.create_snapshot(&bench.namespace, "s", json!({"source": source})).await;
        assert_eq!(refusal(created), (422, one.to_owned()));
    }
    let created = bench.snapshot("s", "data", Some("keep")).await;
    assert_eq!(created.metadata.generation, Some(1));
    assert!(created.data["status"].is_null());
    let other = Patch::Merge(json!({"spec": {"source": {"persistentVolumeClaimName": "other"}}}));
    let patched = bench.snapshots().patch("s", &PatchParams::default(), &other).await;
    let why = "VolumeSnapshot.snapshot.storage.k8s.io \"s\" is invalid: spec.source.persistentVolumeClaimName: Invalid \
               value: \"other\": persistentVolumeClaimName is immutable";
    assert_eq!(refusal(patched), (422, why.to_owned()));
    let label = Patch::Strategic(json!({"metadata": {"labels": {"a": "b"}}}));
    assert_eq!(refusal(bench.snapshots().patch("s", &PatchParams::default(), &label).await).0, 415);
}

#[tokio::test]
async fn the_status_is_written_apart_from_the_rest() {
    println!("not on real controllers: they can't be kept from writing the status, too");
    let bench = Bench::start(Kind::Sandbox, "status").await;
    bench.snapshot("s", "data", Some("keep")).await;
    let status = Patch::Merge(json!({"spec": {"volumeSnapshotClassName": "none"}, "status": {"readyToUse": true}}));
    bench.cluster.server().pause_controllers(true);
    let patched = bench.snapshots().patch_status("s", &PatchParams::default(), &status).await.unwrap();
    assert_eq!((&patched.data["status"]["readyToUse"], patched.metadata.generation), (&json!(true), Some(1)));
    assert_eq!(patched.data["spec"]["volumeSnapshotClassName"], "keep");
}

#[tokio::test]
async fn rights_and_the_request_log_cover_snapshots() {
    println!("not on real controllers: users with rules and the request log are the sandbox's");
    let bench = Bench::start(Kind::Sandbox, "rights").await;
    let rules = vec![Rule::new(&["snapshot.storage.k8s.io"], &["volumesnapshots"], &["get", "create"])];
    bench.cluster.server().add_user("limited-token", "limited", rules);
    let limited = client(bench.cluster.server(), "limited").await;
    let snapshots = kube::Api::namespaced_with(limited.clone(), &bench.namespace, &kind("VolumeSnapshot"));
    let mut snapshot = kube::api::DynamicObject::new("s", &kind("VolumeSnapshot"));
    snapshot.data = json!({"spec": {"source": {"persistentVolumeClaimName": "data"}}});
    bench.cluster.server().clear_requests();
    snapshots.create(&Default::default(), &snapshot).await.unwrap();
    let changes = bench.cluster.server().changes();
    assert_eq!((changes.len(), changes[0].resource.as_str(), changes[0].name.as_str()), (1, "volumesnapshots", "s"));
    let why = "volumesnapshots.snapshot.storage.k8s.io is forbidden: User \"limited\" cannot list resource \
               \"volumesnapshots\" in API group \"snapshot.storage.k8s.io\" in the namespace \"rights\"";
    assert_eq!(refusal(snapshots.list(&ListParams::default()).await), (403, why.to_owned()));
    let contents = kube::Api::<kube::api::DynamicObject>::all_with(limited, &kind("VolumeSnapshotContent"));
    assert_eq!(refusal(contents.get("c").await).0, 403);
}

#[tokio::test]
async fn without_the_definitions_the_group_is_unknown() {
    println!("not on real controllers: the bench has the kinds of snapshots from its start");
    let get = |path: &str| Request::get(path).body(Vec::new()).unwrap();
    let path = "/apis/snapshot.storage.k8s.io/v1/namespaces/default/volumesnapshots";
    for snapshots in [true, false] {
        let options = KubernetesOptions { snapshots, ..KubernetesOptions::default() };
        let server = KubernetesServer::start(options).await.unwrap();
        let client = client(&server, "admin").await;
        let groups: Value = client.request(get("/apis")).await.unwrap();
        let listed = groups["groups"].as_array().unwrap().iter().any(|it| it["name"] == "snapshot.storage.k8s.io");
        assert_eq!(listed, snapshots);
        let answer = client.request_text(get(path)).await;
        if snapshots {
            answer.unwrap();
            let kinds: Value = client.request(get("/apis/snapshot.storage.k8s.io/v1")).await.unwrap();
            let names: Vec<&str> =
                kinds["resources"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
            assert_eq!(
                names,
                [
                    "volumesnapshotclasses",
                    "volumesnapshotcontents",
                    "volumesnapshotcontents/status",
                    "volumesnapshots",
                    "volumesnapshots/status",
                ]
            );
        } else {
            let (code, message) = refusal(answer);
            assert_eq!((code, message.contains("404 page not found")), (404, true), "{message}");
            assert_eq!(refusal(client.request_text(get("/apis/snapshot.storage.k8s.io/v1")).await).0, 404);
        }
    }
}

on_both! {
    Real a_snapshot_has_one_source_for_ever
}
