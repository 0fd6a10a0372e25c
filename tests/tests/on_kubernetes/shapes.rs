//! Deployments as `pachctl` of several versions, Helm and people make them: each is discovered from its namespace alone, or
//! the option that is missing is named.

use e2e::{RealBench, assert_said};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use kube::ResourceExt;
use kube::api::{ListParams, PostParams};
use sandbox::cluster::on_kubernetes::NodePorts;
use sandbox::cluster::{BUCKET, ClusterOptions, Storage};
use serde_json::{Value, json};

use crate::shared;

const PACHD_AND_DASH: &[&str] = &["dash NodePort", "pachd NodePort", "pachd-peer ClusterIP"];

async fn bench(shape: &str, storage: Storage) -> RealBench<'static> {
    let options = ClusterOptions { storage, ..ClusterOptions::default() };
    RealBench::of_shape(shared().await, shape, options, NodePorts::Any).await
}

async fn document(bench: &RealBench<'_>, arguments: &[&str]) -> Value {
    let ended = bench.run(arguments).await;
    assert_said(&ended, 0, &[]);
    serde_json::from_str(&ended.stdout).unwrap()
}

async fn discover(bench: &RealBench<'_>) -> Value {
    document(bench, &["discover", "-o", "json"]).await
}

fn names(found: &Value) -> Vec<&str> {
    found["services"].as_array().unwrap().iter().map(|service| service["name"].as_str().unwrap()).collect()
}

/// The ways in are these Services, each with its type, and a plan fences them and no others.
async fn assert_ways_in(bench: &RealBench<'_>, found: &Value, expected: &[&str]) {
    let services = found["services"].as_array().unwrap();
    let services: Vec<String> = services
        .iter()
        .map(|one| format!("{} {}", one["name"].as_str().unwrap(), one["kind"].as_str().unwrap()))
        .collect();
    assert_eq!(services, expected);
    let all = bench.objects::<Service>().list(&ListParams::default()).await.unwrap();
    let pipelines = all.items.iter().filter(|service| service.name_any().starts_with("pipeline-"));
    assert!(pipelines.count() > 0, "pipelines have Services, too");

    let plan = document(bench, &["plan", "-o", "json"]).await;
    assert_eq!(plan["fenced_services"], json!(names(found)));
    assert_eq!(plan["cluster"]["cluster"]["etcd_volumes"], found["cluster"]["etcd_volumes"]);
}

/// Ports of a Service as `name port` or `name port:node-port`.
fn ports(found: &Value, service: &str) -> Vec<String> {
    let services = found["services"].as_array().unwrap();
    let service = services.iter().find(|one| one["name"] == service).unwrap();
    let port = |port: &Value| {
        let node_port = port["node_port"].as_u64().map(|number| format!(":{number}")).unwrap_or_default();
        format!("{} {}{node_port}", port["name"].as_str().unwrap(), port["port"])
    };
    service["ports"].as_array().unwrap().iter().map(port).collect()
}

fn assert_etcd(found: &Value, image: &str, volumes: &[[&str; 5]]) {
    assert_eq!(found["cluster"]["etcd"]["image"], image);
    let keys = ["claim", "volume", "source", "id", "storage_class"];
    let records = found["cluster"]["etcd_volumes"].as_array().unwrap();
    let records: Vec<[&str; 5]> =
        records.iter().map(|record| keys.map(|key| record[key].as_str().unwrap_or_default())).collect();
    assert_eq!(records, volumes);
    assert_eq!(found["warnings"], json!([]));
}

fn assert_bucket(bench: &RealBench<'_>, found: &Value, backend: &str, reversed: bool) {
    let cluster = &found["cluster"];
    assert_eq!(cluster["backend"], backend);
    assert_eq!(cluster["bucket"], format!("s3://{BUCKET} at http://{}", bench.cluster.s3.addr()));
    assert_eq!(cluster["root"], "/pach");
    assert_eq!(cluster["reversed_keys"], reversed);
}

#[tokio::test(flavor = "multi_thread")]
async fn pachctl_on_amazon_with_a_git_hook_and_a_dynamic_volume() {
    let bench = bench("pachctl-amazon", Storage::AmazonReversed).await;
    let found = discover(&bench).await;
    let services = ["dash NodePort", "githook LoadBalancer", "pachd NodePort", "pachd-peer ClusterIP"];
    assert_ways_in(&bench, &found, &services).await;
    assert_bucket(&bench, &found, "AMAZON", true);
    let volume = "pvc-shape-pachctl-amazon-0";
    let id = "aws://eu-west-1a/vol-0a1b2c3d4e5f60718";
    let expected = ["etcd-storage-etcd-0", volume, "awsElasticBlockStore", id, "etcd-storage-class"];
    assert_etcd(&found, "pachyderm/etcd:v3.3.5", &[expected]);
    assert_eq!(found["cluster"]["etcd_volumes"][0]["pod"], "etcd-0");
    assert_eq!(found["cluster"]["etcd_volumes"][0]["capacity"], "10Gi");
}

#[tokio::test(flavor = "multi_thread")]
async fn pachctl_on_amazon_with_a_static_volume_and_plain_keys() {
    let bench = bench("pachctl-amazon-static", Storage::Amazon).await;
    let found = discover(&bench).await;
    assert_ways_in(&bench, &found, PACHD_AND_DASH).await;
    assert_bucket(&bench, &found, "AMAZON", false);
    let volume = "etcd-volume-shape-pachctl-amazon-static";
    let expected = ["etcd-storage", volume, "awsElasticBlockStore", "vol-0f1e2d3c4b5a69788", ""];
    assert_etcd(&found, "pachyderm/etcd:v3.3.5", &[expected]);
}

#[tokio::test(flavor = "multi_thread")]
async fn pachctl_with_a_disk_of_google_and_no_dashboard() {
    let bench = bench("pachctl-google-disk", Storage::Amazon).await;
    let found = discover(&bench).await;
    assert_ways_in(&bench, &found, &["pachd NodePort", "pachd-peer ClusterIP"]).await;
    assert_bucket(&bench, &found, "AMAZON", false);
    let volume = "etcd-volume-shape-pachctl-google-disk";
    let expected = ["etcd-storage", volume, "gcePersistentDisk", "pach-etcd-disk", ""];
    assert_etcd(&found, "pachyderm/etcd:v3.3.5", &[expected]);
}

#[tokio::test(flavor = "multi_thread")]
async fn pachctl_with_a_disk_of_azure() {
    let bench = bench("pachctl-azure-disk", Storage::Minio).await;
    let found = discover(&bench).await;
    assert_ways_in(&bench, &found, PACHD_AND_DASH).await;
    assert_bucket(&bench, &found, "MINIO", false);
    let volume = "pvc-shape-pachctl-azure-disk-0";
    let uri = "/subscriptions/0000/resourceGroups/pach/providers/Microsoft.Compute/disks/pach-etcd";
    let expected = ["etcd-storage-etcd-0", volume, "azureDisk", uri, "etcd-storage-class"];
    assert_etcd(&found, "pachyderm/etcd:v3.3.5", &[expected]);
}

#[tokio::test(flavor = "multi_thread")]
async fn pachctl_local_whose_folder_is_asked_for() {
    let node = tempfile::tempdir().unwrap();
    let bench = bench("pachctl-local", Storage::Local(node.path().to_owned())).await;
    assert_said(&bench.run(&["discover"]).await, 11, &["keeps its data in", "bucket.path"]);

    let root = node.path().join("pachd").display().to_string();
    bench.write_config(&format!("\n[bucket]\npath = \"{root}\"\n"));
    let found = discover(&bench).await;
    assert_ways_in(&bench, &found, PACHD_AND_DASH).await;
    assert_eq!(found["cluster"]["backend"], "LOCAL");
    assert_eq!(found["cluster"]["bucket"], format!("file://{root} on the node"));
    let folder = node.path().join("etcd").display().to_string();
    assert_etcd(&found, "pachyderm/etcd:v3.3.5", &[["", "etcd-storage", "hostPath", &folder, ""]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn helm_with_other_service_ports_a_load_balancer_and_a_csi_volume() {
    let bench = bench("helm", Storage::AmazonReversed).await;
    let found = discover(&bench).await;
    assert_ways_in(&bench, &found, &["dash ClusterIP", "pachd ClusterIP", "pachd-lb LoadBalancer"]).await;
    assert_bucket(&bench, &found, "AMAZON", true);
    let first = ["api-grpc-peer 30653", "api-grpc-port 30650", "api-http-port 30652"];
    assert_eq!(ports(&found, "pachd")[..3], first);
    let expected = [
        "etcd-storage-etcd-0",
        "pvc-shape-helm-0",
        "csi:ebs.csi.aws.com",
        "vol-0c0ffee0c0ffee000",
        "etcd-storage-class",
    ];
    assert_etcd(&found, "pachyderm/etcd:v3.3.5", &[expected]);
}

#[tokio::test(flavor = "multi_thread")]
async fn helm_over_folders_of_the_node() {
    let node = tempfile::tempdir().unwrap();
    let bench = bench("helm-local", Storage::Local(node.path().to_owned())).await;
    bench.write_config(&format!("\n[bucket]\npath = \"{}\"\n", node.path().join("pachd").display()));
    let found = discover(&bench).await;
    assert_ways_in(&bench, &found, &["pachd ClusterIP"]).await;
    assert_eq!(found["cluster"]["backend"], "LOCAL");
    assert_etcd(&found, "pachyderm/etcd:v3.3.5", &[["", "etcd-storage", "hostPath", "/var/pachyderm/etcd", ""]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_member_of_etcd_has_its_volume_in_the_plan() {
    let bench = bench("etcd-members", Storage::Amazon).await;
    let found = discover(&bench).await;
    assert_ways_in(&bench, &found, &["pachd NodePort", "pachd-peer ClusterIP"]).await;
    let disks = [0, 1, 2].map(|member| {
        let claim = format!("etcd-storage-etcd-{member}");
        let disk = format!("projects/p/zones/europe-west1-b/disks/etcd-{member}");
        (claim, format!("pvc-shape-etcd-members-{member}"), disk)
    });
    let expected = disks.each_ref().map(|(claim, volume, disk)| {
        [claim.as_str(), volume.as_str(), "csi:pd.csi.storage.gke.io", disk.as_str(), "etcd-storage-class"]
    });
    assert_etcd(&found, "pachyderm/etcd:v3.3.5", &expected);
    let pods = found["cluster"]["etcd_volumes"].as_array().unwrap().iter().map(|volume| &volume["pod"]);
    assert_eq!(pods.collect::<Vec<_>>(), ["etcd-0", "etcd-1", "etcd-2"]);

    let plan = document(&bench, &["plan", "-o", "json"]).await;
    let warnings = plan["warnings"].to_string();
    for (_, volume, _) in &disks {
        assert!(warnings.contains(volume), "no snapshot can be made of {volume}: {warnings}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pachctl_1_7_without_a_peer_service_and_without_reverse() {
    let bench = bench("pachctl-1-7", Storage::Amazon).await;
    let found = discover(&bench).await;
    assert_ways_in(&bench, &found, &["dash NodePort", "pachd NodePort"]).await;
    assert_bucket(&bench, &found, "AMAZON", false);
    let volume = "pvc-shape-pachctl-1-7-0";
    let id = "aws://us-east-1c/vol-0123456789abcdef0";
    let expected = ["etcd-storage-etcd-0", volume, "awsElasticBlockStore", id, "etcd-storage-class"];
    assert_etcd(&found, "pachyderm/etcd:v3.2.7", &[expected]);
}

#[tokio::test(flavor = "multi_thread")]
async fn pachctl_1_9_on_premises() {
    let bench = bench("pachctl-1-9", Storage::Minio).await;
    let found = discover(&bench).await;
    assert_ways_in(&bench, &found, &["pachd NodePort"]).await;
    assert_bucket(&bench, &found, "MINIO", false);
    let volume = "pvc-shape-pachctl-1-9-0";
    let expected = ["etcd-storage-etcd-0", volume, "nfs", "filer.example:/exports/etcd", "etcd-storage-class"];
    assert_etcd(&found, "quay.io/coreos/etcd:v3.3.5", &[expected]);
}

#[tokio::test(flavor = "multi_thread")]
async fn own_names_and_ports_and_two_deployments_that_could_be_pachds() {
    // These node ports are below those that Kubernetes gives out by itself.
    let options = ClusterOptions { storage: Storage::Amazon, ..ClusterOptions::default() };
    let bench = RealBench::of_shape(shared().await, "own-names", options, NodePorts::Documented).await;
    let found = discover(&bench).await;
    assert_ways_in(&bench, &found, &["console NodePort", "gateway LoadBalancer", "pachyderm-api NodePort"]).await;
    assert_bucket(&bench, &found, "AMAZON", false);
    let own = ["api-grpc-port 1650:30010", "api-http-port 1652:30011", "s3gateway-port 1600:30012"];
    assert_eq!(ports(&found, "pachyderm-api"), own);
    let volume = "pvc-shape-own-names-0";
    let id = "aws://eu-west-1b/vol-00000000000000042";
    let expected = ["etcd-storage-metadata-0", volume, "awsElasticBlockStore", id, "fast-disks"];
    assert_etcd(&found, "registry.example/mirror/etcd:v3.3.5", &[expected]);

    let deployments = bench.objects::<Deployment>();
    let mut second = deployments.get("data-server").await.unwrap();
    let labels = json!({"app": "old-server"});
    second.metadata = serde_json::from_value(json!({"name": "old-server"})).unwrap();
    second.spec.selector.match_labels = serde_json::from_value(labels.clone()).unwrap();
    second.spec.template.metadata = serde_json::from_value(json!({"labels": labels})).unwrap();
    second.spec.replicas = Some(0);
    second.status = None;
    deployments.create(&PostParams::default(), &second).await.unwrap();
    let asked = bench.run(&["discover"]).await;
    assert_said(&asked, 11, &["several Deployments", "data-server, old-server", "--pachd-deployment"]);
    let misnamed = bench.run(&["discover", "--pachd-deployment", "pachd"]).await;
    assert_said(&misnamed, 12, &["no Deployment \"pachd\"", "data-server, old-server"]);
    let named = document(&bench, &["discover", "-o", "json", "--pachd-deployment", "data-server"]).await;
    assert_eq!(named["services"], found["services"]);
    assert_eq!(named["cluster"], found["cluster"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_of_an_etcd_elsewhere_is_asked_for() {
    let bench = bench("etcd-elsewhere", Storage::Amazon).await;
    let asked = bench.run(&["discover"]).await;
    assert_said(&asked, 11, &["etcd.shared.svc.cluster.local", "--etcd-address"]);

    let address = bench.cluster.pachd.etcd().to_string();
    let found = document(&bench, &["discover", "-o", "json", "--etcd-address", &address]).await;
    assert_eq!(names(&found), ["pachd"]);
    assert_eq!(found["cluster"]["etcd"]["members"], 1);
    assert_eq!(found["cluster"]["etcd"]["image"], Value::Null);
    assert_eq!(found["cluster"]["etcd_volumes"], json!([]));
    assert!(found["warnings"].to_string().contains("no pod of etcd is in namespace"), "{}", found["warnings"]);

    // The same by a Service whose endpoints are a person's: Kubernetes then names it to pachd.
    let service = json!({"metadata": {"name": "etcd"}, "spec": {"ports": [{"name": "client-port", "port": 2379}]}});
    let services = bench.objects::<Service>();
    services.create(&PostParams::default(), &serde_json::from_value(service).unwrap()).await.unwrap();
    let deployments = bench.objects::<Deployment>();
    let mut pachd = deployments.get("pachd").await.unwrap();
    let containers = &mut pachd.spec.template.spec.as_mut().unwrap().containers;
    containers[0].env.as_mut().unwrap().retain(|variable| variable.name != "ETCD_SERVICE_HOST");
    deployments.replace("pachd", &PostParams::default(), &pachd).await.unwrap();
    assert_said(&bench.run(&["discover"]).await, 11, &["pachd's etcd is \"etcd\"", "--etcd-address"]);
}
