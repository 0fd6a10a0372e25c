//! What goes wrong with snapshots, on the real controllers and on the sandbox's.

use std::error::Error as _;
use std::time::Duration;

use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client};
use provider::{
    CreateVolumeRequest, CutRequest, Error, ErrorKind, Notices, Owner, RestoredVolume, SnapshotId, SnapshotState,
    VolumeId, VolumeSnapshots,
};
use provider_onprem::{CsiOptions, DeletionPolicy};
use sandbox::kubernetes::{CsiCall, GrpcCode};
use sandbox::programs::kubernetes::{DELETE_CLASS, DRIVER, RETAIN_CLASS};
use serde_json::{Value, json};

use crate::place::{Place, object, options};

fn owner() -> Owner {
    Owner { cluster: "Company's production, written as no label may be".to_owned(), run: "run-1".to_owned() }
}

fn request(claim: &str, seconds: u64) -> CutRequest {
    CutRequest {
        volume: VolumeId(claim.to_owned()),
        identity: format!("pachsnap-run-1-{claim}"),
        owner: owner(),
        description: "a test".to_owned(),
        limit: Duration::from_secs(seconds),
        notices: Notices::to_nobody(),
    }
}

fn kind(kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("snapshot.storage.k8s.io", "v1", kind))
}

fn contents(client: &Client) -> Api<DynamicObject> {
    Api::all_with(client.clone(), &kind("VolumeSnapshotContent"))
}

/// Waits until a snapshot can be used.
async fn ready(place: &Place, snapshots: &dyn VolumeSnapshots, id: &SnapshotId) {
    let look = || async {
        let state = snapshots.status(id).await.unwrap().state;
        if state == SnapshotState::Ready { Ok(()) } else { Err(format!("snapshot {} is {state:?}", id.0)) }
    };
    place.until(look).await;
}

fn cause(error: &Error) -> String {
    error.source().map(ToString::to_string).unwrap_or_default()
}

async fn class(place: &Place, name: &str, driver: &str, annotations: Value) {
    let classes: Api<DynamicObject> = Api::all_with(place.client.clone(), &kind("VolumeSnapshotClass"));
    let class = json!({
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshotClass",
        "metadata": {"name": name, "annotations": annotations},
        "driver": driver,
        "deletionPolicy": "Delete",
    });
    classes.create(&PostParams::default(), &object(class)).await.unwrap();
}

async fn an_error_that_passes_is_ridden_out_and_one_that_stays_is_told(place: Place) {
    place.claim("etcd").await;
    let snapshots = place.snapshots(options());
    place.fail(CsiCall::CreateSnapshot, GrpcCode::Unavailable, "the array reboots");
    let error = snapshots.cut(&request("etcd", 2)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(
        cause(&error).contains("within 2 s; last reported") && cause(&error).contains("the array reboots"),
        "{error:?}"
    );
    place.fail(CsiCall::CreateSnapshot, GrpcCode::InvalidArgument, "not even this is final");
    let (cut, ()) = tokio::join!(async { snapshots.cut(&request("etcd", 180)).await }, async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        place.work_again();
    });
    let cut = cut.unwrap();
    assert_eq!(snapshots.list(&owner()).await.unwrap(), [cut]);
}

async fn the_cut_comes_before_the_snapshot_is_ready(place: Place) {
    place.claim("etcd").await;
    let snapshots = place.snapshots(options());
    place.set_ready(false);
    let cut = snapshots.cut(&request("etcd", 180)).await.unwrap();
    assert_eq!(snapshots.status(&cut.id).await.unwrap().state, SnapshotState::Pending { percent: None });
    for (name, expected) in [
        ("driver", DRIVER),
        ("namespace", place.namespace.as_str()),
        ("class", DELETE_CLASS),
        ("deletion-policy", "Delete"),
    ] {
        assert_eq!(cut.details[name], expected, "{name}");
    }
    let handle = &cut.details["snapshot-handle"];
    assert!(place.snapshot_folder(handle).is_dir());
    place.set_ready(true);
    ready(&place, &snapshots, &cut.id).await;
}

async fn a_driver_that_nobody_serves_ends_by_the_limit(place: Place) {
    place.claim("etcd").await;
    place.set_served(false).await;
    let snapshots = place.snapshots(options());
    let error = snapshots.cut(&request("etcd", 2)).await.unwrap_err();
    place.set_served(true).await;
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(cause(&error).contains("does a csi-snapshotter serve this driver?"), "{error:?}");
    // What was asked for is still asked for, and found again.
    let cut = snapshots.cut(&request("etcd", 180)).await.unwrap();
    snapshots.delete(&cut.id).await.unwrap();
    assert_eq!(snapshots.list(&owner()).await.unwrap(), []);
}

async fn the_data_is_retained_where_that_is_configured_and_still_deleted_by_us(place: Place) {
    place.claim("etcd").await;
    let retaining = CsiOptions { deletion: DeletionPolicy::Retain, ..options() };
    let warned = place.snapshots(options()).inspect(&VolumeId("etcd".to_owned())).await.unwrap().cautions;
    assert!(warned.iter().any(|caution| caution.contains("deletionPolicy Delete")), "{warned:?}");
    assert!(warned.iter().any(|caution| caution.contains("lives in the storage system of driver")), "{warned:?}");
    let snapshots = place.snapshots(retaining.clone());
    let warned = snapshots.inspect(&VolumeId("etcd".to_owned())).await.unwrap().cautions;
    assert!(warned.iter().all(|caution| !caution.contains("deletionPolicy Delete")), "{warned:?}");

    let cut = snapshots.cut(&request("etcd", 180)).await.unwrap();
    assert_eq!(cut.details["deletion-policy"], "Retain");
    let content = cut.details["content"].clone();
    let folder = place.snapshot_folder(&cut.details["snapshot-handle"]);
    // The controllers see the policy late when much else goes on: surely before they see what comes after it.
    place.claim("later").await;
    snapshots.cut(&request("later", 180)).await.unwrap();
    let objects: Api<DynamicObject> =
        Api::namespaced_with(place.client.clone(), &place.namespace, &kind("VolumeSnapshot"));
    objects.delete(&cut.id.0, &Default::default()).await.unwrap();
    place
        .until(|| async {
            let left = objects.get_opt(&cut.id.0).await.unwrap();
            left.map_or(Ok(()), |left| Err(format!("the VolumeSnapshot is there: {:?}", left.data["status"])))
        })
        .await;
    assert!(folder.is_dir() && contents(&place.client).get_opt(&content).await.unwrap().is_some());

    let again = snapshots.cut(&request("etcd", 180)).await.unwrap();
    let folder = place.snapshot_folder(&again.details["snapshot-handle"]);
    snapshots.delete(&again.id).await.unwrap();
    assert!(!folder.exists() && contents(&place.client).get_opt(&again.details["content"]).await.unwrap().is_none());
}

async fn a_deletion_that_the_driver_refuses_is_told(place: Place) {
    place.claim("etcd").await;
    let snapshots = place.snapshots(CsiOptions { delete_limit: Duration::from_secs(1), ..options() });
    let cut = snapshots.cut(&request("etcd", 180)).await.unwrap();
    place.fail(CsiCall::DeleteSnapshot, GrpcCode::FailedPrecondition, "in use");
    let error = snapshots.delete(&cut.id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(cause(&error).contains("still being deleted after 1 s"), "{error:?}");
    let reused = snapshots.cut(&request("etcd", 1)).await.unwrap_err();
    assert_eq!(reused.kind(), ErrorKind::AlreadyExists, "{reused:?}");
    place.work_again();
    place.snapshots(options()).delete(&cut.id).await.unwrap();
}

async fn a_class_is_chosen_and_a_wrong_one_is_refused(place: Place) {
    place.claim("etcd").await;
    let etcd = VolumeId("etcd".to_owned());
    let with = |class: Option<&str>| place.snapshots(CsiOptions { class: class.map(str::to_owned), ..options() });
    with(Some(RETAIN_CLASS)).inspect(&etcd).await.unwrap();
    with(None).inspect(&etcd).await.expect("the driver's default class");
    let missing = with(Some("no-such-class")).inspect(&etcd).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::Invalid);
    assert!(cause(&missing).contains("no VolumeSnapshotClass no-such-class"), "{missing:?}");
    class(&place, "of-another", "other.example.com", json!({})).await;
    let other = with(Some("of-another")).inspect(&etcd).await.unwrap_err();
    assert!(cause(&other).contains("is for driver other.example.com"), "{other:?}");
}

async fn a_volume_that_is_no_csi_volume_is_unsupported(place: Place) {
    place.claim("etcd").await;
    let volume = json!({
        "metadata": {"name": "in-tree-volume"},
        "spec": {
            "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "by-hand",
            "hostPath": {"path": "/var/pachyderm/etcd"},
            "claimRef": {"namespace": place.namespace, "name": "old"},
        },
    });
    let volumes: Api<k8s_openapi::api::core::v1::PersistentVolume> = Api::all(place.client.clone());
    volumes.create(&PostParams::default(), &object(volume)).await.unwrap();
    let claim = json!({
        "metadata": {"name": "old"},
        "spec": {
            "accessModes": ["ReadWriteOnce"], "storageClassName": "by-hand", "volumeName": "in-tree-volume",
            "resources": {"requests": {"storage": "1Gi"}},
        },
    });
    place.claims().create(&PostParams::default(), &object(claim)).await.unwrap();
    let snapshots = place.snapshots(options());
    let error = snapshots.inspect(&VolumeId("old".to_owned())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(cause(&error).contains("PersistentVolume in-tree-volume is no CSI volume"), "{error:?}");
}

async fn a_snapshot_that_points_to_anothers_content_is_never_used(place: Place) {
    place.claim("etcd").await;
    let snapshots = place.snapshots(options());
    let cut = snapshots.cut(&request("etcd", 180)).await.unwrap();
    ready(&place, &snapshots, &cut.id).await;
    place.claim("theirs").await;
    let theirs = snapshots.cut(&request("theirs", 180)).await.unwrap();

    let objects: Api<DynamicObject> =
        Api::namespaced_with(place.client.clone(), &place.namespace, &kind("VolumeSnapshot"));
    let stolen = json!({"status": {"boundVolumeSnapshotContentName": theirs.details["content"]}});
    objects.patch_status(&cut.id.0, &PatchParams::default(), &Patch::Merge(stolen)).await.unwrap();
    let SnapshotState::Failed { reason } = snapshots.status(&cut.id).await.unwrap().state else { panic!("it is used") };
    assert!(reason.contains(&format!("belongs to {}/pachsnap-run-1-theirs", place.namespace)), "{reason}");
    let restore = CreateVolumeRequest {
        snapshot: cut.id.clone(),
        identity: "restored".to_owned(),
        claim: None,
        owner: owner(),
        size: None,
        zone: None,
        class: None,
    };
    let error = snapshots.create_volume(&restore).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
    assert!(place.claims().get_opt("restored").await.unwrap().is_none());
    let whole = CreateVolumeRequest { snapshot: theirs.id.clone(), ..restore };
    ready(&place, &snapshots, &theirs.id).await;
    let RestoredVolume::Claim { name, size, .. } = snapshots.create_volume(&whole).await.unwrap() else { panic!() };
    assert_eq!((name.as_str(), size), ("restored", 1 << 30));

    // Real controllers would go on about the wrong binding for ever, thousands of events a minute.
    let own = json!({"status": {"boundVolumeSnapshotContentName": cut.details["content"]}});
    objects.patch_status(&cut.id.0, &PatchParams::default(), &Patch::Merge(own)).await.unwrap();
    snapshots.delete(&cut.id).await.unwrap();
}

async fn what_was_not_made_by_us_is_neither_taken_nor_deleted(place: Place) {
    place.claim("etcd").await;
    let snapshots = place.snapshots(options());
    let objects: Api<DynamicObject> =
        Api::namespaced_with(place.client.clone(), &place.namespace, &kind("VolumeSnapshot"));
    let foreign = json!({
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshot",
        "metadata": {"name": request("etcd", 1).identity},
        "spec": {"volumeSnapshotClassName": DELETE_CLASS, "source": {"persistentVolumeClaimName": "etcd"}},
    });
    objects.create(&PostParams::default(), &object(foreign)).await.unwrap();
    let error = snapshots.cut(&request("etcd", 5)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error:?}");
    let error = snapshots.delete(&SnapshotId(request("etcd", 1).identity)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_without_volume_snapshots_is_unsupported() {
    println!("not on real controllers: the bench has the kinds of snapshots from its start");
    let place = Place::sandbox_without_snapshots().await;
    let error = place.snapshots(options()).inspect(&VolumeId("etcd".to_owned())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(cause(&error).contains("no VolumeSnapshot API"), "{error:?}");
}

macro_rules! on_both {
    ($($case:ident)*) => {
        mod on_real_controllers {
            use crate::place::Place;
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                super::$case(Place::real(stringify!($case)).await).await;
            })*
        }
        mod on_the_sandbox {
            use crate::place::Place;
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                super::$case(Place::sandbox(stringify!($case)).await).await;
            })*
        }
    };
}

on_both! {
    an_error_that_passes_is_ridden_out_and_one_that_stays_is_told
    the_cut_comes_before_the_snapshot_is_ready
    a_driver_that_nobody_serves_ends_by_the_limit
    the_data_is_retained_where_that_is_configured_and_still_deleted_by_us
    a_deletion_that_the_driver_refuses_is_told
    a_class_is_chosen_and_a_wrong_one_is_refused
    a_volume_that_is_no_csi_volume_is_unsupported
    a_snapshot_that_points_to_anothers_content_is_never_used
    what_was_not_made_by_us_is_neither_taken_nor_deleted
}
