//! The objects of `snapshot.storage.k8s.io/v1`, as far as they are used: the API of the CSI external-snapshotter.

use kube::CustomResource;
use serde::{Deserialize, Serialize};

/// The group of these objects.
pub(super) const GROUP: &str = "snapshot.storage.k8s.io";

/// What a VolumeSnapshot asks for.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "snapshot.storage.k8s.io",
    version = "v1",
    kind = "VolumeSnapshot",
    namespaced,
    status = "VolumeSnapshotStatus",
    schema = "disabled"
)]
#[serde(rename_all = "camelCase")]
pub(super) struct VolumeSnapshotSpec {
    pub(super) source: VolumeSnapshotSource,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) volume_snapshot_class_name: Option<String>,
}

/// What is snapshotted, or which snapshot of the storage system this stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VolumeSnapshotSource {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) persistent_volume_claim_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) volume_snapshot_content_name: Option<String>,
}

/// How far it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VolumeSnapshotStatus {
    pub(super) bound_volume_snapshot_content_name: Option<String>,
    /// RFC 3339, whole seconds.
    pub(super) creation_time: Option<String>,
    pub(super) ready_to_use: Option<bool>,
    /// A quantity.
    pub(super) restore_size: Option<String>,
    pub(super) error: Option<SnapshotError>,
}

/// What went wrong last. No error is final: the controllers try again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SnapshotError {
    pub(super) message: Option<String>,
}

/// The snapshot of the storage system behind a VolumeSnapshot.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "snapshot.storage.k8s.io",
    version = "v1",
    kind = "VolumeSnapshotContent",
    status = "VolumeSnapshotContentStatus",
    schema = "disabled"
)]
#[serde(rename_all = "camelCase")]
pub(super) struct VolumeSnapshotContentSpec {
    pub(super) deletion_policy: String,
    pub(super) driver: String,
    #[serde(default)]
    pub(super) source: ContentSource,
    pub(super) volume_snapshot_class_name: Option<String>,
    pub(super) volume_snapshot_ref: SnapshotReference,
}

/// What the content was made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ContentSource {
    pub(super) volume_handle: Option<String>,
    pub(super) snapshot_handle: Option<String>,
}

/// The VolumeSnapshot that a content belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SnapshotReference {
    pub(super) name: Option<String>,
    pub(super) namespace: Option<String>,
    pub(super) uid: Option<String>,
}

/// What the driver said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VolumeSnapshotContentStatus {
    /// Nanoseconds since 1970.
    pub(super) creation_time: Option<i64>,
    pub(super) ready_to_use: Option<bool>,
    /// Bytes.
    pub(super) restore_size: Option<i64>,
    pub(super) snapshot_handle: Option<String>,
    pub(super) error: Option<SnapshotError>,
}

/// How snapshots of a driver's volumes are made. A class has no `spec`: its fields are at the top.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[kube(group = "snapshot.storage.k8s.io", version = "v1", kind = "VolumeSnapshotClass", schema = "disabled", no_spec)]
#[serde(rename_all = "camelCase")]
pub(super) struct VolumeSnapshotClassFields {
    pub(super) driver: String,
    pub(super) deletion_policy: String,
}
