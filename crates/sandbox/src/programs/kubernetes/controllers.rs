//! The controllers that need nothing but the API server.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::flags;
use crate::programs::ProgramError;
use crate::programs::process::Process;

/// kwok's stages: what it does to nodes and pods in place of a kubelet.
pub(super) const STAGES: &str = include_str!("../../../../../tests/kubernetes/stages.yaml");

/// kube-controller-manager, snapshot-controller and kwok.
#[derive(Debug)]
pub(super) struct Controllers {
    running: Mutex<Vec<Process>>,
    binaries: PathBuf,
    folder: PathBuf,
    ports: [u16; 3],
}

impl Controllers {
    /// Starts them. The kinds of snapshots have to be served.
    pub(super) fn start(binaries: &Path, folder: &Path, ports: [u16; 3]) -> Result<Self, ProgramError> {
        let controllers =
            Self { running: Mutex::default(), binaries: binaries.to_owned(), folder: folder.to_owned(), ports };
        controllers.restart()?;
        Ok(controllers)
    }

    fn running(&self) -> MutexGuard<'_, Vec<Process>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts them again; kills them before if they run.
    pub(super) fn restart(&self) -> Result<(), ProgramError> {
        let mut running = self.running();
        running.clear();
        let folder = self.folder.as_path();
        let [manager, snapshots, kwok] = self.ports;
        for (name, arguments) in [
            ("kube-controller-manager", flags::controller_manager(folder, manager)),
            ("snapshot-controller", flags::snapshot_controller(folder, snapshots)),
            ("kwok", flags::kwok(folder, kwok)),
        ] {
            running.push(Process::start(name, &self.binaries.join(name), arguments, &[], folder)?);
        }
        Ok(())
    }

    /// An error if one has ended by itself.
    pub(super) fn check(&self) -> Result<(), ProgramError> {
        self.running().iter().try_for_each(Process::check)
    }
}
