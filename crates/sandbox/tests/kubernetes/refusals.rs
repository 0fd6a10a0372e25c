//! Requests that are refused, each with its code and its reason.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::PostParams;
use kube::client::Body;
use serde_json::{Value, json};

use crate::cases;
use crate::place::{Place, config_map, node_port};

cases! {
    both: [
        objects_are_refused_by_their_shape on api_server,
        patches_are_refused_by_their_form on api_server,
        workloads_and_services_are_refused_by_their_rules on api_server,
        requests_are_refused_by_their_address on api_server,
    ],
    sandbox: [],
}

const JSON: &str = "application/json";
const MERGE: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
const JSON_PATCH: &str = "application/json-patch+json";

/// Sends a request below the namespace. The code and the reason of the answer; a text that is no JSON has no reason.
async fn send(place: &Place, method: &str, path: &str, content_type: &str, body: &str) -> (u16, String) {
    let (group, path) = path.split_once(' ').unwrap_or(("api/v1", path));
    let request = http::Request::builder()
        .method(method)
        .uri(format!("/{group}/namespaces/{}/{path}", place.namespace))
        .header("content-type", content_type)
        .body(Body::from(body.as_bytes().to_vec()))
        .unwrap();
    let answer = place.client.send(request).await.unwrap();
    let code = answer.status().as_u16();
    let bytes = answer.into_body().collect_bytes().await.unwrap();
    let value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let reason = value["reason"].as_str().unwrap_or_default();
    (code, reason.to_owned())
}

/// Each request (method, path, content type, body) is answered with that code and that reason.
async fn check(place: &Place, requests: &[(&str, &str, &str, Value, u16, &str)]) {
    let mut wrong = Vec::new();
    for (method, path, content_type, body, code, reason) in requests {
        let text = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
        let answer = send(place, method, path, content_type, &text).await;
        if (answer.0, answer.1.as_str()) != (*code, *reason) {
            wrong.push(format!("{method} {path} {text}: {answer:?} and not {code} {reason}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

async fn objects_are_refused_by_their_shape(place: Place) {
    let maps = place.api::<ConfigMap>();
    maps.create(&PostParams::default(), &config_map("m", json!({"k": "v"}))).await.unwrap();
    let named = |name: &str| json!({"metadata": {"name": name}});
    check(
        &place,
        &[
            ("POST", "configmaps", JSON, json!("{"), 400, "BadRequest"),
            ("POST", "configmaps", JSON, json!([]), 400, "BadRequest"),
            ("POST", "configmaps", JSON, json!({"kind": "Secret", "metadata": {"name": "a"}}), 400, "BadRequest"),
            ("POST", "configmaps", JSON, json!({"metadata": {}}), 422, "Invalid"),
            ("POST", "configmaps", JSON, named("Upper"), 422, "Invalid"),
            ("POST", "configmaps", JSON, json!({"metadata": {"name": "a", "namespace": "other"}}), 400, "BadRequest"),
            ("POST", "configmaps", JSON, json!({"metadata": {"name": "a", "resourceVersion": "1"}}), 500, ""),
            ("POST", "configmaps", JSON, json!({"metadata": {"name": "a"}, "data": {"a/b": ""}}), 422, "Invalid"),
            ("POST", "configmaps", JSON, json!({"metadata": {"name": "a"}, "data": []}), 400, "BadRequest"),
            ("POST", "configmaps", JSON, json!({"metadata": {"name": "a"}, "data": {"k": 1}}), 400, "BadRequest"),
            ("POST", "configmaps", "text/plain", named("a"), 415, "UnsupportedMediaType"),
            ("POST", "secrets", JSON, json!({"metadata": {"name": "a"}, "data": {"k": "%"}}), 400, "BadRequest"),
            ("PUT", "configmaps/m", JSON, named("n"), 400, "BadRequest"),
            ("PUT", "configmaps/none", JSON, named("none"), 404, "NotFound"),
            ("PUT", "configmaps/m", JSON, json!({"metadata": {"name": "m", "uid": "x"}}), 409, "Conflict"),
            ("PUT", "configmaps/m", JSON, json!({"metadata": {"name": "m", "resourceVersion": "1"}}), 409, "Conflict"),
            ("DELETE", "configmaps/none", JSON, json!({}), 404, "NotFound"),
            ("DELETE", "configmaps/m", JSON, json!({"preconditions": {"uid": "x"}}), 409, "Conflict"),
            ("DELETE", "configmaps/m", JSON, json!({"preconditions": {"resourceVersion": "1"}}), 409, "Conflict"),
        ],
    )
    .await;
}

async fn patches_are_refused_by_their_form(place: Place) {
    let maps = place.api::<ConfigMap>();
    maps.create(&PostParams::default(), &config_map("m", json!({"k": "v"}))).await.unwrap();
    let replace = |path: &str| json!([{"op": "replace", "path": path, "value": "new"}]);
    let remove = |path: &str| json!([{"op": "remove", "path": path}]);
    check(
        &place,
        &[
            ("PATCH", "configmaps/m", JSON, json!({}), 415, "UnsupportedMediaType"),
            ("PATCH", "configmaps/m", MERGE, json!("{"), 400, "BadRequest"),
            ("PATCH", "configmaps/m", MERGE, json!([]), 400, "BadRequest"),
            ("PATCH", "configmaps/m", STRATEGIC, json!("{"), 400, "BadRequest"),
            ("PATCH", "configmaps/m", JSON_PATCH, json!({}), 400, "BadRequest"),
            ("PATCH", "configmaps/m", JSON_PATCH, remove("/data/none"), 422, "Invalid"),
            ("PATCH", "configmaps/m", JSON_PATCH, remove("/none/none"), 422, "Invalid"),
            ("PATCH", "configmaps/m", JSON_PATCH, replace("/none/none"), 422, "Invalid"),
            // Against RFC 6902, a field that is absent can be replaced.
            ("PATCH", "configmaps/m", JSON_PATCH, replace("/data/none"), 200, ""),
            ("PATCH", "configmaps/m", MERGE, json!({"data": {"k": 1}}), 422, "Invalid"),
            ("PATCH", "configmaps/m", MERGE, json!({"metadata": {"name": "n"}}), 400, "BadRequest"),
            ("PATCH", "configmaps/m", MERGE, json!({"metadata": {"namespace": "n"}}), 400, "BadRequest"),
            ("PATCH", "configmaps/m", MERGE, json!({"metadata": {"uid": "n"}}), 422, "Invalid"),
            ("PATCH", "configmaps/none", MERGE, json!({}), 404, "NotFound"),
        ],
    )
    .await;
    let data = maps.get("m").await.unwrap().data.unwrap();
    assert_eq!((data.len(), data["k"].as_str(), data["none"].as_str()), (2, "v", "new"));
}

async fn workloads_and_services_are_refused_by_their_rules(place: Place) {
    let deployment = |replicas: i32, label: &str| {
        json!({
            "metadata": {"name": "d"},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": "d"}},
                "template": {
                    "metadata": {"labels": {"app": label}},
                    "spec": {"containers": [{"name": "c", "image": "i"}]},
                },
            },
        })
    };
    let service = |spec: Value| json!({"metadata": {"name": "s"}, "spec": spec});
    let (deployments, d) = ("apis/apps/v1 deployments", "apis/apps/v1 deployments/d");
    let scale = "apis/apps/v1 deployments/d/scale";
    let other = json!({"spec": {"selector": {"matchLabels": {"app": "e"}}, "template": {"metadata": {"labels": {"app": "e"}}}}});
    check(
        &place,
        &[
            ("POST", deployments, JSON, deployment(-1, "d"), 422, "Invalid"),
            ("POST", deployments, JSON, deployment(1, "e"), 422, "Invalid"),
            ("POST", deployments, JSON, json!({"metadata": {"name": "d"}, "spec": {}}), 422, "Invalid"),
            ("POST", deployments, JSON, deployment(1, "d"), 201, ""),
            ("POST", deployments, JSON, deployment(1, "d"), 409, "AlreadyExists"),
            ("PATCH", d, MERGE, json!({"spec": {"replicas": -1}}), 422, "Invalid"),
            ("PATCH", d, MERGE, other, 422, "Invalid"),
            ("PATCH", scale, MERGE, json!({"spec": {"replicas": -1}}), 422, "Invalid"),
            ("PATCH", scale, MERGE, json!({"spec": {"replicas": 2}}), 200, ""),
            ("PATCH", "apis/apps/v1 deployments/none/scale", MERGE, json!({"spec": {"replicas": 2}}), 404, "NotFound"),
            ("POST", "services", JSON, service(json!({})), 422, "Invalid"),
            ("POST", "services", JSON, service(json!({"type": "Wrong", "ports": [{"port": 80}]})), 422, "Invalid"),
            ("POST", "services", JSON, service(json!({"ports": [{"port": 80}, {"port": 81}]})), 422, "Invalid"),
            ("POST", "services", JSON, service(json!({"ports": [{"port": 0}]})), 422, "Invalid"),
            (
                "POST",
                "services",
                JSON,
                service(json!({"ports": [{"port": 80, "nodePort": node_port()}]})),
                422,
                "Invalid",
            ),
            ("POST", "services", JSON, service(json!({"ports": [{"port": 80}]})), 201, ""),
            ("PATCH", "services/s", MERGE, json!({"spec": {"clusterIP": "10.96.255.254"}}), 422, "Invalid"),
        ],
    )
    .await;
}

async fn requests_are_refused_by_their_address(place: Place) {
    let none = || json!("");
    check(
        &place,
        &[
            ("GET", "configmaps/none", JSON, none(), 404, "NotFound"),
            ("GET", "nothings", JSON, none(), 404, "NotFound"),
            ("GET", "configmaps/none/status", JSON, none(), 404, "NotFound"),
            ("GET", "services/none/scale", JSON, none(), 404, "NotFound"),
            ("GET", "configmaps?labelSelector=a%3D%3D%3Db", JSON, none(), 400, "BadRequest"),
            ("GET", "configmaps?fieldSelector=a", JSON, none(), 400, "BadRequest"),
            ("GET", "configmaps?resourceVersion=x", JSON, none(), 400, "BadRequest"),
            ("GET", "configmaps?resourceVersion=1&resourceVersionMatch=Wrong", JSON, none(), 422, "Invalid"),
            ("GET", "configmaps?continue=x", JSON, none(), 400, "BadRequest"),
            ("GET", "configmaps?resourceVersion=99999999", JSON, none(), 504, "Timeout"),
            ("GET", "configmaps?watch=1&resourceVersion=x", JSON, none(), 500, ""),
            ("POST", "configmaps/m", JSON, json!({"metadata": {"name": "m"}}), 405, "MethodNotAllowed"),
            ("PUT", "configmaps", JSON, json!({"metadata": {"name": "m"}}), 405, "MethodNotAllowed"),
            ("GET", "apis/apps/v2 deployments", JSON, none(), 404, "NotFound"),
            ("GET", "apis/nothing.example.com/v1 things", JSON, none(), 404, ""),
        ],
    )
    .await;
}
