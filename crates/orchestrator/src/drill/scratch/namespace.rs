//! The scratch cluster's namespace: made with the drill's name on it, and deleted only with that.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DeleteParams, PostParams, Preconditions};
use kube::{Api, ResourceExt};
use serde_json::json;

use crate::drill::record::DrillRecord;
use crate::error::{Error, ErrorKind, Result};
use crate::pause::Patience;

/// Makes the namespace.
///
/// # Errors
/// Those of Kubernetes; `Busy` when one of that name is somebody else's.
pub(super) async fn create(kubernetes: &kube::Client, record: &DrillRecord, mut patience: Patience) -> Result<()> {
    let namespaces: Api<Namespace> = Api::all(kubernetes.clone());
    let labels = json!({"app.kubernetes.io/managed-by": "pachsnap", DrillRecord::LABEL: record.drill.as_str()});
    let namespace = json!({"metadata": {"name": record.namespace, "labels": labels}});
    let namespace: Namespace = serde_json::from_value(namespace)
        .map_err(|cause| Error::new(ErrorKind::Failed, "writing the scratch namespace").because(cause))?;
    let create = || async {
        match namespaces.create(&PostParams::default(), &namespace).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 409 => {
                let found = namespaces.get(&record.namespace).await?;
                if is_of(&found, record) { Ok(()) } else { Err(not_ours(record)) }
            }
            Err(error) => Err(error.into()),
        }
    };
    patience.call(create).await
}

fn is_of(namespace: &Namespace, record: &DrillRecord) -> bool {
    namespace.labels().get(DrillRecord::LABEL).is_some_and(|drill| drill == record.drill.as_str())
}

fn not_ours(record: &DrillRecord) -> Error {
    let name = &record.namespace;
    Error::new(ErrorKind::Busy, format!("namespace {name} does not carry the label of drill {}", record.drill))
        .advise(format!("it is not touched: see `kubectl get namespace {name} --show-labels`"))
}

/// Deletes the namespace with everything in it, and waits until it is gone. Absent is success.
///
/// # Errors
/// `Busy` when it doesn't carry the drill's name; `Deadline` when it stays; those of Kubernetes.
pub(in crate::drill) async fn delete(
    kubernetes: &kube::Client,
    record: &DrillRecord,
    limit: Duration,
    poll: Duration,
) -> Result<()> {
    let namespaces: Api<Namespace> = Api::all(kubernetes.clone());
    let began = Instant::now();
    let mut sent = false;
    loop {
        let found = match namespaces.get_opt(&record.namespace).await {
            Ok(None) => return Ok(()),
            Ok(Some(found)) => found,
            Err(error) if began.elapsed() > limit => return Err(error.into()),
            // An API server that is away comes back, and what is left costs money.
            Err(_) => {
                tokio::time::sleep(poll).await;
                continue;
            }
        };
        if !is_of(&found, record) {
            return Err(not_ours(record));
        }
        if began.elapsed() > limit {
            let (name, seconds) = (&record.namespace, limit.as_secs());
            return Err(Error::new(ErrorKind::Deadline, format!("namespace {name} is still there after {seconds} s"))
                .advise(format!("see `kubectl get namespace {name} -o yaml`: its conditions say what keeps it")));
        }
        if !sent && found.metadata.deletion_timestamp.is_none() {
            // Only this one: another of the same name would not be ours.
            let this = Preconditions { uid: found.metadata.uid.clone(), resource_version: None };
            let parameters = DeleteParams { preconditions: Some(this), ..DeleteParams::background() };
            sent = namespaces.delete(&record.namespace, &parameters).await.is_ok();
        }
        tokio::time::sleep(poll).await;
    }
}
