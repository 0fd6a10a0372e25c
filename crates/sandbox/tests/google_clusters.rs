//! Recorded clusters on Google Cloud: objects in Cloud Storage, etcd on a Persistent Disk.

#![cfg(all(feature = "gcs", feature = "kubernetes", feature = "pachd", feature = "s3"))]
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use pachyderm::client::{Address, Client, ClientOptions};
use pachyderm::layout::{KeyMap, Mapped};
use pachyderm::proto::admin::ExtractRequest;
use sandbox::cluster::{BUCKET, ClusterOptions, NAMESPACE, RecordedCluster, Storage};
use sandbox::kubernetes::{Backend, PachydermDeployment};
use serde_json::json;

async fn kube(cluster: &RecordedCluster) -> kube::Client {
    let config = Kubeconfig::from_yaml(&cluster.kubernetes.kubeconfig()).unwrap();
    let config = kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await.unwrap();
    kube::Client::try_from(config).unwrap()
}

async fn pachd_of(cluster: &RecordedCluster) -> Client {
    let address = Address::plaintext("127.0.0.1", cluster.pachd.external().port());
    Client::connect(&address, &ClientOptions::default()).await.unwrap()
}

/// The objects that pachd extracts, sorted.
async fn objects_by(client: &Client) -> Vec<Bytes> {
    let request = ExtractRequest { no_repos: true, no_pipelines: true, ..ExtractRequest::default() };
    let mut messages = client.extract(request).await.unwrap();
    let mut ops = Vec::new();
    while let Some(op) = messages.message().await.unwrap() {
        ops.push(op);
    }
    ops.sort();
    ops
}

/// The objects under plain keys, sorted.
fn plain(objects: BTreeMap<String, Bytes>) -> Vec<(String, Bytes)> {
    let to_plain = KeyMap::new(Storage::Google.layout(), Storage::Minio.layout());
    let plain = objects.into_iter().map(|(key, bytes)| match to_plain.map(&key) {
        Mapped::Key(key) => (key, bytes),
        other => unreachable!("{key} became {other:?}"),
    });
    let mut plain = plain.collect::<Vec<_>>();
    plain.sort();
    plain
}

#[tokio::test(flavor = "multi_thread")]
async fn alpha_on_google_has_its_objects_in_cloud_storage() {
    let on_s3 = RecordedCluster::alpha(ClusterOptions { running: false, ..ClusterOptions::default() }).await.unwrap();
    assert!(on_s3.google.is_none());
    let options = ClusterOptions { storage: Storage::Google, running: false, ..ClusterOptions::default() };
    let cluster = RecordedCluster::alpha(options).await.unwrap();
    let google = cluster.google.as_ref().unwrap();
    assert_eq!(google.buckets(), [BUCKET]);
    let bucket = google.bucket(BUCKET);
    let keys = bucket.keys();
    assert_eq!(keys.len(), 1686);
    assert!(keys.iter().all(|key| key.starts_with("/pach/")));
    assert_eq!(cluster.s3.bucket(BUCKET).object_count(), 0);
    let expected: Vec<(String, Bytes)> = on_s3.objects().into_iter().collect();
    assert!(plain(cluster.objects()) == expected, "the objects differ from those on S3");

    let read = objects_by(&pachd_of(&cluster).await).await;
    assert!(read.len() > 1000, "{}", read.len());
    assert!(read == objects_by(&pachd_of(&on_s3).await).await, "pachd reads other objects than on S3");
    // It reads what is in that bucket, not a copy of it.
    bucket.clear();
    assert!(objects_by(&pachd_of(&cluster).await).await.len() < read.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn clusters_share_one_cloud_storage() {
    let options = ClusterOptions { with_google: true, ..ClusterOptions::default() };
    let first = RecordedCluster::gamma(options).await.unwrap();
    let shared = first.google.clone().unwrap();
    assert_eq!(shared.buckets(), Vec::<String>::new());
    let options = ClusterOptions {
        storage: Storage::Google,
        bucket: "of-another".to_owned(),
        google_of: Some(Arc::clone(&shared)),
        running: false,
        ..ClusterOptions::default()
    };
    let second = RecordedCluster::amazon(options).await.unwrap();
    assert_eq!(shared.buckets(), ["of-another"]);
    assert_eq!(second.objects().len(), 118);
    let secret = second.kubernetes.object("secrets", NAMESPACE, "pachyderm-storage-secret").unwrap();
    let value = |key: &str| STANDARD.decode(secret["data"][key].as_str().unwrap()).unwrap();
    assert_eq!(value("google-bucket"), b"of-another");
    assert_eq!(value("google-cred"), b"");
}

/// Deploys into another namespace, without the Services: their node ports are taken.
fn deploy_beside(cluster: &RecordedCluster, namespace: &str, backend: Backend) {
    cluster.kubernetes.create_namespace(namespace).unwrap();
    for object in PachydermDeployment::new(namespace, backend).objects() {
        let shared = ["ClusterRole", "StorageClass"].iter().any(|kind| object["kind"] == *kind);
        if object["kind"] == "Service" {
            continue;
        }
        match cluster.kubernetes.create(object) {
            Err(error) if error.reason == "AlreadyExists" && shared => {}
            created => drop(created.unwrap()),
        }
    }
}

/// A connection to the pachd of a namespace, through its pod; waits until it is served.
async fn pachd_in(cluster: &RecordedCluster, namespace: &str) -> Client {
    let pods: Api<Pod> = Api::namespaced(kube(cluster).await, namespace);
    for _ in 0..1000 {
        let listed = pods.list(&ListParams::default().labels("app=pachd")).await.unwrap();
        let name = listed.items.first().and_then(|pod| pod.metadata.name.clone());
        let Some(name) = name else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let pods = pods.clone();
        let connector = tower::service_fn(move |_| {
            let (pods, name) = (pods.clone(), name.clone());
            async move {
                let mut forward = pods.portforward(&name, &[650]).await.map_err(std::io::Error::other)?;
                forward.take_stream(650).ok_or_else(|| std::io::Error::other("the port has no stream"))
            }
        });
        let address = Address::plaintext("pachd", 650);
        let connected = Client::with_connector(connector, &address, &ClientOptions::default()).await;
        if let Ok(client) = connected
            && client.version().await.is_ok()
        {
            return client;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    unreachable!("pachd of {namespace} is never served");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_on_google_in_another_namespace_is_served_from_the_bucket_that_its_secret_names() {
    let options = ClusterOptions { storage: Storage::Google, ..ClusterOptions::default() };
    let cluster = RecordedCluster::alpha(options).await.unwrap();
    let google = cluster.google.as_ref().unwrap();
    let user = google.user_credentials().to_string();
    let alphas = objects_by(&pachd_of(&cluster).await).await;
    for (namespace, credentials) in [("by-workload-identity", String::new()), ("by-credentials", user)] {
        let bucket = format!("data-{namespace}");
        deploy_beside(&cluster, namespace, Backend::Google { bucket: bucket.clone(), credentials });
        let client = pachd_in(&cluster, namespace).await;
        assert!(client.list_repo().await.unwrap().is_empty());
        assert!(objects_by(&client).await.len() < alphas.len());
        let bucket = google.bucket(&bucket);
        google.bucket(BUCKET).for_each("", |key, object| {
            bucket.put_object(key, object.clone());
        });
        assert!(objects_by(&client).await == alphas, "{namespace} has another bucket");
    }
    assert_eq!(google.buckets(), ["data-by-credentials", "data-by-workload-identity", BUCKET]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_with_credentials_of_nobody_does_not_start() {
    let options = ClusterOptions { storage: Storage::Google, ..ClusterOptions::default() };
    let cluster = RecordedCluster::gamma(options).await.unwrap();
    for (namespace, credentials) in [("refused", "{\"type\":\"service_account\"}"), ("served", "")] {
        let backend = Backend::Google { bucket: format!("data-{namespace}"), credentials: credentials.to_owned() };
        deploy_beside(&cluster, namespace, backend);
    }
    // Namespaces are looked at in the order of their names: the first was looked at by then.
    pachd_in(&cluster, "served").await;
    assert!(!cluster.google.as_ref().unwrap().buckets().contains(&"data-refused".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn etcds_persistent_disk_is_as_kubernetes_has_it() {
    let cluster = RecordedCluster::gamma(ClusterOptions::on_persistent_disk("etcd-disk")).await.unwrap();
    let claim = cluster.kubernetes.object("persistentvolumeclaims", NAMESPACE, "etcd-storage-etcd-0").unwrap();
    let volume = claim["spec"]["volumeName"].as_str().unwrap();
    let volume = cluster.kubernetes.object("persistentvolumes", "", volume).unwrap();
    assert_eq!(volume["spec"]["gcePersistentDisk"]["pdName"], "etcd-disk");
    assert_eq!(volume["metadata"]["labels"]["topology.kubernetes.io/zone"], "us-central1-a");
    assert_eq!(volume["metadata"]["labels"]["topology.kubernetes.io/region"], "us-central1");
    let terms = &volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"];
    assert_eq!(terms[0]["matchExpressions"][0]["values"], json!(["us-central1-a"]));
    let class = cluster.kubernetes.object("storageclasses", "", "etcd-storage-class").unwrap();
    assert_eq!(class["provisioner"], "kubernetes.io/gce-pd");

    let handle = "projects/sandbox/zones/us-central1-a/disks/etcd-disk";
    let cluster = RecordedCluster::gamma(ClusterOptions::on_csi_persistent_disk(handle)).await.unwrap();
    let volumes = cluster.kubernetes.objects("persistentvolumes", None);
    assert_eq!(volumes.len(), 1);
    let csi = &volumes[0]["spec"]["csi"];
    assert_eq!((&csi["driver"], &csi["volumeHandle"]), (&json!("pd.csi.storage.gke.io"), &json!(handle)));
    let terms = &volumes[0]["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"];
    assert_eq!(terms[0]["matchExpressions"][0]["key"], "topology.gke.io/zone");
    let class = cluster.kubernetes.object("storageclasses", "", "etcd-storage-class").unwrap();
    assert_eq!(class["provisioner"], "pd.csi.storage.gke.io");
}
