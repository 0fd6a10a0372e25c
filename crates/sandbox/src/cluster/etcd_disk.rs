//! etcd on its disk: whichever volume is under its pod's claim holds what it serves, as a node that mounts it would have it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{ETCD_DATABASE, write_database};
use crate::kubernetes::{CsiDriver, ForwardTarget, KubernetesView};
use crate::pachd::{PachdServer, etcd};

/// How soon pods are looked at again after a change.
const SETTLE: Duration = Duration::from_millis(5);
const PORT: u16 = 2379;

/// etcd's only member and the disk under it.
#[derive(Clone)]
pub(super) struct EtcdDisk {
    pub(super) kubernetes: KubernetesView,
    pub(super) namespace: String,
    pub(super) csi: Arc<CsiDriver>,
    pub(super) address: SocketAddr,
    pub(super) disk: MountedDisk,
}

/// What a member of etcd serves, and the volume that it is on.
#[derive(Clone)]
pub(super) struct MountedDisk {
    pub(super) store: Arc<etcd::Store>,
    pub(super) member: etcd::Identity,
    /// Handle of the volume whose content is served; empty before the first is there, which is taken for that.
    pub(super) mounted: Arc<Mutex<String>>,
}

impl EtcdDisk {
    /// Follows etcd's pod until the guard is dropped: while there is none nobody reaches etcd, and one on another volume serves
    /// what is on that.
    pub(super) fn start(self) -> DropGuard {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = stopped.cancelled() => {}
                () = self.run() => {}
            }
        });
        stop.drop_guard()
    }

    async fn run(self) {
        let mut changes = self.kubernetes.changes();
        let mut reached = true;
        loop {
            match self.handle_under_pod() {
                None if reached => {
                    self.kubernetes.remove_forward(&self.target(), PORT);
                    reached = false;
                }
                Some(handle) => {
                    self.disk.mount(&handle, |handle| self.csi.volume_folder(handle));
                    if !reached {
                        self.kubernetes.set_forward(self.target(), PORT, self.address);
                        reached = true;
                    }
                }
                None => {}
            }
            if changes.changed().await.is_err() {
                return;
            }
            tokio::time::sleep(SETTLE).await;
        }
    }

    fn target(&self) -> ForwardTarget {
        ForwardTarget::from("app=etcd").in_namespace(&self.namespace)
    }

    /// The volume under the claim of etcd's pod; none while there is no pod that runs on a volume.
    fn handle_under_pod(&self) -> Option<String> {
        let pods = self.kubernetes.objects("pods", Some(&self.namespace));
        let runs = |pod: &&Value| {
            pod["metadata"]["labels"]["app"] == "etcd"
                && pod["status"]["phase"] == "Running"
                && pod["metadata"]["deletionTimestamp"].is_null()
        };
        let pod = pods.iter().find(runs)?;
        let claim = claim_of(pod)?;
        let claim = self.kubernetes.object("persistentvolumeclaims", &self.namespace, claim)?;
        let volume = self.kubernetes.object("persistentvolumes", "", claim["spec"]["volumeName"].as_str()?)?;
        volume["spec"]["csi"]["volumeHandle"].as_str().map(str::to_owned)
    }
}

impl MountedDisk {
    /// The disk of pachd's only member of etcd, which is on no volume yet.
    pub(super) fn of(pachd: &PachdServer) -> Self {
        Self {
            store: Arc::clone(&pachd.state().store),
            member: pachd.etcd_membership().members()[0].clone(),
            mounted: Arc::default(),
        }
    }

    /// Leaves what is served on the volume that it came from, and serves what is on this one. `folder` is where a volume is.
    pub(super) fn mount(&self, handle: &str, folder: impl Fn(&str) -> Option<PathBuf>) {
        let mut mounted = self.mounted.lock().unwrap_or_else(PoisonError::into_inner);
        if *mounted == handle {
            return;
        }
        if mounted.is_empty() {
            handle.clone_into(&mut mounted);
            return;
        }
        let file = |handle: &str| folder(handle).map(|folder| folder.join(ETCD_DATABASE));
        let left = file(&mounted).map_or(Ok(()), |file| write_database(&self.store, &self.member, &file));
        if let Err(error) = left {
            tracing::warn!(%error, volume = *mounted, "what etcd held could not be left on its disk");
        }
        let found = file(handle).map_or(Vec::new(), |file: PathBuf| match std::fs::read(&file) {
            Ok(bytes) => etcd::snapshot::load(&bytes).unwrap_or_else(|error| {
                tracing::warn!(%error, handle, "the database on etcd's disk can't be read");
                Vec::new()
            }),
            // A new disk: an etcd of its own begins.
            Err(_) => Vec::new(),
        });
        self.store.replace(found);
        handle.clone_into(&mut mounted);
    }
}

/// The claim that a pod's data is in.
pub(super) fn claim_of(pod: &Value) -> Option<&str> {
    let volumes = pod["spec"]["volumes"].as_array()?;
    volumes.iter().find_map(|volume| volume["persistentVolumeClaim"]["claimName"].as_str())
}
