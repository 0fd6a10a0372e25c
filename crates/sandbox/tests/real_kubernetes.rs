//! The bench of a real Kubernetes API with CSI snapshots: what tests of other crates build on.
#![cfg(feature = "programs")]
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::path::PathBuf;
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{Namespace, PersistentVolume, PersistentVolumeClaim, Pod};
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client};
use sandbox::programs::kubernetes::{
    ApiServer, ApiServerOptions, DELETE_CLASS, DRIVER, KubernetesBench, NODE, RETAIN_CLASS, STORAGE_CLASS, kubectl,
};
use serde_json::{Value, json};
use tokio::sync::{OnceCell, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio::time::Instant;

/// For what is there in a moment, but on a machine that does much else.
const LONGEST: Duration = Duration::from_secs(180);

static BENCH: OnceCell<KubernetesBench> = OnceCell::const_new();
/// Written by a test that switches the driver: the switches act on everybody's snapshots.
static DRIVER_SWITCHES: RwLock<()> = RwLock::const_new(());

/// Who else may use the driver.
enum Turn {
    WithOthers { _turn: RwLockReadGuard<'static, ()> },
    Alone { _turn: RwLockWriteGuard<'static, ()> },
}

/// One test's part of the bench that all share.
struct Place {
    bench: &'static KubernetesBench,
    client: Client,
    namespace: String,
    _turn: Turn,
}

impl Place {
    async fn new(namespace: &str) -> Self {
        Self::with(namespace, Turn::WithOthers { _turn: DRIVER_SWITCHES.read().await }).await
    }

    /// For a test that switches the driver.
    async fn alone(namespace: &str) -> Self {
        Self::with(namespace, Turn::Alone { _turn: DRIVER_SWITCHES.write().await }).await
    }

    async fn with(namespace: &str, turn: Turn) -> Self {
        let bench = BENCH.get_or_init(|| async { KubernetesBench::start().await.unwrap() }).await;
        let client = bench.api().client().await.unwrap();
        let object = serde_json::from_value(json!({"metadata": {"name": namespace}})).unwrap();
        Api::<Namespace>::all(client.clone()).create(&PostParams::default(), &object).await.unwrap();
        Self { bench, client, namespace: namespace.to_owned(), _turn: turn }
    }

    fn claims(&self) -> Api<PersistentVolumeClaim> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    fn snapshots(&self) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &kind("VolumeSnapshot"))
    }

    /// A bound claim, and the folder of its volume.
    async fn claim(&self, name: &str, source: Value) -> PathBuf {
        let claim = json!({
            "metadata": {"name": name},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": STORAGE_CLASS,
                "resources": {"requests": {"storage": "1Gi"}},
                "dataSource": source,
            },
        });
        let claim = serde_json::from_value(claim).unwrap();
        self.claims().create(&PostParams::default(), &claim).await.unwrap();
        let volume = self.wait_for(|| async {
            let claim = self.claims().get(name).await.unwrap();
            let phase = claim.status.and_then(|status| status.phase);
            let bound = phase.as_deref() == Some("Bound");
            let volume = claim.spec.and_then(|spec| spec.volume_name).filter(|_| bound);
            volume.ok_or_else(|| format!("claim {name} is {phase:?}"))
        });
        let volume = volume.await;
        let volume = Api::<PersistentVolume>::all(self.client.clone()).get(&volume).await.unwrap();
        let csi = volume.spec.unwrap().csi.unwrap();
        assert_eq!(csi.driver, DRIVER);
        self.bench.driver().volume_folder(&csi.volume_handle)
    }

    /// Looks until there is an answer; as long as there is none, `look` says how things are.
    async fn wait_for<T, F: Future<Output = Result<T, String>>>(&self, look: impl FnMut() -> F) -> T {
        self.bench.wait_for(look).await.unwrap()
    }

    async fn take_snapshot(&self, name: &str, claim: &str, class: &str) {
        let snapshot = json!({
            "apiVersion": "snapshot.storage.k8s.io/v1",
            "kind": "VolumeSnapshot",
            "metadata": {"name": name},
            "spec": {"volumeSnapshotClassName": class, "source": {"persistentVolumeClaimName": claim}},
        });
        let snapshot = serde_json::from_value(snapshot).unwrap();
        self.snapshots().create(&PostParams::default(), &snapshot).await.unwrap();
    }

    /// The status of a snapshot once it holds.
    async fn snapshot_status(&self, name: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let status = self.wait_for(|| async {
            let status = self.snapshots().get(name).await.unwrap().data["status"].clone();
            if holds(&status) { Ok(status) } else { Err(format!("the status of {name} is {status}")) }
        });
        status.await
    }

    /// The folder of a snapshot.
    async fn snapshot_folder(&self, status: &Value) -> PathBuf {
        let contents = Api::<DynamicObject>::all_with(self.client.clone(), &kind("VolumeSnapshotContent"));
        let content = contents.get(status["boundVolumeSnapshotContentName"].as_str().unwrap()).await.unwrap();
        self.bench.driver().snapshot_folder(content.data["status"]["snapshotHandle"].as_str().unwrap())
    }
}

fn kind(name: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("snapshot.storage.k8s.io", "v1", name))
}

fn is_ready(status: &Value) -> bool {
    status["readyToUse"] == true
}

#[tokio::test]
async fn a_restored_claim_holds_what_was_there_at_the_snapshot() {
    let place = Place::new("restored").await;
    let source = place.claim("source", Value::Null).await;
    std::fs::create_dir(source.join("member")).unwrap();
    std::fs::write(source.join("member/db"), "old").unwrap();
    place.take_snapshot("point", "source", DELETE_CLASS).await;
    let status = place.snapshot_status("point", is_ready).await;
    assert_eq!(status["restoreSize"], "1Gi");
    std::fs::write(source.join("member/db"), "new").unwrap();
    std::fs::write(source.join("later"), "").unwrap();

    let from = json!({"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "point"});
    let restored = place.claim("restored", from).await;
    assert_eq!(std::fs::read_to_string(restored.join("member/db")).unwrap(), "old");
    assert!(!restored.join("later").exists());

    let folder = place.snapshot_folder(&status).await;
    assert!(folder.is_dir());
    place.snapshots().delete("point", &DeleteParams::default()).await.unwrap();
    let gone = || async { if folder.exists() { Err(format!("{} is there", folder.display())) } else { Ok(()) } };
    place.wait_for(gone).await;
    assert_eq!(std::fs::read_to_string(restored.join("member/db")).unwrap(), "old");
}

#[tokio::test]
async fn a_retained_snapshot_outlives_its_object() {
    let place = Place::new("retained").await;
    let source = place.claim("source", Value::Null).await;
    std::fs::write(source.join("file"), "kept").unwrap();
    place.take_snapshot("point", "source", RETAIN_CLASS).await;
    let status = place.snapshot_status("point", is_ready).await;
    let folder = place.snapshot_folder(&status).await;
    place.snapshots().delete("point", &DeleteParams::default()).await.unwrap();
    let gone = || async {
        let left = place.snapshots().get_opt("point").await.unwrap();
        left.map_or(Ok(()), |left| Err(format!("the snapshot is there: {}", left.data["status"])))
    };
    place.wait_for(gone).await;
    assert_eq!(std::fs::read_to_string(folder.join("file")).unwrap(), "kept");
}

#[tokio::test]
async fn a_fault_of_the_driver_is_ridden_out() {
    let place = Place::alone("fault").await;
    place.claim("source", Value::Null).await;
    let driver = place.bench.driver();
    driver.set_fault("CreateSnapshot", "UNAVAILABLE", "the array is busy").unwrap();
    place.take_snapshot("point", "source", DELETE_CLASS).await;
    let status = place.snapshot_status("point", |status| !status["error"].is_null()).await;
    let message = status["error"]["message"].as_str().unwrap();
    assert!(message.contains("code = Unavailable desc = the array is busy"), "{message}");
    assert!(!is_ready(&status));
    driver.clear_fault("CreateSnapshot").unwrap();
    let status = place.snapshot_status("point", is_ready).await;
    assert!(status["error"].is_null(), "{status}");
}

#[tokio::test]
async fn the_cut_is_known_before_the_snapshot_can_be_used() {
    let place = Place::alone("unready").await;
    let source = place.claim("source", Value::Null).await;
    std::fs::write(source.join("file"), "at the cut").unwrap();
    place.bench.driver().set_unready(true).unwrap();
    place.take_snapshot("point", "source", DELETE_CLASS).await;
    let early = place.snapshot_status("point", |status| status["creationTime"].is_string()).await;
    assert_eq!(early["readyToUse"], false);
    std::fs::write(source.join("file"), "after the cut").unwrap();
    place.bench.driver().set_unready(false).unwrap();
    let ready = place.snapshot_status("point", is_ready).await;
    assert_eq!(ready["creationTime"], early["creationTime"]);
    let folder = place.snapshot_folder(&ready).await;
    assert_eq!(std::fs::read_to_string(folder.join("file")).unwrap(), "at the cut");
}

#[tokio::test]
async fn a_driver_that_was_killed_goes_on_where_it_was() {
    let place = Place::alone("killed").await;
    let source = place.claim("source", Value::Null).await;
    std::fs::write(source.join("file"), "content").unwrap();
    place.take_snapshot("before", "source", DELETE_CLASS).await;
    let before = place.snapshot_status("before", is_ready).await;
    place.bench.driver().kill();
    place.take_snapshot("during", "source", DELETE_CLASS).await;
    // The object is bound by the controller that needs no driver, and stays so.
    let waiting = place.snapshot_status("during", |it| it["boundVolumeSnapshotContentName"].is_string()).await;
    assert!(!is_ready(&waiting));
    place.bench.driver().restart().await.unwrap();
    let during = place.snapshot_status("during", is_ready).await;
    for status in [before, during] {
        let folder = place.snapshot_folder(&status).await;
        assert_eq!(std::fs::read_to_string(folder.join("file")).unwrap(), "content");
    }
}

#[tokio::test]
async fn a_delayed_call_is_late_and_done() {
    let place = Place::alone("delayed").await;
    let source = place.claim("source", Value::Null).await;
    std::fs::write(source.join("file"), "at the request").unwrap();
    let driver = place.bench.driver();
    driver.set_delay("CreateSnapshot", Duration::from_secs(3600)).unwrap();
    place.take_snapshot("point", "source", DELETE_CLASS).await;
    let waiting = place.snapshot_status("point", |it| it["boundVolumeSnapshotContentName"].is_string()).await;
    assert!(waiting["creationTime"].is_null());
    std::fs::write(source.join("file"), "at the cut").unwrap();
    driver.clear_delay("CreateSnapshot").unwrap();
    // What waits goes on waiting; a new process begins anew.
    driver.restart().await.unwrap();
    let ready = place.snapshot_status("point", is_ready).await;
    let folder = place.snapshot_folder(&ready).await;
    assert_eq!(std::fs::read_to_string(folder.join("file")).unwrap(), "at the cut");
}

#[tokio::test]
async fn pods_come_and_go_as_their_annotations_say() {
    let place = Place::new("pods").await;
    let pods = Api::<Pod>::namespaced(place.client.clone(), &place.namespace);
    let create = async |name: &str, annotations: Value| {
        let pod = json!({
            "metadata": {"name": name, "annotations": annotations},
            "spec": {"nodeName": NODE, "containers": [{"name": "c", "image": "none"}]},
        });
        pods.create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await.unwrap();
    };
    let phase = async |name: &str| pods.get(name).await.unwrap().status.and_then(|status| status.phase);
    create("never", json!({"bench.pachsnap.io/ready": "never"})).await;
    create("slow", json!({"bench.pachsnap.io/gone-after": "1h"})).await;
    create("quick", json!({})).await;
    for name in ["slow", "quick"] {
        let running = || async {
            let phase = phase(name).await;
            if phase.as_deref() == Some("Running") { Ok(()) } else { Err(format!("pod {name} is {phase:?}")) }
        };
        place.wait_for(running).await;
    }
    for name in ["slow", "quick"] {
        pods.delete(name, &DeleteParams::default()).await.unwrap();
    }
    let gone = async |name: &str| match pods.get_opt(name).await.unwrap() {
        Some(pod) => Err(format!("pod {name} is there: {:?}", pod.status)),
        None => Ok(()),
    };
    place.wait_for(|| gone("quick")).await;
    assert!(pods.get("slow").await.unwrap().metadata.deletion_timestamp.is_some());
    assert_eq!(phase("never").await.as_deref(), Some("Pending"));
    let lift = json!({"metadata": {"annotations": {"bench.pachsnap.io/gone-after": null}}});
    pods.patch("slow", &PatchParams::default(), &Patch::Merge(lift)).await.unwrap();
    place.wait_for(|| gone("slow")).await;
}

#[tokio::test]
async fn kubectl_finds_it_by_the_kubeconfig() {
    let place = Place::new("kubectl").await;
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    std::fs::write(&kubeconfig, place.bench.api().kubeconfig().unwrap()).unwrap();
    let ran = tokio::process::Command::new(kubectl().unwrap())
        .env("HOME", folder.path())
        .args(["get", "namespace", "kubectl", "--output", "name", "--kubeconfig"])
        .arg(&kubeconfig)
        .output()
        .await
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "namespace/kubectl\n", "{ran:?}");
}

#[tokio::test]
async fn a_killed_api_server_comes_back_with_its_data() {
    let api = ApiServer::start().await.unwrap();
    let client = api.client().await.unwrap();
    let namespaces = Api::<Namespace>::all(client);
    let object = serde_json::from_value(json!({"metadata": {"name": "kept"}})).unwrap();
    namespaces.create(&PostParams::default(), &object).await.unwrap();
    api.kill();
    assert!(!matches!(namespaces.get("kept").await, Ok(_) | Err(kube::Error::Api(_))));
    api.restart().await.unwrap();
    let kept = namespaces.get("kept").await.unwrap();
    assert!(kept.metadata.creation_timestamp.unwrap().0 <= Timestamp::now());
}

#[tokio::test]
async fn the_audit_log_names_who_asked_for_what() {
    let options = ApiServerOptions { users: vec!["limited".to_owned()], audit: true, ..ApiServerOptions::default() };
    let api = ApiServer::start_with(options).await.unwrap();
    let limited = Api::<Pod>::namespaced(api.client_of("limited").await.unwrap(), "default");
    let refused = limited.get("p").await.unwrap_err();
    assert!(matches!(&refused, kube::Error::Api(status) if status.code == 403), "{refused}");
    let events = api.audit_log().unwrap();
    let found: Vec<_> = events.iter().filter(|event| event.user == "limited").collect();
    let [event] = found[..] else { panic!("{found:#?}") };
    assert_eq!((event.verb.as_str(), event.resource.as_str(), event.code), ("get", "pods", 403));
    assert_eq!((event.namespace.as_str(), event.name.as_str()), ("default", "p"));
}

#[tokio::test]
async fn one_request_at_a_time_refuses_the_second() {
    let options = ApiServerOptions {
        users: vec!["limited".to_owned()],
        one_request_at_a_time: true,
        ..ApiServerOptions::default()
    };
    let api = ApiServer::start_with(options).await.unwrap();
    let pods = Api::<Pod>::namespaced(api.client_of("limited").await.unwrap(), "default");
    let asked = futures::stream::repeat(()).map(|()| pods.get("p")).buffer_unordered(16);
    let too_many = asked.filter_map(|answer| async move {
        let Err(kube::Error::Api(status)) = answer else { panic!("not a refusal") };
        (status.code == 429).then_some(())
    });
    let mut too_many = Box::pin(too_many);
    tokio::time::timeout(LONGEST, too_many.next()).await.expect("nobody was refused").unwrap();
}

#[tokio::test]
async fn a_compacted_version_is_gone() {
    let options = ApiServerOptions { compaction: Some(Duration::from_secs(1)), ..ApiServerOptions::default() };
    let api = ApiServer::start_with(options).await.unwrap();
    let namespaces = Api::<Namespace>::all(api.client().await.unwrap());
    let object = serde_json::from_value(json!({"metadata": {"name": "n"}})).unwrap();
    let made = namespaces.create(&PostParams::default(), &object).await.unwrap();
    let old = made.metadata.resource_version.unwrap();
    let ends = Instant::now() + LONGEST;
    for number in 0.. {
        assert!(Instant::now() < ends, "nothing is compacted:\n{}", api.ends_of_logs());
        let change = json!({"metadata": {"labels": {"number": number.to_string()}}});
        namespaces.patch("n", &PatchParams::default(), &Patch::Merge(change)).await.unwrap();
        let mut events = namespaces.watch(&WatchParams::default(), &old).await.unwrap().boxed();
        if let Some(Ok(WatchEvent::Error(error))) = events.next().await
            && error.code == 410
        {
            assert_eq!(error.reason, "Expired");
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
