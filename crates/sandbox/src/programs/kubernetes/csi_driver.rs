//! The CSI driver of `tests/kubernetes/csidir` and the two programs that speak to it, with the files that switch its faults.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::flags;
use crate::programs::ProgramError;
use crate::programs::process::Process;

/// The driver's name: that of the sandbox's own, so that the same objects fit both.
pub use crate::kubernetes::CSI_DRIVER as DRIVER;

/// What is killed and started together: csi-snapshotter ends by itself when it loses the driver.
#[derive(Debug)]
struct Running {
    snapshotter: Process,
    provisioner: Process,
    driver: Process,
}

/// A running CSI driver whose volumes and snapshots are folders. The switches act on every caller: a test that uses
/// them on a shared bench has to be alone at it.
#[derive(Debug)]
pub struct CsiDriver {
    running: Mutex<Option<Running>>,
    binaries: PathBuf,
    folder: PathBuf,
    state: PathBuf,
    ports: [u16; 2],
}

impl CsiDriver {
    pub(super) async fn start(
        binaries: &Path,
        folder: &Path,
        state: PathBuf,
        ports: [u16; 2],
    ) -> Result<Self, ProgramError> {
        let driver =
            Self { running: Mutex::default(), binaries: binaries.to_owned(), folder: folder.to_owned(), state, ports };
        driver.restart().await?;
        Ok(driver)
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An error if one has ended by itself.
    pub(super) fn check(&self) -> Result<(), ProgramError> {
        let running = self.running();
        let processes = running.iter().flat_map(|it| [&it.driver, &it.snapshotter, &it.provisioner]);
        processes.into_iter().try_for_each(Process::check)
    }

    /// Kills the driver with csi-snapshotter and csi-provisioner. What it made stays.
    pub fn kill(&self) {
        self.running().take();
    }

    /// Starts the driver with csi-snapshotter and csi-provisioner again; kills them before if they run.
    ///
    /// # Errors
    /// When the driver doesn't serve.
    pub async fn restart(&self) -> Result<(), ProgramError> {
        self.kill();
        let socket = self.folder.join("csi.sock");
        let start = |name: &str, arguments: Vec<String>| {
            Process::start(name, &self.binaries.join(name), arguments, &[], &self.folder)
        };
        let arguments = vec![format!("-socket={}", socket.display()), format!("-state={}", self.state.display())];
        let driver = start("csidir", arguments)?;
        driver.wait_until(|| async { tokio::net::UnixStream::connect(&socket).await.is_ok() }).await?;
        let [snapshotter, provisioner] = self.ports;
        *self.running() = Some(Running {
            snapshotter: start("csi-snapshotter", flags::csi_snapshotter(&self.folder, &socket, snapshotter))?,
            provisioner: start("csi-provisioner", flags::csi_sidecar(&self.folder, &socket, provisioner))?,
            driver,
        });
        Ok(())
    }

    /// The folder of all volumes.
    pub(crate) fn volumes(&self) -> PathBuf {
        self.state.join("vol")
    }

    /// The folder that is the content of a volume, by its handle (`spec.csi.volumeHandle` of its PersistentVolume).
    #[must_use]
    pub fn volume_folder(&self, handle: &str) -> PathBuf {
        self.volumes().join(handle)
    }

    /// The folder that is the content of a snapshot, by its handle (`status.snapshotHandle` of its content).
    #[must_use]
    pub fn snapshot_folder(&self, handle: &str) -> PathBuf {
        self.state.join("snap").join(handle)
    }

    /// From now on calls of this method (`CreateSnapshot`) fail with this gRPC code (`UNAVAILABLE`) and message.
    ///
    /// # Errors
    /// When the switch can't be written.
    pub fn set_fault(&self, method: &str, code: &str, message: &str) -> Result<(), ProgramError> {
        self.write("fault", method, &format!("{code} {message}"))
    }

    /// Calls of this method work again.
    ///
    /// # Errors
    /// When the switch can't be removed.
    pub fn clear_fault(&self, method: &str) -> Result<(), ProgramError> {
        remove(&self.state.join("fault").join(method))
    }

    /// From now on calls of this method wait so long before they do anything.
    ///
    /// # Errors
    /// When the switch can't be written.
    pub fn set_delay(&self, method: &str, delay: Duration) -> Result<(), ProgramError> {
        self.write("delay", method, &format!("{}ms", delay.as_millis()))
    }

    /// Calls of this method are quick again.
    ///
    /// # Errors
    /// When the switch can't be removed.
    pub fn clear_delay(&self, method: &str) -> Result<(), ProgramError> {
        remove(&self.state.join("delay").join(method))
    }

    /// While set, snapshots are made at once but not yet ready to use.
    ///
    /// # Errors
    /// When the switch can't be turned.
    pub fn set_unready(&self, unready: bool) -> Result<(), ProgramError> {
        if unready { self.write("", "unready", "") } else { remove(&self.state.join("unready")) }
    }

    /// A file appears whole: the driver may be reading.
    fn write(&self, folder: &str, name: &str, content: &str) -> Result<(), ProgramError> {
        let unfinished = self.state.join(format!("{name}.unfinished"));
        let written = std::fs::write(&unfinished, content)
            .and_then(|()| std::fs::rename(&unfinished, self.state.join(folder).join(name)));
        written.map_err(ProgramError::io(format!("{name} can't be switched")))
    }
}

fn remove(path: &Path) -> Result<(), ProgramError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(ProgramError::io(format!("{} can't be removed", path.display()))(error))
        }
        _ => Ok(()),
    }
}
