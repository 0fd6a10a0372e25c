//! Who may do what, and what nobody serves.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::authorization::v1::SelfSubjectAccessReview;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::Api;
use kube::api::{ListParams, PostParams};
use sandbox::kubernetes::Rule;
use serde_json::{Value, json};

use crate::cases;
use crate::place::{LIMITED, Place, object, status, until};

cases! {
    both: [
        a_user_may_do_what_his_roles_say on api_server,
        tokens_and_unknown_paths_are_refused_as_recorded on api_server,
    ],
    sandbox: [rules_count_like_roles because "rules beside Roles are the sandbox's own"],
}

async fn grant(place: &Place, name: &str, rules: Value) {
    let role = object(json!({"metadata": {"name": name}, "rules": rules}));
    place.api::<Role>().create(&PostParams::default(), &role).await.unwrap();
    let binding = object(json!({
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": LIMITED}],
    }));
    place.api::<RoleBinding>().create(&PostParams::default(), &binding).await.unwrap();
}

async fn a_user_may_do_what_his_roles_say(place: Place) {
    let namespace = &place.namespace;
    let client = place.client_of(LIMITED).await;
    let maps = Api::<ConfigMap>::namespaced(client.clone(), namespace);
    assert_eq!(status(maps.list(&ListParams::default()).await).code, 403);
    grant(&place, "r", json!([{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}])).await;
    until(|| async { maps.list(&ListParams::default()).await.is_ok() }).await;

    let secrets = Api::<Secret>::namespaced(client.clone(), namespace);
    let refused = status(secrets.get("s").await);
    assert_eq!((refused.code, refused.reason.as_str()), (403, "Forbidden"));
    let asked = "User \"limited\" cannot get resource \"secrets\" in API group \"\"";
    assert_eq!(refused.message, format!("secrets \"s\" is forbidden: {asked} in the namespace \"{namespace}\""));
    let refused = status(Api::<Deployment>::all(client.clone()).list(&ListParams::default()).await);
    assert_eq!(
        refused.message,
        "deployments.apps is forbidden: User \"limited\" cannot list resource \"deployments\" in API group \"apps\" at the cluster scope"
    );
    let reviews = Api::<SelfSubjectAccessReview>::all(client.clone());
    for (verb, resource, allowed) in
        [("list", "configmaps", true), ("patch", "configmaps", false), ("get", "secrets", false)]
    {
        let attributes = json!({"verb": verb, "resource": resource, "namespace": namespace, "group": ""});
        let review = object(json!({"metadata": {}, "spec": {"resourceAttributes": attributes}}));
        let answer = reviews.create(&PostParams::default(), &review).await.unwrap();
        assert_eq!(answer.status.unwrap().allowed, allowed, "{verb} {resource}");
    }
    let elsewhere = Api::<ConfigMap>::namespaced(client, "default");
    assert_eq!(status(elsewhere.list(&ListParams::default()).await).code, 403);
}

async fn rules_count_like_roles(place: Place) {
    let server = place.sandbox_server();
    let rule = Rule::new(&[""], &["configmaps"], &["get", "list"]).in_namespace(&place.namespace);
    server.add_user("another", "another", vec![rule]);
    let client = place.client_of("another").await;
    Api::<ConfigMap>::namespaced(client.clone(), &place.namespace).list(&ListParams::default()).await.unwrap();
    let secrets = Api::<Secret>::namespaced(client.clone(), &place.namespace);
    assert_eq!(status(secrets.get("s").await).code, 403);
    let elsewhere = Api::<ConfigMap>::namespaced(client, "default");
    assert_eq!(status(elsewhere.list(&ListParams::default()).await).code, 403);
}

async fn tokens_and_unknown_paths_are_refused_as_recorded(place: Place) {
    let pods = |client| Api::<Pod>::namespaced(client, &place.namespace);
    let refused = status(pods(place.client_with_token(Some("nobody")).await).get("p").await);
    assert_eq!((refused.code, refused.reason.as_str()), (401, "Unauthorized"));
    let refused = status(pods(place.client_with_token(None).await).get("p").await);
    assert!(refused.code == 403 && refused.message.contains("User \"system:anonymous\""), "{}", refused.message);

    let client = &place.client;
    let version = client.apiserver_version().await.unwrap();
    assert_eq!((version.major.as_str(), version.minor.as_str()), ("1", "36"));
    let groups = client.list_api_groups().await.unwrap();
    assert!(groups.groups.iter().any(|group| group.name == "apps"));
    let resources = client.list_api_group_resources("apps/v1").await.unwrap();
    assert!(resources.resources.iter().any(|it| it.name == "deployments/scale" && it.kind == "Scale"));
    let request = http::Request::get("/apis/nothing.example.com/v1/things").body(Vec::new()).unwrap();
    let refused = status(client.request_text(request).await);
    assert_eq!(refused.code, 404);
    assert!(refused.message.contains("404 page not found"), "{refused:?}");
}
