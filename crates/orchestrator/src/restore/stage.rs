//! How far a restore is, and what its failure there means for the target.

use std::sync::{Mutex, PoisonError};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;

use super::look::Look;
use super::record::NAME;
use super::{RestoreSettings, pachd, record, volume};
use crate::clone::CloneError;
use crate::error::Error;
use crate::event::{Events, Step};
use crate::job::Target;
use crate::outcome::Failure;

/// What a restore has begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    /// It has changed nothing.
    #[default]
    Nothing,
    /// It fills the bucket.
    Bucket,
    /// It has written its record, and stops pachd. etcd is untouched.
    Stopping,
    /// It puts another disk under etcd; pachd is stopped.
    Replacing,
    /// It fills etcd, whose pachd is stopped.
    Filling,
    /// etcd is complete, and pachd is started and looked at.
    Starting,
    /// pachd replays the stream.
    Replaying,
    /// The stream was replayed and is compared.
    Replayed,
    /// Everything is back; pipelines are started.
    Restored,
}

/// The stage that a restore is in, known also when it is cancelled.
#[derive(Debug, Default)]
pub(super) struct Stages(Mutex<Stage>);

impl Stages {
    pub(super) fn enter(&self, stage: Stage) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = stage;
    }

    fn now(&self) -> Stage {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What this error means. A pachd that was stopped for nothing is started again.
    pub(super) async fn failure(
        &self,
        error: Error,
        target: &Target,
        look: &Look,
        settings: &RestoreSettings,
        events: &Events,
    ) -> Failure {
        let cause = std::error::Error::source(&error).and_then(|cause| cause.downcast_ref::<CloneError>());
        let refused = cause.is_some_and(CloneError::is_refusal);
        let state = match self.now() {
            Stage::Nothing => return Failure::untouched(error),
            Stage::Bucket if refused => return Failure::untouched(error),
            Stage::Bucket => {
                "The target's bucket is filled in part; nothing else of the target was changed. The same command goes on."
                    .to_owned()
            }
            Stage::Stopping => put_back(target, look, settings, events).await,
            Stage::Replacing => format!(
                "The target's etcd is not proven to run on its new disk, so its pachd stays stopped (Deployment {} at 0). The disk \
                 that it had is kept: ConfigMap {NAME} names its PersistentVolume. The same command goes on, from any machine.",
                look.ground.deployment
            ),
            Stage::Filling => format!(
                "The target's etcd is half filled, so its pachd stays stopped (Deployment {} at 0). The same command goes on, \
                 from any machine.",
                look.ground.deployment
            ),
            Stage::Starting => {
                "The target's etcd is complete, but its pachd was not seen to serve it. The same command goes on.".to_owned()
            }
            Stage::Replaying => format!(
                "The target holds a part of the stream, and a replay can't be gone on with: wipe it (`pachctl delete all`, or a \
                 new, empty etcd), then run the same command. The bucket stays. To give up, also `kubectl delete configmap {NAME}`."
            ),
            Stage::Replayed => format!(
                "The stream was replayed, but what came back was not proven to be what the recovery point says. To try again, wipe \
                 the target (`pachctl delete all`), then run the same command; else `kubectl delete configmap {NAME}`."
            ),
            Stage::Restored => {
                "The cluster is restored. Not every pipeline was started: see `pachctl list pipeline`, and start what is missing \
                 with `pachctl start pipeline`, upstream first."
                    .to_owned()
            }
        };
        Failure::of_restore(error, state)
    }
}

/// Starts a pachd again that was stopped before anything else was changed.
async fn put_back(target: &Target, look: &Look, settings: &RestoreSettings, events: &Events) -> String {
    let left = record::read(&Api::namespaced(target.kubernetes.clone(), &target.namespace)).await.ok().flatten();
    let disk = left.as_ref().and_then(|left| left.disk.as_ref());
    let replicas = look.left.as_ref().map_or(look.ground.replicas, |left| left.replicas);
    let maps: Api<ConfigMap> = Api::namespaced(target.kubernetes.clone(), &target.namespace);
    let put_back = async {
        if let (Some(workload), Some(disk)) = (&look.ground.etcd_workload, disk) {
            volume::scale(workload, disk.replicas, settings, events).await?;
        }
        events.step(Step::StartPachd, pachd::start(target, &look.ground, replicas, settings, events)).await?;
        record::delete(&maps, settings).await
    };
    match put_back.await {
        Ok(()) => "The target's bucket is filled, its etcd is untouched, and its pachd runs as before. The same command goes on."
            .to_owned(),
        Err(error) => {
            let deployment = &look.ground.deployment;
            format!(
                "The target's etcd is untouched, but its pachd could not be started again ({}). The same command goes on; to give \
                 up: `kubectl scale deployment {deployment} --replicas={replicas}` and `kubectl delete configmap {NAME}`.",
                crate::error::chain(&error)
            )
        }
    }
}
