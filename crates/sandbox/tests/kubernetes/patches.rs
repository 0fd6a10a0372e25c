//! Patches of every content type.

use k8s_openapi::api::core::v1::Service;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::cases;
use crate::place::{Place, node_port, service, status};

cases! {
    both: [patches_treat_lists_by_their_kind on api_server],
    sandbox: [a_server_side_apply_is_refused because "it knows server-side apply"],
}

async fn patches_treat_lists_by_their_kind(place: Place) {
    let services = place.api::<Service>();
    let (one, two, other, new) = (node_port(), node_port(), node_port(), node_port());
    let ports = json!([
        {"name": "one", "port": 80, "targetPort": 8080, "nodePort": one},
        {"name": "two", "port": 81, "nodePort": two},
    ]);
    services.create(&PostParams::default(), &service("s", ports)).await.unwrap();
    let numbers = |service: Service| -> Vec<(i32, Option<i32>)> {
        service.spec.unwrap().ports.unwrap().into_iter().map(|port| (port.port, port.node_port)).collect()
    };
    let strategic =
        json!({"spec": {"ports": [{"port": 81, "nodePort": other}, {"name": "new", "port": 82, "nodePort": new}]}});
    let merged = services.patch("s", &PatchParams::default(), &Patch::Strategic(strategic)).await.unwrap();
    assert_eq!(numbers(merged), [(80, Some(one)), (81, Some(other)), (82, Some(new))]);
    let alone = json!({"spec": {"ports": [{"name": "alone", "port": 83, "nodePort": two}]}});
    let merged = services.patch("s", &PatchParams::default(), &Patch::Strategic(alone)).await.unwrap();
    assert_eq!(numbers(merged), [(83, Some(two)), (80, Some(one)), (81, Some(other)), (82, Some(new))]);
    let merge = json!({"spec": {"ports": [{"name": "one", "port": 80}]}});
    let merged = services.patch("s", &PatchParams::default(), &Patch::Merge(merge)).await.unwrap();
    assert_eq!(numbers(merged), [(80, Some(one))], "a port keeps its number by its name");

    let json_patch = |value: Value| -> Patch<Service> { Patch::Json(serde_json::from_value(value).unwrap()) };
    let tested = json_patch(json!([
        {"op": "test", "path": "/spec/ports/0/name", "value": "other"},
        {"op": "replace", "path": "/spec/ports/0/nodePort", "value": two},
    ]));
    let refused = status(services.patch("s", &PatchParams::default(), &tested).await);
    assert_eq!((refused.code, refused.reason.as_str()), (422, "Invalid"));
    assert_eq!(refused.message, "the server rejected our request due to an error in our request");
    let absent = json_patch(json!([{"op": "remove", "path": "/spec/nothing"}]));
    assert_eq!(status(services.patch("s", &PatchParams::default(), &absent).await).code, 422);
    let dry = PatchParams { dry_run: true, ..PatchParams::default() };
    services.patch("s", &dry, &Patch::Merge(json!({"spec": {"ports": [{"name": "x", "port": 9}]}}))).await.unwrap();
    assert_eq!(numbers(services.get("s").await.unwrap()), [(80, Some(one))]);
}

async fn a_server_side_apply_is_refused(place: Place) {
    let services = place.api::<Service>();
    services.create(&PostParams::default(), &service("s", json!([{"port": 80}]))).await.unwrap();
    let apply = Patch::Apply(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}}));
    assert_eq!(status(services.patch("s", &PatchParams::apply("test"), &apply).await).code, 415);
}
