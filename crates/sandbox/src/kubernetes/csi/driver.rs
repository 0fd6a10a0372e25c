//! Volumes and snapshots.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::Notify;
use tonic::Code;

use super::switches::{CsiCall, CsiError, Switches};
use super::{CSI_DRIVER, folders};
use crate::kubernetes::server::lock;

/// Completes a snapshot: the handle of its volume, and the snapshot's folder.
type CutHook = dyn Fn(&str, &Path) -> io::Result<()> + Send + Sync;

/// One snapshot, as the driver tells about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) handle: String,
    /// The size of the volume that it came from.
    pub(crate) bytes: u64,
    /// When it was cut, in nanoseconds since 1970.
    pub(crate) created: i64,
    pub(crate) ready: bool,
}

#[derive(Default)]
struct State {
    /// Sizes by handle.
    volumes: HashMap<String, u64>,
    /// By the name under which they were asked for.
    snapshots: HashMap<String, Snapshot>,
    switches: Switches,
    on_cut: Vec<Arc<CutHook>>,
}

/// The CSI driver [`CSI_DRIVER`]. Its volumes and snapshots are folders of a temporary folder, which goes with the server.
pub struct CsiDriver {
    root: TempDir,
    state: Mutex<State>,
    changed: Notify,
}

impl std::fmt::Debug for CsiDriver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CsiDriver").field("root", &self.root.path()).finish_non_exhaustive()
    }
}

impl CsiDriver {
    pub(crate) fn new() -> io::Result<Self> {
        let root = tempfile::Builder::new().prefix(CSI_DRIVER).tempdir()?;
        Ok(CsiDriver { root, state: Mutex::default(), changed: Notify::new() })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn volume_path(&self, handle: &str) -> PathBuf {
        folders::of_handle(&self.root.path().join("volumes"), handle)
    }

    fn snapshot_path(&self, handle: &str) -> PathBuf {
        folders::of_handle(&self.root.path().join("snapshots"), handle)
    }

    /// Makes a volume with a handle of one's own, empty, as an administrator would. One that is there stays as it is.
    ///
    /// # Errors
    ///
    /// When its folder cannot be made.
    pub fn create_volume(&self, handle: &str, bytes: u64) -> io::Result<PathBuf> {
        let folder = self.volume_path(handle);
        std::fs::create_dir_all(&folder)?;
        self.lock().volumes.entry(handle.to_owned()).or_insert(bytes);
        Ok(folder)
    }

    /// The folder with the content of a volume, by the `volumeHandle` of its PersistentVolume.
    pub fn volume_folder(&self, handle: &str) -> Option<PathBuf> {
        self.lock().volumes.contains_key(handle).then(|| self.volume_path(handle))
    }

    /// The folder with the content of a snapshot, by the `snapshotHandle` of its VolumeSnapshotContent.
    pub fn snapshot_folder(&self, handle: &str) -> Option<PathBuf> {
        self.lock().snapshots.values().any(|it| it.handle == handle).then(|| self.snapshot_path(handle))
    }

    /// Runs at the cut of each snapshot, after the volume's folder is copied: gets the volume's handle and the snapshot's
    /// folder, and may put there what no file of the volume holds. An error fails the snapshot. Hooks run one after the other.
    pub fn on_cut(&self, hook: impl Fn(&str, &Path) -> io::Result<()> + Send + Sync + 'static) {
        self.lock().on_cut.push(Arc::new(hook));
    }

    /// Refuses a call from now on.
    pub fn fail(&self, call: CsiCall, code: Code, message: &str) {
        self.switch(|switches| switches.failures.insert(call, CsiError::new(code, message)));
    }

    /// Lets a call take this long from now on. What it does, it does at the end.
    pub fn delay(&self, call: CsiCall, delay: Duration) {
        self.switch(|switches| switches.delays.insert(call, delay));
    }

    /// Whether snapshots can be restored as soon as they are cut; otherwise they wait, as for an upload, until this is set.
    pub fn set_ready(&self, ready: bool) {
        self.switch(|switches| switches.unready = !ready);
    }

    /// Whether the driver runs at all: without it nothing becomes of its volumes and snapshots, and nothing tells why.
    pub fn set_served(&self, served: bool) {
        self.switch(|switches| switches.unserved = !served);
    }

    /// Switches all faults off.
    pub fn clear_faults(&self) {
        self.switch(|switches| *switches = Switches::default());
    }

    fn switch<R>(&self, change: impl FnOnce(&mut Switches) -> R) {
        change(&mut self.lock().switches);
        // Two servers may share the driver.
        self.changed.notify_waiters();
        self.changed.notify_one();
    }

    /// Waits until a switch is moved.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    pub(crate) fn is_served(&self) -> bool {
        !self.lock().switches.unserved
    }

    pub(crate) fn delay_of(&self, call: CsiCall) -> Duration {
        self.lock().switches.delays.get(&call).copied().unwrap_or_default()
    }

    fn permit(&self, call: CsiCall) -> Result<MutexGuard<'_, State>, CsiError> {
        let state = self.lock();
        match state.switches.failures.get(&call) {
            Some(error) => Err(error.clone()),
            None => Ok(state),
        }
    }

    /// Makes the volume of this name, which is its handle too, once: empty, or as a snapshot is.
    pub(crate) fn provision(&self, name: &str, bytes: u64, snapshot: Option<&str>) -> Result<(), CsiError> {
        let known = self.permit(CsiCall::CreateVolume)?.volumes.contains_key(name);
        if known {
            return Ok(());
        }
        let folder = self.volume_path(name);
        let made = match snapshot {
            None => std::fs::create_dir_all(&folder),
            Some(handle) => match self.snapshot_folder(handle) {
                Some(content) => folders::copy(&content, &folder),
                None => return Err(CsiError::new(Code::NotFound, format!("snapshot {handle} not found"))),
            },
        };
        made.map_err(|error| CsiError::new(Code::Internal, error.to_string()))?;
        self.lock().volumes.insert(name.to_owned(), bytes);
        Ok(())
    }

    /// Removes a volume; one that is not there is no error.
    pub(crate) fn remove_volume(&self, handle: &str) -> Result<(), CsiError> {
        if self.permit(CsiCall::DeleteVolume)?.volumes.remove(handle).is_some() {
            return remove(&self.volume_path(handle));
        }
        Ok(())
    }

    /// Cuts the snapshot of this name, once.
    pub(crate) fn cut(&self, name: &str, volume: &str) -> Result<Snapshot, CsiError> {
        let (bytes, hooks) = {
            let state = self.permit(CsiCall::CreateSnapshot)?;
            if let Some(snapshot) = state.snapshots.get(name) {
                return Ok(Snapshot { ready: !state.switches.unready, ..snapshot.clone() });
            }
            let Some(bytes) = state.volumes.get(volume) else {
                return Err(CsiError::new(Code::NotFound, format!("volume {volume} not found")));
            };
            (*bytes, state.on_cut.clone())
        };
        let handle = format!("snap-{}", uuid::Uuid::new_v4().simple());
        let folder = self.snapshot_path(&handle);
        // The lock is free here: the hook may ask other servers, and they may ask this one.
        let copied = folders::copy(&self.volume_path(volume), &folder)
            .and_then(|()| hooks.iter().try_for_each(|hook| hook(volume, &folder)));
        if let Err(error) = copied {
            // What is left of it belongs to no snapshot and goes with the temporary folder.
            let _ = remove(&folder);
            return Err(CsiError::new(Code::Internal, error.to_string()));
        }
        // The end of the copy: nothing in it is younger.
        let created = i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX);
        let mut state = self.lock();
        let snapshot = Snapshot { handle, bytes, created, ready: !state.switches.unready };
        state.snapshots.insert(name.to_owned(), snapshot.clone());
        Ok(snapshot)
    }

    /// What there is to tell about a snapshot.
    pub(crate) fn find_snapshot(&self, handle: &str) -> Result<Option<Snapshot>, CsiError> {
        let state = self.permit(CsiCall::ListSnapshots)?;
        let found = state.snapshots.values().find(|it| it.handle == handle);
        Ok(found.map(|snapshot| Snapshot { ready: !state.switches.unready, ..snapshot.clone() }))
    }

    /// Removes a snapshot; one that is not there is no error.
    pub(crate) fn remove_snapshot(&self, handle: &str) -> Result<(), CsiError> {
        let mut state = self.permit(CsiCall::DeleteSnapshot)?;
        let before = state.snapshots.len();
        state.snapshots.retain(|_, snapshot| snapshot.handle != handle);
        if state.snapshots.len() == before {
            return Ok(());
        }
        drop(state);
        remove(&self.snapshot_path(handle))
    }
}

fn remove(folder: &Path) -> Result<(), CsiError> {
    std::fs::remove_dir_all(folder).map_err(|error| CsiError::new(Code::Internal, error.to_string()))
}
