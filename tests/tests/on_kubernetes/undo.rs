//! The undo, with an API server that is away, busy, or does not know us any more.

use std::path::Path;
use std::time::Duration;

use e2e::{RealBench, assert_as_before, assert_said};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
use kube::Api;
use kube::api::{DeleteParams, ListParams, PostParams};
use sandbox::programs::kubernetes::{ApiServerOptions, KubernetesBench};
use serde_json::json;

use crate::disturbed::{OPERATOR, again_and_again, alone, assert_put_back, bind_operator, in_capture};

async fn of_operator<'a>(kubernetes: &'a KubernetesBench, namespace: &str) -> RealBench<'a> {
    let bench = RealBench::new(kubernetes, namespace).await;
    bench.write_kubeconfig(&kubernetes.api().kubeconfig_of(OPERATOR).unwrap());
    bench
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_dies_in_mid_undo_is_waited_for() {
    let kubernetes = alone().await;
    let bench = of_operator(&kubernetes, "dies-in-undo").await;
    let before = bench.picture().await;
    let mut running = in_capture(&bench).await;
    running.wait_for(|event| event["event"] == "changed" && event["action"] == "start").await;
    kubernetes.api().kill();
    tokio::time::sleep(Duration::from_secs(2)).await;
    kubernetes.restart_api_server().await.unwrap();
    assert_said(&running.end().await, 0, &[]);
    assert_as_before(&before, &bench.picture().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_dies_while_pipelines_are_stopped_is_waited_for_by_the_undo() {
    let kubernetes = alone().await;
    let bench = of_operator(&kubernetes, "dies-in-stop").await;
    bench.write_config("pipeline-parallelism = 1\n");
    let before = bench.picture().await;
    let mut running = bench.start(&["snapshot", "--output", "json"]);
    running.wait_for(|event| event["event"] == "changed" && event["action"] == "stop").await;
    kubernetes.api().kill();
    tokio::time::sleep(Duration::from_secs(2)).await;
    kubernetes.restart_api_server().await.unwrap();
    assert_put_back(&bench, &before, &running.end().await, &["the Kubernetes API"]).await;
}

/// Somebody else crowds the API server: whoever comes while another is served is told to come again.
#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_is_too_busy_is_asked_again() {
    let _alone = alone().await;
    let options = ApiServerOptions {
        users: vec![OPERATOR.to_owned()],
        one_request_at_a_time: true,
        audit: true,
        ..ApiServerOptions::default()
    };
    let kubernetes = KubernetesBench::start_with(options).await.unwrap();
    bind_operator(kubernetes.api()).await;
    let bench = of_operator(&kubernetes, "too-busy").await;
    let before = bench.picture().await;
    let running = in_capture(&bench).await;
    let client = kubernetes.api().client_of(OPERATOR).await.unwrap();
    let services: Api<Service> = Api::all(client);
    let crowd = again_and_again(Duration::from_millis(5), move || {
        let services = services.clone();
        async move { drop(services.list(&ListParams::default()).await) }
    });
    let ended = running.end().await;
    drop(crowd);
    let log = kubernetes.api().audit_log().unwrap();
    let turned_away = log.iter().filter(|event| event.code == 429 && event.namespace == bench.namespace()).count();
    assert!(turned_away > 0, "the binary was never told to wait, so the test proves nothing");
    assert_said(&ended, 0, &[]);
    assert_as_before(&before, &bench.picture().await);
}

/// A kubeconfig whose credential plugin answers with what a file holds, asked again before every request.
fn write_plugin(bench: &RealBench<'_>, kubeconfig: &str, answer: &Path) {
    let mut kubeconfig: serde_json::Value = serde_yaml_ng::from_str(kubeconfig).unwrap();
    for user in kubeconfig["users"].as_array_mut().unwrap() {
        user["user"] = json!({"exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": "cat",
            "args": [answer],
            "interactiveMode": "Never",
        }});
    }
    bench.write_kubeconfig(&kubeconfig.to_string());
}

fn token_of(kubeconfig: &str, user: &str) -> String {
    let kubeconfig: serde_json::Value = serde_yaml_ng::from_str(kubeconfig).unwrap();
    let users = kubeconfig["users"].as_array().unwrap();
    let found = users.iter().find(|one| one["name"] == user).unwrap();
    found["user"]["token"].as_str().unwrap().to_owned()
}

/// The answer appears whole: the binary may be reading.
fn answer_with(answer: &Path, token: &str) {
    let ends = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(1);
    let credential = json!({
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": token, "expirationTimestamp": format!("{ends:.0}")},
    });
    let unfinished = answer.with_extension("unfinished");
    std::fs::write(&unfinished, credential.to_string()).unwrap();
    std::fs::rename(unfinished, answer).unwrap();
}

/// The token has expired and its successor comes late: 401 for a while.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_expires_in_the_pause_and_is_renewed_does_not_leave_the_fence_up() {
    let kubernetes = alone().await;
    let bench = of_operator(&kubernetes, "expires").await;
    let kubeconfig = kubernetes.api().kubeconfig_of(OPERATOR).unwrap();
    let (answer, token) = (bench.folder().join("credential.json"), token_of(&kubeconfig, OPERATOR));
    answer_with(&answer, &token);
    write_plugin(&bench, &kubeconfig, &answer);
    let before = bench.picture().await;
    let mut running = in_capture(&bench).await;
    answer_with(&answer, "expired");
    running.wait_for(|event| event["step"] == "capture").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    answer_with(&answer, &token);
    assert_put_back(&bench, &before, &running.end().await, &["Unauthorized"]).await;
}

/// The same in mid-undo: nothing is asked twice, and there is a recovery point.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_expires_in_mid_undo_is_waited_for() {
    let kubernetes = alone().await;
    let bench = of_operator(&kubernetes, "expires-in-undo").await;
    let kubeconfig = kubernetes.api().kubeconfig_of(OPERATOR).unwrap();
    let (answer, token) = (bench.folder().join("credential.json"), token_of(&kubeconfig, OPERATOR));
    answer_with(&answer, &token);
    write_plugin(&bench, &kubeconfig, &answer);
    let before = bench.picture().await;
    let mut running = in_capture(&bench).await;
    running.wait_for(|event| event["event"] == "changed" && event["action"] == "start").await;
    answer_with(&answer, "expired");
    tokio::time::sleep(Duration::from_secs(3)).await;
    answer_with(&answer, &token);
    assert_said(&running.end().await, 0, &[]);
    assert_as_before(&before, &bench.picture().await);
}

/// A right that is taken away and given back: 403 for a while.
#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_is_taken_away_in_mid_undo_is_waited_for() {
    let kubernetes = alone().await;
    let bench = of_operator(&kubernetes, "forbidden").await;
    let before = bench.picture().await;
    let mut running = in_capture(&bench).await;
    running.wait_for(|event| event["event"] == "changed" && event["action"] == "start").await;
    let bindings: Api<ClusterRoleBinding> = Api::all(bench.client.clone());
    bindings.delete(OPERATOR, &DeleteParams::default()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    bind_operator(kubernetes.api()).await;
    assert_said(&running.end().await, 0, &[]);
    assert_as_before(&before, &bench.picture().await);
}

/// A freed number that is gone when the undo wants it: everything else is put back, and a resume ends it.
#[tokio::test(flavor = "multi_thread")]
async fn a_freed_number_that_somebody_has_taken_is_named_and_got_back_by_resume() {
    let kubernetes = alone().await;
    let bench = crate::disturbed::with_documented_ports(&kubernetes, "stolen").await;
    bench.write_config("fence = \"ports\"\n");
    let before = bench.picture().await;
    let running = in_capture(&bench).await;
    let services = bench.objects::<Service>();
    services.delete("pachsnap-hold-pachd", &DeleteParams::default()).await.unwrap();
    let thief = json!({
        "metadata": {"name": "thief"},
        "spec": {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30650}]},
    });
    services.create(&PostParams::default(), &serde_json::from_value(thief).unwrap()).await.unwrap();
    let ended = running.end().await;
    assert_said(&ended, 21, &["30650", "Service thief", "pachsnap resume"]);
    let paused = bench.picture().await;
    assert_eq!(before.pipelines, paused.pipelines);
    assert!(!paused.leftovers.is_empty(), "the record stays");
    services.delete("thief", &DeleteParams::default()).await.unwrap();
    assert_said(&bench.run(&["resume"]).await, 0, &[]);
    assert_as_before(&before, &bench.picture().await);
}
