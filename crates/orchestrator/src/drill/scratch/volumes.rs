//! The scratch cluster's disks: they go with their claims, also those that a restore would keep.

use k8s_openapi::api::core::v1::PersistentVolume;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;

use crate::drill::record::DrillRecord;
use crate::error::{Error, Result};
use crate::pause::Patience;
use crate::restore::RestoreSettings;

/// Lets every volume that was bound to a claim of the scratch namespace be deleted with that. Those that administrators made are
/// left to them: nobody but a provisioner deletes a volume by its policy.
///
/// # Errors
/// Those of Kubernetes.
pub(in crate::drill) async fn release(
    kubernetes: &kube::Client,
    record: &DrillRecord,
    settings: &RestoreSettings,
) -> Result<()> {
    let volumes: Api<PersistentVolume> = Api::all(kubernetes.clone());
    let mut patience = Patience::new(settings.stall, settings.poll);
    let all = patience.call(|| async { Ok(volumes.list(&ListParams::default()).await?) }).await?;
    let patch = Patch::Merge(json!({"spec": {"persistentVolumeReclaimPolicy": "Delete"}}));
    for volume in all {
        let claim = volume.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref());
        if claim.and_then(|claim| claim.namespace.as_deref()) != Some(record.namespace.as_str()) {
            continue;
        }
        let name = volume.name_any();
        let release = || async {
            match volumes.patch(&name, &PatchParams::default(), &patch).await {
                Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
                released => released.map(drop).map_err(Error::from),
            }
        };
        patience.call(release).await?;
    }
    Ok(())
}
