//! Taking away what a drill has made: only what carries its name, and as often as is needed.

use std::sync::Arc;
use std::time::Duration;

use super::record::DrillRecord;
use super::scratch::{bucket, namespace, volumes};
use super::{DrillSettings, plan};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Events, Step};
use crate::job::{Stores, Target};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use provider::Bucket;

/// How long it is waited at least until a namespace is gone: pods may take their time to end, and what is left costs money.
const LEAST_PATIENCE: Duration = Duration::from_secs(300);

/// Takes everything away: the namespace, what is in the bucket, what the vault keeps of the drill. The record goes last, and only
/// when nothing else is left.
///
/// # Errors
/// What could not be taken away first; the rest was tried all the same.
pub(super) async fn tear_down(
    home: &Target,
    record: &DrillRecord,
    stores: &dyn Stores,
    settings: &DrillSettings,
    events: &Events,
) -> Result<()> {
    let work = async {
        // pachd first: it might still write into the bucket.
        let namespace = events.change("delete", format!("namespace {}", record.namespace), async {
            ensure_same_kubernetes(home, record).await?;
            if record.has_disk {
                volumes::release(&home.kubernetes, record, &settings.restore).await?;
            }
            let limit = settings.restore.stall.max(LEAST_PATIENCE);
            namespace::delete(&home.kubernetes, record, limit, settings.restore.poll).await
        });
        namespace.await?;
        let opened: Arc<dyn Bucket> = stores.open_url(&record.bucket)?.bucket;
        let give_back = bucket::give_back(opened.as_ref(), &record.layout, &record.bucket, &record.drill);
        let deleted = events.change("empty", format!("bucket {}", record.bucket), give_back).await?;
        let forget = record.delete(stores, &settings.restore.vault);
        events.change("delete", format!("record of drill {}", record.drill), forget).await?;
        forget_staging(record, settings);
        let text = format!("namespace {} is gone, {deleted} objects are deleted", record.namespace);
        Ok::<_, Error>(((), text))
    };
    events.step(Step::TearDown, work).await
}

/// A namespace of the same name in another Kubernetes is nobody's business.
async fn ensure_same_kubernetes(home: &Target, record: &DrillRecord) -> Result<()> {
    let namespaces: Api<Namespace> = Api::all(home.kubernetes.clone());
    let found = plan::kubernetes_id(&namespaces).await?;
    if found == record.kubernetes {
        return Ok(());
    }
    let message = format!("the scratch cluster of drill {} is in another Kubernetes than this one", record.drill);
    Err(Error::new(ErrorKind::Configuration, message).advise("choose that one with --context or --kubeconfig"))
}

/// Removes this machine's copies of the inventory. They are only in the way: an error costs nothing but room.
fn forget_staging(record: &DrillRecord, settings: &DrillSettings) {
    let folder = settings.restore.staging.join(record.prefix());
    if let Err(error) = std::fs::remove_dir_all(&folder)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(folder = %folder.display(), %error, "a folder could not be removed");
    }
}
