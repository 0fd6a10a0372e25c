//! Claims, snapshots and what becomes of them, in a cluster with the CSI driver.

use std::path::PathBuf;

use k8s_openapi::api::core::v1::{Event, Namespace, PersistentVolume, PersistentVolumeClaim};
use kube::api::{DeleteParams, DynamicObject, ListParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind, NamespaceResourceScope};
use kube::{Api, Client, ResourceExt as _};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::cluster::{CSI_DRIVER, Cluster, Kind};

pub(crate) const GIB: &str = "1Gi";

/// A kind of the snapshot group.
pub(crate) fn kind(kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("snapshot.storage.k8s.io", "v1", kind))
}

pub(crate) fn object<K: DeserializeOwned>(value: Value) -> K {
    serde_json::from_value(value).unwrap()
}

/// One case's part of a cluster.
pub(crate) struct Bench {
    pub(crate) cluster: Cluster,
    pub(crate) client: Client,
    pub(crate) namespace: String,
}

impl Bench {
    /// A namespace of its own, in a cluster with the StorageClass `dir` and the VolumeSnapshotClasses `keep` and `drop`; none
    /// is the default.
    pub(crate) async fn start(kind: Kind, case: &str) -> Self {
        let (cluster, client) = Cluster::start(kind).await;
        let mut namespace = case.replace('_', "-");
        namespace.truncate(50);
        let bench = Bench { cluster, client, namespace };
        bench.create_namespace(&bench.namespace).await;
        let class = object(json!({"metadata": {"name": "dir"}, "provisioner": CSI_DRIVER, "reclaimPolicy": "Delete"}));
        let classes: Api<k8s_openapi::api::storage::v1::StorageClass> = Api::all(bench.client.clone());
        shared(classes.create(&PostParams::default(), &class).await);
        bench.snapshot_class("keep", CSI_DRIVER, json!({"deletionPolicy": "Retain"})).await;
        bench.snapshot_class("drop", CSI_DRIVER, json!({"deletionPolicy": "Delete"})).await;
        bench
    }

    pub(crate) async fn create_namespace(&self, name: &str) {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        namespaces.create(&PostParams::default(), &object(json!({"metadata": {"name": name}}))).await.unwrap();
    }

    fn snapshot_classes(&self) -> Api<DynamicObject> {
        Api::all_with(self.client.clone(), &kind("VolumeSnapshotClass"))
    }

    pub(crate) async fn snapshot_class(&self, name: &str, driver: &str, mut class: Value) {
        class["driver"] = json!(driver);
        class["metadata"]["name"] = json!(name);
        class["apiVersion"] = json!("snapshot.storage.k8s.io/v1");
        class["kind"] = json!("VolumeSnapshotClass");
        shared(self.snapshot_classes().create(&PostParams::default(), &object(class)).await);
    }

    pub(crate) async fn delete_snapshot_class(&self, name: &str) {
        self.snapshot_classes().delete(name, &DeleteParams::default()).await.unwrap();
    }

    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub(crate) fn claims(&self) -> Api<PersistentVolumeClaim> {
        self.api()
    }

    pub(crate) fn volumes(&self) -> Api<PersistentVolume> {
        Api::all(self.client.clone())
    }

    pub(crate) fn snapshots_in(&self, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), namespace, &kind("VolumeSnapshot"))
    }

    pub(crate) fn snapshots(&self) -> Api<DynamicObject> {
        self.snapshots_in(&self.namespace)
    }

    pub(crate) fn contents(&self) -> Api<DynamicObject> {
        Api::all_with(self.client.clone(), &kind("VolumeSnapshotContent"))
    }

    /// How many contents are there for snapshots of the namespace.
    pub(crate) async fn count_contents(&self) -> usize {
        let all = self.contents().list(&ListParams::default()).await.unwrap();
        let own = |content: &&DynamicObject| {
            content.data["spec"]["volumeSnapshotRef"]["namespace"] == self.namespace.as_str()
        };
        all.iter().filter(own).count()
    }

    /// How many volumes are there for claims of the namespace.
    pub(crate) async fn count_volumes(&self) -> usize {
        let all = self.volumes().list(&ListParams::default()).await.unwrap();
        let namespace = |volume: &PersistentVolume| volume.spec.clone()?.claim_ref?.namespace;
        all.iter().filter(|volume| namespace(volume).as_ref() == Some(&self.namespace)).count()
    }

    /// Looks until there is an answer.
    pub(crate) async fn until<T>(&self, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
        self.cluster.until(async || look().await.ok_or_else(|| format!("it never came: {what}"))).await
    }

    /// Asks for a claim of the class `dir`.
    pub(crate) async fn ask(&self, name: &str, size: &str, snapshot: Option<&str>) {
        let mut claim = json!({
            "metadata": {"name": name},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": "dir",
                "resources": {"requests": {"storage": size}},
            },
        });
        if let Some(snapshot) = snapshot {
            let source = json!({"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": snapshot});
            claim["spec"]["dataSource"] = source;
        }
        self.claims().create(&PostParams::default(), &object(claim)).await.unwrap();
    }

    /// The folder of a claim's volume, once it is bound.
    pub(crate) async fn folder(&self, claim: &str) -> PathBuf {
        let volume = self.until("a volume for the claim", async || {
            let claim = self.claims().get(claim).await.unwrap();
            let bound = claim.status.and_then(|status| status.phase).is_some_and(|phase| phase == "Bound");
            claim.spec.and_then(|spec| spec.volume_name).filter(|_| bound)
        });
        let volume = self.volumes().get(&volume.await).await.unwrap();
        let handle = volume.spec.unwrap().csi.unwrap().volume_handle;
        self.cluster.volume_folder(&handle)
    }

    /// A bound claim of 1 GiB.
    pub(crate) async fn claim(&self, name: &str) -> PathBuf {
        self.ask(name, GIB, None).await;
        self.folder(name).await
    }

    /// Waits until no snapshot holds a claim any more.
    pub(crate) async fn claim_released(&self, name: &str) {
        let claims = self.claims();
        let released = async || (finalizers(&claims.get(name).await.unwrap()) == ["pvc-protection"]).then_some(());
        self.until("the claim's release", released).await;
    }

    /// Asks for a snapshot of a claim.
    pub(crate) async fn snapshot(&self, name: &str, claim: &str, class: Option<&str>) -> DynamicObject {
        let mut spec = json!({"source": {"persistentVolumeClaimName": claim}});
        if let Some(class) = class {
            spec["volumeSnapshotClassName"] = json!(class);
        }
        self.create_snapshot(&self.namespace, name, spec).await.unwrap()
    }

    pub(crate) async fn create_snapshot(
        &self,
        namespace: &str,
        name: &str,
        spec: Value,
    ) -> kube::Result<DynamicObject> {
        let mut snapshot = DynamicObject::new(name, &kind("VolumeSnapshot"));
        snapshot.data = json!({"spec": spec});
        self.snapshots_in(namespace).create(&PostParams::default(), &snapshot).await
    }

    /// A content made by hand for a snapshot that the driver has.
    pub(crate) async fn import(&self, name: &str, handle: &str, namespace: &str, snapshot: &str) {
        let mut content = DynamicObject::new(name, &kind("VolumeSnapshotContent"));
        content.data = json!({"spec": {
            "deletionPolicy": "Retain",
            "driver": CSI_DRIVER,
            "source": {"snapshotHandle": handle},
            "volumeSnapshotRef": {"name": snapshot, "namespace": namespace},
        }});
        self.contents().create(&PostParams::default(), &content).await.unwrap();
    }

    /// The status of a snapshot, once it satisfies a condition.
    pub(crate) async fn status(&self, name: &str, mut condition: impl FnMut(&Value) -> bool) -> Value {
        let look = async || {
            let status = self.snapshots().get(name).await.unwrap().data["status"].take();
            if condition(&status) { Ok(status) } else { Err(format!("the status of {name} is {status}")) }
        };
        self.cluster.until(look).await
    }

    pub(crate) async fn ready(&self, name: &str) -> Value {
        self.status(name, |status| status["readyToUse"] == true).await
    }

    /// The error in a snapshot's status, once there is one.
    pub(crate) async fn error(&self, name: &str) -> String {
        let status = self.status(name, |status| !status["error"].is_null()).await;
        assert!(status["readyToUse"] != true && status["creationTime"].is_null(), "{status}");
        status["error"]["message"].as_str().unwrap().to_owned()
    }

    /// The content that a snapshot is bound to.
    pub(crate) async fn content_of(&self, snapshot: &str) -> DynamicObject {
        let status = self.status(snapshot, |status| status["boundVolumeSnapshotContentName"].is_string()).await;
        self.contents().get(status["boundVolumeSnapshotContentName"].as_str().unwrap()).await.unwrap()
    }

    /// The folder of a snapshot that is ready.
    pub(crate) async fn snapshot_folder(&self, snapshot: &str) -> PathBuf {
        self.ready(snapshot).await;
        let content = self.content_of(snapshot).await;
        self.cluster.snapshot_folder(content.data["status"]["snapshotHandle"].as_str().unwrap())
    }

    pub(crate) async fn delete_snapshot(&self, name: &str) {
        self.snapshots().delete(name, &DeleteParams::default()).await.unwrap();
    }

    pub(crate) async fn gone(&self, snapshot: &str) {
        let gone = async || self.snapshots().get_opt(snapshot).await.unwrap().is_none().then_some(());
        self.until("the end of the snapshot", gone).await;
    }

    /// The message of the event with this reason about the object of this name, once there is one; and its type.
    pub(crate) async fn event(&self, namespace: &str, name: &str, reason: &str) -> (String, String) {
        let events: Api<Event> = Api::namespaced(self.client.clone(), namespace);
        self.until(reason, async || {
            let fits = |event: &Event| {
                event.involved_object.name.as_deref() == Some(name) && event.reason.as_deref() == Some(reason)
            };
            let all = events.list(&ListParams::default()).await.unwrap();
            all.items.into_iter().find(fits).map(|event| (event.message.unwrap(), event.type_.unwrap()))
        })
        .await
    }
}

/// What every case creates is there already when they share a cluster.
fn shared<T: std::fmt::Debug>(created: kube::Result<T>) {
    match created {
        Err(kube::Error::Api(status)) if status.code == 409 => {}
        created => drop(created.unwrap()),
    }
}

pub(crate) fn finalizers(object: &impl kube::Resource) -> Vec<String> {
    object.finalizers().iter().map(|it| it.rsplit('/').next().unwrap().to_owned()).collect()
}
