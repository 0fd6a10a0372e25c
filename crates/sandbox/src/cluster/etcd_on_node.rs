//! etcd on a node of a real Kubernetes, where no kubelet is: reached while its pod runs, serving what is on the disk under the pod's
//! claim.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use kube::api::ListParams;
use kube::{Api, Client};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::etcd_disk::MountedDisk;
use super::{ETCD_DATABASE, write_database};
use crate::pachd::PachdServer;

/// How often pods are looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Where a volume's content is, by its handle.
pub(super) type FolderOf = Arc<dyn Fn(&str) -> PathBuf + Send + Sync>;

/// A member of etcd whose port is open while it is mounted. Dropping it closes the port.
#[derive(Debug)]
pub(super) struct EtcdOnNode {
    pub(super) port: u16,
    _stop: DropGuard,
}

impl EtcdOnNode {
    /// Follows the pod of etcd in a namespace.
    pub(super) async fn start(
        client: Client,
        namespace: &str,
        pachd: &PachdServer,
        folder_of: FolderOf,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let (is_mounted, mounted) = watch::channel(false);
        let disk = MountedDisk::of(pachd);
        let follower = Follower { client, namespace: namespace.to_owned(), disk, folder_of };
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let etcd = pachd.etcd();
        tokio::spawn(async move {
            tokio::select! {
                () = stopped.cancelled() => {}
                () = follower.follow(is_mounted) => {}
                () = serve(listener, etcd, mounted) => {}
            }
        });
        Ok(Self { port, _stop: stop.drop_guard() })
    }
}

/// Passes connections on while the disk is mounted; ends those that are open when it no longer is.
async fn serve(listener: TcpListener, etcd: SocketAddr, mounted: watch::Receiver<bool>) {
    while let Ok((mut near, _)) = listener.accept().await {
        let mut mounted = mounted.clone();
        tokio::spawn(async move {
            if !*mounted.borrow() {
                return;
            }
            let Ok(mut far) = TcpStream::connect(etcd).await else { return };
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                _ = mounted.wait_for(|mounted| !mounted) => {}
            }
        });
    }
}

struct Follower {
    client: Client,
    namespace: String,
    disk: MountedDisk,
    folder_of: FolderOf,
}

impl Follower {
    async fn follow(self, is_mounted: watch::Sender<bool>) {
        loop {
            // An API server that doesn't answer tells nothing of the pod, which goes on.
            if let Ok(handle) = self.handle_under_pod().await {
                if let Some(handle) = &handle {
                    self.disk.mount(handle, |handle| Some((self.folder_of)(handle)));
                }
                let now = handle.is_some();
                is_mounted.send_if_modified(|mounted| std::mem::replace(mounted, now) != now);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The volume under the claim of etcd's pod; none while there is no pod that runs on a volume.
    async fn handle_under_pod(&self) -> kube::Result<Option<String>> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let pods = pods.list(&ListParams::default().labels("app=etcd")).await?;
        let runs = |pod: &&Pod| {
            let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
            phase == Some("Running") && pod.metadata.deletion_timestamp.is_none()
        };
        let Some(claim) = pods.iter().find(runs).and_then(claim_of) else { return Ok(None) };
        let claims: Api<PersistentVolumeClaim> = Api::namespaced(self.client.clone(), &self.namespace);
        let claim = claims.get_opt(&claim).await?;
        let Some(volume) = claim.and_then(|claim| claim.spec?.volume_name) else { return Ok(None) };
        let volumes: Api<PersistentVolume> = Api::all(self.client.clone());
        let volume = volumes.get_opt(&volume).await?;
        Ok(volume.and_then(|volume| Some(volume.spec?.csi?.volume_handle)))
    }
}

fn claim_of(pod: &Pod) -> Option<String> {
    let volumes = pod.spec.as_ref()?.volumes.as_ref()?;
    volumes.iter().find_map(|volume| Some(volume.persistent_volume_claim.as_ref()?.claim_name.clone()))
}

/// Keeps what etcd holds in the folder that is its disk, as a member itself has it there, until the guard is dropped.
pub(super) fn keep_on_disk(pachd: &PachdServer, disk: PathBuf) -> DropGuard {
    let MountedDisk { store, member, .. } = MountedDisk::of(pachd);
    let mut revisions = store.revisions();
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    tokio::spawn(async move {
        let (database, unfinished) = (disk.join(ETCD_DATABASE), disk.join("unfinished"));
        while !stopped.is_cancelled() {
            let written = write_database(&store, &member, &unfinished)
                .and_then(|()| database.parent().map_or(Ok(()), std::fs::create_dir_all))
                .and_then(|()| std::fs::rename(&unfinished, &database));
            if let Err(error) = written {
                tracing::warn!(%error, "what etcd holds could not be written to its disk");
            }
            tokio::select! {
                () = stopped.cancelled() => return,
                changed = revisions.changed() => if changed.is_err() { return },
            }
        }
    });
    stop.drop_guard()
}
