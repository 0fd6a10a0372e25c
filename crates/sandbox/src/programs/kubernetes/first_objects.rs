//! What a bench has from the start: the kinds of snapshots, classes, a node.

use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::core::v1::Node;
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::PostParams;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::csi_driver::DRIVER;
use crate::programs::ProgramError;

/// The node on which all pods have to be: there is no scheduler, a pod template names it in `nodeName`.
pub const NODE: &str = "n1";
/// The StorageClass whose claims the CSI driver serves; the default one.
pub const STORAGE_CLASS: &str = "csidir";
/// The VolumeSnapshotClass whose snapshots go with their VolumeSnapshot; the default one.
pub const DELETE_CLASS: &str = "csidir";
/// The VolumeSnapshotClass whose snapshots stay.
pub const RETAIN_CLASS: &str = "csidir-retain";

fn refused(what: &str) -> impl FnOnce(kube::Error) -> ProgramError {
    move |source| ProgramError::Api { what: what.to_owned(), source: Box::new(source) }
}

async fn create<K>(api: &Api<K>, what: &str, object: Value) -> Result<(), ProgramError>
where
    K: Resource + Clone + DeserializeOwned + Serialize + std::fmt::Debug,
{
    let object = serde_json::from_value(object).map_err(|error| refused(what)(kube::Error::SerdeError(error)))?;
    api.create(&PostParams::default(), &object).await.map(drop).map_err(refused(what))
}

/// Creates the kinds of snapshots as their project publishes them, and waits until they are served.
pub(super) async fn create_snapshot_kinds(client: &Client, folder: &Path) -> Result<(), ProgramError> {
    let kinds = Api::<CustomResourceDefinition>::all(client.clone());
    let unreadable = || format!("{} can't be read", folder.display());
    for entry in std::fs::read_dir(folder).map_err(ProgramError::io(unreadable()))? {
        let path = entry.map_err(ProgramError::io(unreadable()))?.path();
        let text = std::fs::read(&path).map_err(ProgramError::io(unreadable()))?;
        let kind: CustomResourceDefinition = serde_yaml_ng::from_slice(&text)
            .map_err(|error| ProgramError::io(unreadable())(std::io::Error::other(error)))?;
        kinds.create(&PostParams::default(), &kind).await.map_err(refused("a kind of snapshots"))?;
    }
    loop {
        let list = kinds.list(&kube::api::ListParams::default()).await.map_err(refused("the kinds of snapshots"))?;
        let established = |kind: &CustomResourceDefinition| {
            let conditions = kind.status.as_ref().and_then(|status| status.conditions.as_ref());
            conditions.into_iter().flatten().any(|it| it.type_ == "Established" && it.status == "True")
        };
        if list.items.iter().all(established) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Creates the StorageClass and the two VolumeSnapshotClasses. The first of these takes 2 s: so long the API server holds
/// the first write of a new kind.
pub(super) async fn create_classes(client: &Client) -> Result<(), ProgramError> {
    let storage_class = json!({
        "metadata": {"name": STORAGE_CLASS, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": DRIVER,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",
    });
    create(&Api::<StorageClass>::all(client.clone()), "the StorageClass", storage_class).await?;

    let kind = GroupVersionKind::gvk("snapshot.storage.k8s.io", "v1", "VolumeSnapshotClass");
    let resource = ApiResource::from_gvk_with_plural(&kind, "volumesnapshotclasses");
    let classes = Api::<DynamicObject>::all_with(client.clone(), &resource);
    for (name, policy) in [(DELETE_CLASS, "Delete"), (RETAIN_CLASS, "Retain")] {
        let is_default = if name == DELETE_CLASS { "true" } else { "false" };
        let class = json!({
            "apiVersion": "snapshot.storage.k8s.io/v1",
            "kind": "VolumeSnapshotClass",
            "metadata": {
                "name": name,
                "annotations": {"snapshot.storage.kubernetes.io/is-default-class": is_default},
            },
            "driver": DRIVER,
            "deletionPolicy": policy,
        });
        let class = serde_json::from_value(class)
            .map_err(|error| refused("a VolumeSnapshotClass")(kube::Error::SerdeError(error)))?;
        classes.create(&PostParams::default(), &class).await.map_err(refused("a VolumeSnapshotClass"))?;
    }
    Ok(())
}

/// Creates the node and waits until kwok calls it ready.
pub(super) async fn create_node(client: &Client) -> Result<(), ProgramError> {
    let nodes = Api::<Node>::all(client.clone());
    create(&nodes, "the node", json!({"metadata": {"name": NODE}})).await?;
    loop {
        let node = nodes.get(NODE).await.map_err(refused("the node"))?;
        let conditions = node.status.and_then(|status| status.conditions).unwrap_or_default();
        if conditions.iter().any(|it| it.type_ == "Ready" && it.status == "True") {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
