//! The rights that `pachsnap rbac` prints, held against what the API server's audit log says was asked for.

use std::collections::BTreeSet;
use std::time::Duration;

use e2e::{RealBench, assert_as_before, assert_said};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::core::v1::Service;
use kube::api::{ListParams, PostParams};
use sandbox::programs::kubernetes::NODE;
use serde_json::json;
use serde_yaml_ng::Value;

use crate::{service_account, shared};

/// Verb, group and resource.
pub(crate) type Right = (String, String, String);

/// Rights that are printed for what these runs don't do.
const NOT_USED: [(&str, &str, &str, &str); 4] = [
    ("create", "", "pods/portforward", "pods are dialled at their addresses here: there is no kubelet"),
    ("get", "", "pods/portforward", "the same, for API servers that ask for this verb"),
    ("get", "", "pods", "of several members of etcd, each is asked by its name whether it leads"),
    ("list", "", "configmaps", "an undo record of several parts, and older versions"),
];

/// What Roles give, from the YAML that was printed.
pub(crate) fn printed(yaml: &str) -> BTreeSet<Right> {
    let mut rights = BTreeSet::new();
    let words = |value: &Value| -> Vec<String> {
        value.as_sequence().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
    };
    for document in yaml.split("---\n").filter(|document| !document.is_empty()) {
        let document: Value = serde_yaml_ng::from_str(document).unwrap();
        for rule in document["rules"].as_sequence().into_iter().flatten() {
            for group in words(&rule["apiGroups"]) {
                for resource in words(&rule["resources"]) {
                    for verb in words(&rule["verbs"]) {
                        rights.insert((verb, group.clone(), resource.clone()));
                    }
                }
            }
        }
    }
    rights
}

/// What the bench's ServiceAccount has asked for, by the API server's audit log.
///
/// # Panics
/// When it was refused anything.
pub(crate) fn used(bench: &RealBench<'_>) -> BTreeSet<Right> {
    let user = service_account::user(bench);
    let events = bench.api_server().audit_log().unwrap();
    let ours: Vec<_> = events.iter().filter(|event| event.user == user && !event.resource.is_empty()).collect();
    let refused: Vec<_> = ours.iter().filter(|event| event.code == 403).map(|event| &event.request_uri).collect();
    assert!(refused.is_empty(), "{refused:?}");
    let rights = ours.iter().map(|event| {
        let group = event.event["objectRef"]["apiGroup"].as_str().unwrap_or_default().to_owned();
        let subresource = if event.subresource.is_empty() { String::new() } else { format!("/{}", event.subresource) };
        (event.verb.clone(), group, format!("{}{subresource}", event.resource))
    });
    // Everybody may ask what he may do.
    rights.filter(|(_, group, _)| group != "authorization.k8s.io").collect()
}

/// Loaders of two kinds; free node ports to switch to.
async fn prepare(bench: &RealBench<'_>) {
    let pod = json!({
        "metadata": {"labels": {"app": "importer"}},
        "spec": {"nodeName": NODE, "restartPolicy": "Always", "containers": [{"name": "importer", "image": "importer:1"}]},
    });
    let deployment = json!({
        "metadata": {"name": "importer"},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "importer"}}, "template": pod},
    });
    let deployments = bench.objects::<Deployment>();
    deployments.create(&PostParams::default(), &serde_json::from_value(deployment).unwrap()).await.unwrap();
    let mut template = pod.clone();
    template["spec"]["restartPolicy"] = json!("Never");
    let cron_job = json!({
        "metadata": {"name": "nightly"},
        "spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": template}}},
    });
    let cron_jobs = bench.objects::<CronJob>();
    cron_jobs.create(&PostParams::default(), &serde_json::from_value(cron_job).unwrap()).await.unwrap();
}

/// `FROM = TO` for the node port of pachd's API, with a number that nobody has.
async fn port_map(bench: &RealBench<'_>) -> String {
    let everywhere: kube::Api<Service> = kube::Api::all(bench.client.clone());
    let services = everywhere.list(&ListParams::default()).await.unwrap().items;
    let ports = |service: &Service| service.spec.clone().unwrap().ports.unwrap_or_default();
    let taken: BTreeSet<i32> = services.iter().flat_map(ports).filter_map(|port| port.node_port).collect();
    let pachd = bench.objects::<Service>().get("pachd").await.unwrap();
    let from =
        ports(&pachd).iter().find(|port| port.name.as_deref() == Some("api-grpc-port")).unwrap().node_port.unwrap();
    let to = (32_000..32_700).find(|port| !taken.contains(port)).unwrap();
    format!("{from} = {to}")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_printed_rights_are_those_that_the_api_server_saw_used() {
    let bench = RealBench::new(shared().await, "rights").await;
    prepare(&bench).await;
    let ports = port_map(&bench).await;
    let loaders =
        "[[loader]]\nkind = \"deployment\"\nname = \"importer\"\n[[loader]]\nkind = \"cron-job\"\nname = \"nightly\"\n";
    let retain = "volume = \"require\"\nvolume-deletion-policy = \"retain\"\n";
    let by_selector = format!("{retain}{loaders}");
    let by_ports = format!("{retain}fence = \"ports\"\n[snapshot.port-map]\n{ports}\n{loaders}");
    bench.write_config(&by_ports);
    let (token, yaml) = service_account::make(&bench, "snapshot").await;
    bench.write_kubeconfig(&service_account::kubeconfig(&bench, &token));
    let before = bench.picture().await;

    assert_said(&bench.run(&["pause"]).await, 0, &[]);
    assert_said(&bench.run(&["resume"]).await, 0, &[]);
    assert_as_before(&before, &bench.picture().await);
    bench.write_config(&by_selector);
    assert_said(&bench.run(&["snapshot"]).await, 0, &[]);
    let faults = bench.cluster.pachd.faults();
    faults.abort_extract_after(50);
    // The disk is cut before the stream breaks.
    faults.delay_operations(Duration::from_millis(30));
    assert_said(&bench.run(&["snapshot"]).await, 20, &[]);
    let mut killed = bench.start(&["snapshot", "--output", "json"]);
    killed.wait_for_step("capture").await;
    killed.signal("KILL").await;
    killed.end().await;
    assert_said(&bench.run(&["resume", "--force"]).await, 0, &[]);
    assert_as_before(&before, &bench.picture().await);

    let used = used(&bench);
    let printed = printed(&yaml);
    let beyond: Vec<_> = used.difference(&printed).collect();
    assert!(beyond.is_empty(), "used without being printed: {beyond:?}");
    for (verb, group, resource, why) in NOT_USED {
        println!("printed and not used here: {verb} {resource}.{group}: {why}");
    }
    let expected: BTreeSet<Right> = NOT_USED
        .iter()
        .map(|(verb, group, resource, _)| ((*verb).to_owned(), (*group).to_owned(), (*resource).to_owned()))
        .collect();
    let idle: Vec<_> = printed.difference(&used).filter(|right| !expected.contains(*right)).collect();
    assert!(idle.is_empty(), "printed without being used: {idle:?}");
}
