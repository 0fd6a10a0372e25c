//! Faults that are switched on, and the log of requests.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use sandbox::kubernetes::{Fault, FaultAction};
use serde_json::json;

use crate::cases;
use crate::place::{Place, config_map, status};

cases! {
    both: [],
    sandbox: [
        faults_meet_the_requests_they_are_for because "it has no faults to switch on",
    ],
}

async fn faults_meet_the_requests_they_are_for(place: Place) {
    let (server, client, namespace) = (place.sandbox_server(), &place.client, &place.namespace);
    let maps = place.api::<ConfigMap>();
    maps.create(&PostParams::default(), &config_map("m", json!({"n": "0"}))).await.unwrap();
    server.clear_requests();
    for code in [409, 500, 503, 401] {
        server.add_fault(Fault::new(FaultAction::Status(code)).verb("patch").resource("configmaps").name("m"));
        maps.get("m").await.unwrap();
        let patch = Patch::Merge(json!({"data": {"n": code.to_string()}}));
        assert_eq!(status(maps.patch("m", &PatchParams::default(), &patch).await).code, code);
    }
    let unchanged = maps.get("m").await.unwrap();
    assert_eq!(unchanged.data.unwrap()["n"], "0");

    server.add_fault(Fault::new(FaultAction::Status(429)).verb("get").after(1));
    maps.get("m").await.unwrap();
    let request =
        http::Request::get(format!("/api/v1/namespaces/{namespace}/configmaps/m")).body(kube::client::Body::empty());
    let answer = client.send(request.unwrap()).await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (429, &"1".parse().unwrap()));
    assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/plain"));

    server.add_fault(Fault::new(FaultAction::DropConnection).verb("delete"));
    assert!(!matches!(maps.delete("m", &DeleteParams::default()).await, Ok(_) | Err(kube::Error::Api(_))));
    assert!(maps.get_opt("m").await.unwrap().is_some());
    server.add_fault(Fault::new(FaultAction::LoseReply).verb("delete").always());
    assert!(!matches!(maps.delete("m", &DeleteParams::default()).await, Ok(_) | Err(kube::Error::Api(_))));
    assert!(maps.get_opt("m").await.unwrap().is_none(), "the request was carried out, only its answer is lost");
    server.clear_faults();
    assert_eq!(status(maps.delete("m", &DeleteParams::default()).await).code, 404);

    let changes: Vec<_> = server.changes().iter().map(|it| (it.verb.clone(), it.status)).collect();
    let patches = [409, 500, 503, 401].map(|code| ("patch".to_owned(), code));
    let deletes = [0, 0, 404].map(|code| ("delete".to_owned(), code));
    assert_eq!(changes, [&patches[..], &deletes[..]].concat());
    assert!(server.requests().iter().all(|it| it.user == "admin"));
}
