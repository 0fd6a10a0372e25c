//! What a restore has begun to change in the target, written there before the first change, so that any machine can go on.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{DeleteParams, ObjectMeta, Patch, PatchParams, PostParams};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::look::Look;
use super::{RestoreFrom, RestoreSettings};
use crate::error::{Error, ErrorKind, Result};
use crate::pause::Patience;

/// Name of the ConfigMap.
pub(super) const NAME: &str = "pachsnap-restore";
const KEY: &str = "record.json";

/// A restore that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct RestoreRecord {
    /// What is restored: a run's id, or the SHA-256 of a stream.
    pub(super) point: String,
    /// By which path.
    pub(super) from: RestoreFrom,
    /// Pods of pachd before the restore.
    pub(super) replicas: i32,
    /// Version of the target's pachd.
    pub(super) pachd_version: String,
    /// The target's cluster id before the restore.
    pub(super) cluster_id: String,
    /// How far the disk is, on the path by its snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) disk: Option<DiskRecord>,
}

/// How far the disk of a restore is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct DiskRecord {
    /// What runs etcd, in words.
    pub(super) workload: String,
    /// Its pods before the restore.
    pub(super) replicas: i32,
    /// The PersistentVolume under etcd before the restore: it is kept.
    pub(super) volume_before: Option<String>,
    /// Whether replacing it was begun: until then everything can be put back.
    pub(super) replaced: bool,
    /// Whether etcd runs on the new one, and was compared.
    pub(super) complete: bool,
}

impl RestoreRecord {
    /// What an earlier attempt has written, or what this one is to write.
    pub(super) fn of(look: &Look, point: &str, from: RestoreFrom) -> Self {
        look.left.clone().unwrap_or_else(|| Self {
            point: point.to_owned(),
            from,
            replicas: look.ground.replicas,
            pachd_version: look.pachd_version.clone(),
            cluster_id: look.cluster_id.clone(),
            disk: None,
        })
    }
}

/// The record in a namespace, if a restore is under way there.
///
/// # Errors
/// Those of Kubernetes; `Busy` for one that can't be read.
pub(super) async fn read(maps: &Api<ConfigMap>) -> Result<Option<RestoreRecord>> {
    let Some(map) = maps.get_opt(NAME).await? else { return Ok(None) };
    let text = map.data.and_then(|mut data| data.remove(KEY)).unwrap_or_default();
    serde_json::from_str(&text).map(Some).map_err(|cause| {
        Error::new(ErrorKind::Busy, format!("ConfigMap {NAME} of an earlier restore can't be read"))
            .because(cause)
            .advise("it was written by another version of pachsnap: go on with that one")
    })
}

/// Writes the record.
///
/// # Errors
/// `Busy` when another one is there; those of Kubernetes.
pub(super) async fn write(maps: &Api<ConfigMap>, record: &RestoreRecord, settings: &RestoreSettings) -> Result<()> {
    Patience::new(settings.stall, settings.poll).call(|| write_once(maps, record)).await
}

async fn write_once(maps: &Api<ConfigMap>, record: &RestoreRecord) -> Result<()> {
    let text = text(record)?;
    let labels = [("app.kubernetes.io/managed-by", "pachsnap"), ("pachsnap.io/restore", record.point.as_str())];
    let labels = labels.map(|(name, value)| (name.to_owned(), value.chars().take(63).collect()));
    let map = ConfigMap {
        metadata: ObjectMeta {
            name: Some(NAME.to_owned()),
            labels: Some(BTreeMap::from(labels)),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([(KEY.to_owned(), text)])),
        ..ConfigMap::default()
    };
    let Err(error) = maps.create(&PostParams::default(), &map).await else { return Ok(()) };
    // The reply may have been lost, or the request repeated on the way.
    match read(maps).await? {
        Some(found) if found == *record => Ok(()),
        Some(found) => {
            Err(Error::new(ErrorKind::Busy, format!("{} is being restored into this namespace", found.point))
                .advise("let that restore end first"))
        }
        None => Err(error.into()),
    }
}

/// Writes a record over the one that is there.
///
/// # Errors
/// Those of Kubernetes.
pub(super) async fn replace(maps: &Api<ConfigMap>, record: &RestoreRecord, settings: &RestoreSettings) -> Result<()> {
    let patch = Patch::Merge(json!({"data": {KEY: text(record)?}}));
    let replace = || async { Ok(maps.patch(NAME, &PatchParams::default(), &patch).await.map(drop)?) };
    Patience::new(settings.stall, settings.poll).call(replace).await
}

fn text(record: &RestoreRecord) -> Result<String> {
    serde_json::to_string_pretty(record)
        .map_err(|cause| Error::new(ErrorKind::Failed, "writing the record of the restore").because(cause))
}

/// Removes the record.
///
/// # Errors
/// Those of Kubernetes. Absent is success.
pub(super) async fn delete(maps: &Api<ConfigMap>, settings: &RestoreSettings) -> Result<()> {
    Patience::new(settings.stall, settings.poll).call(|| delete_once(maps)).await
}

async fn delete_once(maps: &Api<ConfigMap>) -> Result<()> {
    match maps.delete(NAME, &DeleteParams::default()).await {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => Ok(()),
    }
}
