//! Services: node ports.

use k8s_openapi::api::core::v1::Service;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::cases;
use crate::place::{Place, node_port, service, status};

cases! {
    both: [
        node_ports_are_unique_in_the_cluster on api_server,
        two_services_swap_their_node_ports_over_a_third on api_server,
    ],
    sandbox: [],
}

async fn node_ports_are_unique_in_the_cluster(place: Place) {
    let services = place.api::<Service>();
    let create = |name: &'static str, ports: Value| {
        let services = services.clone();
        async move { services.create(&PostParams::default(), &service(name, ports)).await }
    };
    let (first, second) = (node_port(), node_port());
    create("a", json!([{"name": "one", "port": 80, "nodePort": first}])).await.unwrap();
    let refused = status(create("b", json!([{"port": 80, "nodePort": first}])).await);
    assert_eq!((refused.code, refused.reason.as_str()), (422, "Invalid"));
    let why = "provided port is already allocated";
    assert_eq!(
        refused.message,
        format!("Service \"b\" is invalid: spec.ports[0].nodePort: Invalid value: {first}: {why}")
    );
    let cause = &refused.details.unwrap().causes[0];
    assert_eq!((cause.reason.as_str(), cause.field.as_str()), ("FieldValueInvalid", "spec.ports[0].nodePort"));
    let refused = status(create("b", json!([{"port": 80, "nodePort": 80}])).await);
    assert!(refused.message.ends_with("The range of valid ports is 30000-32767"), "{}", refused.message);
    let twice = json!([{"name": "x", "port": 80, "nodePort": second}, {"name": "y", "port": 81, "nodePort": second}]);
    let refused = status(create("b", twice.clone()).await);
    assert_eq!(refused.code, 422);
    assert!(
        refused.message.contains(&format!("spec.ports[1].nodePort: Invalid value: {second}: {why}")),
        "{refused:?}"
    );
    let change = Patch::Merge(json!({"spec": {"ports": twice}}));
    let refused = status(services.patch("a", &PatchParams::default(), &change).await);
    assert_eq!((refused.code, refused.message), (500, format!("duplicate nodePort: {{TCP {second}}}")));

    let given = create("b", json!([{"port": 80}])).await.unwrap();
    let number = given.spec.unwrap().ports.unwrap()[0].node_port.unwrap();
    assert!((30086..=32767).contains(&number), "{number}: the first 86 are for who names them");
    services.delete("a", &DeleteParams::default()).await.unwrap();
    let patch = json!([{"op": "replace", "path": "/spec/ports/0/nodePort", "value": first}]);
    let patch: Patch<Service> = Patch::Json(serde_json::from_value(patch).unwrap());
    let moved = services.patch("b", &PatchParams::default(), &patch).await.unwrap();
    assert_eq!(moved.spec.unwrap().ports.unwrap()[0].node_port, Some(first), "a freed number is free at once");

    let inside = json!({"spec": {"type": "ClusterIP", "ports": [{"port": 80, "nodePort": second}]}});
    let refused = status(services.patch("b", &PatchParams::default(), &Patch::Merge(inside)).await);
    assert!(refused.message.contains("may not be used when `type` is 'ClusterIP'"), "{}", refused.message);
}

async fn two_services_swap_their_node_ports_over_a_third(place: Place) {
    let services = place.api::<Service>();
    let (first, second, third) = (node_port(), node_port(), node_port());
    for (name, port) in [("a", first), ("b", second)] {
        let made = service(name, json!([{"port": 80, "nodePort": port}]));
        services.create(&PostParams::default(), &made).await.unwrap();
    }
    let patch = async |name: &str, port: i32| {
        let change = json!({"spec": {"ports": [{"port": 80, "nodePort": port}]}});
        services.patch(name, &PatchParams::default(), &Patch::Strategic(change)).await
    };
    assert_eq!(status(patch("a", second).await).code, 422);
    for (name, port) in [("a", third), ("b", first), ("a", second)] {
        let moved = patch(name, port).await.unwrap();
        assert_eq!(moved.spec.unwrap().ports.unwrap()[0].node_port, Some(port));
    }
}
