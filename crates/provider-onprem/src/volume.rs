//! Snapshots of CSI volumes, by the cluster's own VolumeSnapshot API.
//!
//! A volume is named by its claim, a snapshot by its VolumeSnapshot, both in one namespace. The point in time is the
//! content's `creationTime`; the snapshot can be used once it says `readyToUse`, which may be much later.

mod binding;
mod class;
mod cut;
mod import;
mod objects;
mod problem;
mod quantity;
mod restore;
mod source;
mod tags;

use std::fmt;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::{Event, PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::{Api, Client};
use provider::{
    CreateVolumeRequest, CutRequest, Error, ErrorKind, ImportRequest, Owner, RestoredVolume, Result, SnapshotId,
    SnapshotState, SnapshotStatus, VolumeCapabilities, VolumeFacts, VolumeId, VolumeSnapshot, VolumeSnapshots,
};
use serde_json::json;
use tokio::time::Instant;

pub use problem::SnapshotProblem;

use crate::client::Objects;
use crate::config::{CsiOptions, DeletionPolicy};
use binding::{Binding, DELETE, RETAIN};
use objects::{VolumeSnapshotClass, VolumeSnapshotContent};

/// The CSI snapshots of one namespace.
pub struct CsiSnapshots {
    namespace: String,
    options: CsiOptions,
    snapshots: Objects<objects::VolumeSnapshot>,
    contents: Objects<VolumeSnapshotContent>,
    classes: Objects<VolumeSnapshotClass>,
    claims: Objects<PersistentVolumeClaim>,
    volumes: Objects<PersistentVolume>,
    storage_classes: Objects<StorageClass>,
    events: Objects<Event>,
}

impl CsiSnapshots {
    /// The snapshots of a namespace, with the rights of this client. Asks nothing yet.
    #[must_use]
    pub fn new(client: &Client, namespace: &str, options: CsiOptions) -> Self {
        Self {
            namespace: namespace.to_owned(),
            options,
            snapshots: Objects::new(Api::namespaced(client.clone(), namespace), "volumesnapshots"),
            contents: Objects::new(Api::all(client.clone()), "volumesnapshotcontents"),
            classes: Objects::new(Api::all(client.clone()), "volumesnapshotclasses"),
            claims: Objects::new(Api::namespaced(client.clone(), namespace), "persistentvolumeclaims"),
            volumes: Objects::new(Api::all(client.clone()), "persistentvolumes"),
            storage_classes: Objects::new(Api::all(client.clone()), "storageclasses"),
            events: Objects::new(Api::namespaced(client.clone(), namespace), "events"),
        }
    }

    fn resource(&self, id: &SnapshotId) -> String {
        format!("VolumeSnapshot {}/{}", self.namespace, id.0)
    }

    /// A snapshot that is there.
    async fn existing(&self, operation: &'static str, id: &SnapshotId) -> Result<objects::VolumeSnapshot> {
        let missing = || Error::new(ErrorKind::NotFound, operation, self.resource(id));
        self.snapshots.get(&id.0).await?.ok_or_else(missing)
    }
}

impl fmt::Debug for CsiSnapshots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CsiSnapshots")
            .field("namespace", &self.namespace)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl VolumeSnapshots for CsiSnapshots {
    fn capabilities(&self) -> VolumeCapabilities {
        VolumeCapabilities { cut_identity: true, independent_of_source: false, progress: false }
    }

    async fn inspect(&self, volume: &VolumeId) -> Result<VolumeFacts> {
        let source = self.source_of("inspect", volume).await?;
        let class = self.class_for("inspect", &source).await?;
        let mut cautions = Vec::new();
        if class.deletion_policy == DELETE && self.options.deletion == DeletionPolicy::OfClass {
            cautions.push(format!(
                "VolumeSnapshotClass {} has deletionPolicy Delete: the snapshot of {} goes with its VolumeSnapshot, and so with \
                 namespace {}; snapshot.volume-deletion-policy = \"retain\" keeps it",
                class.name, volume.0, self.namespace
            ));
        } else {
            cautions.push(format!(
                "the snapshot of {} is kept when namespace {} is deleted, but then only its VolumeSnapshotContent and the \
                 manifest name it",
                volume.0, self.namespace
            ));
        }
        cautions.push(format!(
            "the snapshot of {} lives in the storage system of driver {}: what destroys that destroys both; etcd's own snapshot \
             in the vault does not depend on it",
            volume.0, source.driver
        ));
        Ok(VolumeFacts { size: source.size, cautions })
    }

    async fn cut(&self, request: &CutRequest) -> Result<VolumeSnapshot> {
        self.cut_within(request).await
    }

    async fn status(&self, snapshot: &SnapshotId) -> Result<SnapshotStatus> {
        let found = self.existing("status", snapshot).await?;
        if found.metadata.deletion_timestamp.is_some() {
            return Ok(failed("it is being deleted".to_owned()));
        }
        // Bound to another's content, which waiting does not mend, whether it says to be ready or not.
        let bound = match self.binding("status", &found).await {
            Ok(binding) => matches!(binding, Binding::Bound(_)),
            Err(error) if error.kind() == ErrorKind::Corrupt => return Ok(failed(reason(&error))),
            Err(error) => return Err(error),
        };
        let ready = found.status.as_ref().and_then(|status| status.ready_to_use) == Some(true);
        let state = if bound && ready { SnapshotState::Ready } else { SnapshotState::Pending { percent: None } };
        Ok(SnapshotStatus { state, stored_bytes: None, trouble: cut::error_of(&found).filter(|_| !ready) })
    }

    async fn import(&self, request: &ImportRequest) -> Result<SnapshotId> {
        self.import_within(request).await
    }

    async fn forget(&self, imported: &SnapshotId) -> Result<()> {
        self.forget_import(imported).await
    }

    async fn create_volume(&self, request: &CreateVolumeRequest) -> Result<RestoredVolume> {
        self.restore(request).await
    }

    async fn delete(&self, snapshot: &SnapshotId) -> Result<()> {
        let Some(found) = self.snapshots.get(&snapshot.0).await? else { return Ok(()) };
        let refused = |problem| Error::new(ErrorKind::Denied, "delete", self.resource(snapshot)).with_source(problem);
        if tags::owner_of(&found.metadata).is_none() {
            return Err(refused(SnapshotProblem::NotOurs));
        }
        if tags::is_imported(&found.metadata) {
            return self.forget_import(snapshot).await;
        }
        let content = self.own_content("delete", &found).await?;
        let content_name = content.as_ref().and_then(|content| content.metadata.name.clone());
        if let (Some(content), Some(name)) = (&content, &content_name)
            && content.spec.deletion_policy == RETAIN
        {
            self.contents.merge(name, &json!({"spec": {"deletionPolicy": DELETE}})).await?;
        }
        self.snapshots.delete(&snapshot.0).await?;
        self.wait_until_gone(snapshot, content_name.as_deref()).await
    }

    async fn list(&self, owner: &Owner) -> Result<Vec<VolumeSnapshot>> {
        let found = self.snapshots.list(&tags::selector(owner)).await?;
        let mut listed = Vec::new();
        for snapshot in found {
            if tags::owner_of(&snapshot.metadata).is_some_and(|other| owner.covers(&other)) {
                listed.push(self.told(&snapshot).await?);
            }
        }
        Ok(listed)
    }
}

impl CsiSnapshots {
    /// Waits until a snapshot and its content are gone, and with them the data in the storage system.
    async fn wait_until_gone(&self, snapshot: &SnapshotId, content: Option<&str>) -> Result<()> {
        let ends = Instant::now() + self.options.delete_limit;
        loop {
            let content_is_there = match content {
                Some(name) => self.contents.get(name).await?.is_some(),
                None => false,
            };
            if !content_is_there && self.snapshots.get(&snapshot.0).await?.is_none() {
                return Ok(());
            }
            if Instant::now() >= ends {
                let problem = SnapshotProblem::StillThere { seconds: self.options.delete_limit.as_secs() };
                return Err(Error::new(ErrorKind::Timeout, "delete", self.resource(snapshot)).with_source(problem));
            }
            tokio::time::sleep(self.options.poll).await;
        }
    }
}

fn failed(reason: String) -> SnapshotStatus {
    SnapshotStatus { state: SnapshotState::Failed { reason }, stored_bytes: None, trouble: None }
}

/// An error's cause in words.
fn reason(error: &Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}
