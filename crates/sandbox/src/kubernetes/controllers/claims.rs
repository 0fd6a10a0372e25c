//! Claims of the sandbox's driver get a volume of their own, empty or from a snapshot; with the claim the volume goes.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::csi_calls::call;
use super::events::{self, Kind};
use super::pace::{Paces, Step, StorageTiming};
use super::protection::has_pod;
use super::quantity;
use super::snapshot_sources as sources;
use super::{is_terminating, snapshot, text, uid};
use crate::kubernetes::csi::{CSI_DRIVER, CsiCall, CsiDriver};
use crate::kubernetes::objects;
use crate::kubernetes::resource_types;
use crate::kubernetes::store::{ObjectKey, State, Store};

const CLASS: &str = "volume.beta.kubernetes.io/storage-class";
const DEFAULT_CLASS: &str = "storageclass.kubernetes.io/is-default-class";
const PROVISIONER: &str = "volume.kubernetes.io/storage-provisioner";
const OLD_PROVISIONER: &str = "volume.beta.kubernetes.io/storage-provisioner";
const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";

/// One step for each claim and each released volume whose time has come. Returns when the next is due.
pub(super) async fn advance(
    store: &Store,
    driver: &Arc<CsiDriver>,
    paces: &mut Paces,
    timing: StorageTiming,
) -> Option<Instant> {
    if !driver.is_served() {
        return None;
    }
    let (claims, volumes) = store.with(|state| {
        let claims = snapshot(state, resource_types::named("persistentvolumeclaims"));
        (claims, snapshot(state, resource_types::named("persistentvolumes")))
    });
    let waiting = claims.iter().filter(|(_, claim)| {
        claim["status"]["phase"] == "Pending" && claim["spec"]["volumeName"].is_null() && !is_terminating(claim)
    });
    let released = volumes.iter().filter(|(_, volume)| {
        volume["status"]["phase"] == "Released"
            && volume["spec"]["persistentVolumeReclaimPolicy"] == "Delete"
            && volume["metadata"]["annotations"][PROVISIONED_BY] == CSI_DRIVER
    });
    let all: Vec<_> = waiting.chain(released).collect();
    let mut next: Option<Instant> = None;
    for (key, object) in &all {
        if paces.is_due(object, timing) {
            let step = match object["kind"] == "PersistentVolume" {
                true => remove(store, driver, paces, key, object).await,
                false => provision(store, driver, paces, key, object).await,
            };
            store.with(|state| paces.note(state, key, object, step, timing));
            if let Step::Calling(end) = step {
                next = Some(next.map_or(end, |it| it.min(end)));
            }
        }
    }
    let due = paces.next(all.iter().map(|(_, object)| &**object));
    due.into_iter().chain(next).min()
}

async fn remove(store: &Store, driver: &Arc<CsiDriver>, paces: &mut Paces, key: &ObjectKey, volume: &Value) -> Step {
    if let Some(end) = paces.call(volume, driver.delay_of(CsiCall::DeleteVolume)) {
        return Step::Calling(end);
    }
    let handle = text(&volume["spec"]["csi"], "volumeHandle").to_owned();
    let removed = call(driver, move |driver| driver.remove_volume(&handle)).await;
    store.with(|state| match removed {
        Ok(()) => {
            // Somebody may have deleted it meanwhile, which is what was wanted.
            let _ = objects::delete(state, resource_types::named("persistentvolumes"), key, &Value::Null, false);
            Step::Moved
        }
        Err(error) => {
            events::tell(state, volume, Kind::Warning, "VolumeFailedDelete", &error.to_string());
            Step::Retry
        }
    })
}

/// What is to be made for a claim.
struct Request {
    class: Arc<Value>,
    bytes: u64,
    snapshot: Option<String>,
}

async fn provision(store: &Store, driver: &Arc<CsiDriver>, paces: &mut Paces, key: &ObjectKey, claim: &Value) -> Step {
    let request = match store.with(|state| prepare(state, key, claim)) {
        Ok(request) => request,
        Err(step) => return step,
    };
    if let Some(end) = paces.call(claim, driver.delay_of(CsiCall::CreateVolume)) {
        return Step::Calling(end);
    }
    let name = format!("pvc-{}", uid(claim));
    let (handle, bytes, snapshot) = (name.clone(), request.bytes, request.snapshot.clone());
    let made = call(driver, move |driver| driver.provision(&handle, bytes, snapshot.as_deref())).await;
    store.with(|state| match made {
        Ok(()) => {
            let volume = volume(claim, &request, &name);
            let volumes = resource_types::named("persistentvolumes");
            if let Err(error) = objects::create(state, volumes, "", volume, false, false) {
                tracing::debug!(%error, name, "a volume could not be stored");
                return Step::Retry;
            }
            let message = format!("Successfully provisioned volume {name}");
            events::tell(state, claim, Kind::Normal, "ProvisioningSucceeded", &message);
            Step::Moved
        }
        Err(error) => {
            events::tell(state, claim, Kind::Warning, "ProvisioningFailed", &error.to_string());
            Step::Retry
        }
    })
}

/// Everything that comes before the driver is called.
fn prepare(state: &mut State, key: &ObjectKey, claim: &Value) -> Result<Request, Step> {
    let class = class(state, claim).filter(|class| class["provisioner"] == CSI_DRIVER).ok_or(Step::Rest)?;
    if class["volumeBindingMode"] == "WaitForFirstConsumer" && !has_pod(state, claim) {
        return Err(Step::Rest);
    }
    if claim["metadata"]["annotations"][PROVISIONER].is_null() {
        let mut asked = Value::clone(claim);
        if claim["metadata"]["annotations"][CLASS].is_null() {
            asked["spec"]["storageClassName"] = class["metadata"]["name"].clone();
        }
        for annotation in [PROVISIONER, OLD_PROVISIONER] {
            asked["metadata"]["annotations"][annotation] = json!(CSI_DRIVER);
        }
        state.put(key.clone(), asked);
        let message = format!(
            "Waiting for a volume to be created either by the external provisioner '{CSI_DRIVER}' or manually by the \
             system administrator. If volume creation is delayed, please verify that the provisioner is running and \
             correctly registered."
        );
        events::tell(state, claim, Kind::Normal, "ExternalProvisioning", &message);
        let name = format!("{}/{}", text(&claim["metadata"], "namespace"), text(&claim["metadata"], "name"));
        let message = format!("External provisioner is provisioning volume for claim {name:?}");
        events::tell(state, claim, Kind::Normal, "Provisioning", &message);
        return Err(Step::Moved);
    }
    let bytes = quantity::bytes(text(&claim["spec"]["resources"]["requests"], "storage")).unwrap_or_default();
    let source = &claim["spec"]["dataSource"];
    let snapshot = match text(source, "kind") {
        "" => Ok(None),
        "VolumeSnapshot" => snapshot_handle(state, claim, &class, bytes).map(Some),
        kind => Err(format!("the source kind {kind} is not supported")),
    };
    match snapshot {
        Ok(snapshot) => Ok(Request { class, bytes, snapshot }),
        Err(why) => {
            let (kind, name) = (text(source, "kind"), text(source, "name"));
            let message = format!("error getting handle for DataSource Type {kind} by Name {name}: {why}");
            events::tell(state, claim, Kind::Warning, "ProvisioningFailed", &message);
            Err(Step::Retry)
        }
    }
}

fn class(state: &State, claim: &Value) -> Option<Arc<Value>> {
    let classes = resource_types::named("storageclasses");
    let named = claim["spec"]["storageClassName"].as_str().or(claim["metadata"]["annotations"][CLASS].as_str());
    match named {
        Some(name) => state.get(&ObjectKey::new(classes, "", name)).cloned(),
        None => {
            let is_default = |class: &Value| class["metadata"]["annotations"][DEFAULT_CLASS] == "true";
            state.list(classes, None).find(|(_, class)| is_default(class)).map(|(_, class)| class.clone())
        }
    }
}

/// The handle of the snapshot that a claim is to be made from, after all checks.
fn snapshot_handle(state: &State, claim: &Value, class: &Value, bytes: u64) -> Result<String, String> {
    let name = text(&claim["spec"]["dataSource"], "name");
    let resource = resource_types::named("volumesnapshots");
    let key = ObjectKey::new(resource, text(&claim["metadata"], "namespace"), name);
    let Some(snapshot) = state.get(&key) else {
        let why = format!("{} \"{name}\" not found", resource.qualified());
        return Err(format!("error getting snapshot {name} from api server: {why}"));
    };
    let status = &snapshot["status"];
    let Some(bound) = status["boundVolumeSnapshotContentName"].as_str() else {
        return Err(format!("snapshot {name} not bound"));
    };
    let content = sources::content_named(state, bound)
        .ok_or_else(|| format!("error getting snapshotcontent {bound} for snapshot {name}"))?;
    if content["spec"]["volumeSnapshotRef"]["uid"] != snapshot["metadata"]["uid"] {
        return Err(format!("snapshotcontent {bound} for snapshot {name} is bound to a different snapshot"));
    }
    if content["spec"]["driver"] != class["provisioner"] {
        let class = text(&class["metadata"], "name");
        return Err(format!(
            "snapshotcontent {bound} for snapshot {name} is not handled by CSI driver of StorageClass {class}"
        ));
    }
    if status["readyToUse"] != true {
        return Err(format!("snapshot {name} is not Ready"));
    }
    let handle = content["status"]["snapshotHandle"].as_str();
    let handle = handle.ok_or_else(|| format!("snapshot handle {name} is not available"))?;
    let least = status["restoreSize"].as_str().and_then(quantity::bytes).unwrap_or_default();
    if bytes < least {
        return Err(format!(
            "requested volume size {bytes} is less than the size {least} for the source snapshot {name}"
        ));
    }
    Ok(handle.to_owned())
}

/// The PersistentVolume of a claim. It names the claim, so that it is bound to no other.
fn volume(claim: &Value, request: &Request, name: &str) -> Value {
    let class = &request.class;
    json!({
        "metadata": {"name": name, "annotations": {PROVISIONED_BY: CSI_DRIVER}},
        "spec": {
            "accessModes": claim["spec"]["accessModes"],
            "capacity": {"storage": quantity::text(request.bytes)},
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "name": claim["metadata"]["name"],
                "namespace": claim["metadata"]["namespace"],
                "uid": claim["metadata"]["uid"],
            },
            "csi": {"driver": CSI_DRIVER, "volumeHandle": name},
            "persistentVolumeReclaimPolicy": class["reclaimPolicy"].as_str().unwrap_or("Delete"),
            "storageClassName": class["metadata"]["name"],
            "volumeMode": claim["spec"]["volumeMode"].as_str().unwrap_or("Filesystem"),
        },
    })
}
