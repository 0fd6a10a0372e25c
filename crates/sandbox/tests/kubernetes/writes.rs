//! Creates, updates and deletions: versions, names, preconditions, limits.

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use serde_json::json;

use crate::cases;
use crate::place::{Place, config_map, object, status};

cases! {
    both: [
        a_stale_version_conflicts_and_names_are_unique on api_server,
        a_lease_has_one_holder on api_server,
        an_immutable_config_map_stays_as_it_is on api_server,
    ],
    sandbox: [],
}

async fn a_stale_version_conflicts_and_names_are_unique(place: Place) {
    let maps = place.api::<ConfigMap>();
    let first = maps.create(&PostParams::default(), &config_map("m", json!({"k": "1"}))).await.unwrap();
    let refused = status(maps.create(&PostParams::default(), &config_map("m", json!({}))).await);
    assert_eq!((refused.code, refused.reason.as_str()), (409, "AlreadyExists"));
    assert_eq!(refused.message, "configmaps \"m\" already exists");

    let mut changed = first.clone();
    changed.data.as_mut().unwrap().insert("k".into(), "2".into());
    let second = maps.replace("m", &PostParams::default(), &changed).await.unwrap();
    assert_ne!(second.metadata.resource_version, first.metadata.resource_version);
    let refused = status(maps.replace("m", &PostParams::default(), &changed).await);
    assert_eq!((refused.code, refused.reason.as_str()), (409, "Conflict"));
    assert!(refused.message.contains("the object has been modified"), "{}", refused.message);
    let patch = json!({"metadata": {"resourceVersion": first.metadata.resource_version}, "data": {"k": "3"}});
    assert_eq!(status(maps.patch("m", &PatchParams::default(), &Patch::Merge(patch)).await).code, 409);

    let same = maps.patch("m", &PatchParams::default(), &Patch::Merge(json!({"data": {"k": "2"}}))).await.unwrap();
    assert_eq!(same.metadata.resource_version, second.metadata.resource_version, "nothing changed");

    let wrong = Preconditions { uid: Some("another".into()), resource_version: None };
    let parameters = DeleteParams { preconditions: Some(wrong), ..DeleteParams::default() };
    assert_eq!(status(maps.delete("m", &parameters).await).reason, "Conflict");
    maps.delete("m", &DeleteParams::default()).await.unwrap().right().expect("gone at once");
    let refused = status(maps.get("m").await);
    assert_eq!((refused.code, refused.message.as_str()), (404, "configmaps \"m\" not found"));

    let elsewhere = Api::<ConfigMap>::namespaced(place.client.clone(), "nowhere");
    let refused = status(elsewhere.create(&PostParams::default(), &config_map("m", json!({}))).await);
    assert_eq!((refused.code, refused.message.as_str()), (404, "namespaces \"nowhere\" not found"));
}

async fn a_lease_has_one_holder(place: Place) {
    let leases = place.api::<Lease>();
    let lease = |holder: &str| -> Lease {
        object(
            json!({"metadata": {"name": "pachsnap"}, "spec": {"holderIdentity": holder, "leaseDurationSeconds": 30}}),
        )
    };
    let mine = leases.create(&PostParams::default(), &lease("one")).await.unwrap();
    let refused = status(leases.create(&PostParams::default(), &lease("two")).await);
    assert_eq!((refused.code, refused.reason.as_str()), (409, "AlreadyExists"));
    assert_eq!(refused.message, "leases.coordination.k8s.io \"pachsnap\" already exists");
    leases.replace("pachsnap", &PostParams::default(), &mine).await.unwrap();
    let mut renewed = mine.clone();
    renewed.spec.as_mut().unwrap().lease_transitions = Some(1);
    leases.replace("pachsnap", &PostParams::default(), &renewed).await.unwrap();
    assert_eq!(status(leases.replace("pachsnap", &PostParams::default(), &renewed).await).reason, "Conflict");
    assert_eq!(status(leases.replace("pachsnap", &PostParams::default(), &lease("two")).await).code, 422);
}

async fn an_immutable_config_map_stays_as_it_is(place: Place) {
    let maps = place.api::<ConfigMap>();
    let record: ConfigMap = object(json!({"metadata": {"name": "r"}, "immutable": true, "data": {"k": "v"}}));
    maps.create(&PostParams::default(), &record).await.unwrap();
    for change in [json!({"data": {"k": "w"}}), json!({"immutable": false}), json!({"data": null})] {
        let refused = status(maps.patch("r", &PatchParams::default(), &Patch::Merge(&change)).await);
        assert_eq!((refused.code, refused.reason.as_str()), (422, "Invalid"), "{change}");
        assert!(refused.message.contains("field is immutable when `immutable` is set"), "{}", refused.message);
    }
    let labelled = json!({"metadata": {"labels": {"a": "b"}}});
    maps.patch("r", &PatchParams::default(), &Patch::Merge(&labelled)).await.unwrap();

    let big = config_map("big", json!({"k": "x".repeat(1024 * 1024 + 1)}));
    let refused = status(maps.create(&PostParams::default(), &big).await);
    assert!(refused.code == 422 && refused.message.contains("Too long"), "{}", refused.message);
    let huge = config_map("huge", json!({"k": "x".repeat(3 * 1024 * 1024 + 1)}));
    assert_eq!(status(maps.create(&PostParams::default(), &huge).await).code, 413);
}
