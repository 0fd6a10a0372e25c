//! The controllers that need nothing but the API server.

use std::path::Path;

use super::flags;
use crate::programs::ProgramError;
use crate::programs::process::Process;

/// kwok's stages: what it does to nodes and pods in place of a kubelet.
pub(super) const STAGES: &str = include_str!("../../../../../tests/kubernetes/stages.yaml");

/// kube-controller-manager, snapshot-controller and kwok.
#[derive(Debug)]
pub(super) struct Controllers {
    processes: [Process; 3],
}

impl Controllers {
    /// Starts them. The kinds of snapshots have to be served.
    pub(super) fn start(binaries: &Path, folder: &Path, ports: [u16; 3]) -> Result<Self, ProgramError> {
        let start =
            |name: &str, arguments: Vec<String>| Process::start(name, &binaries.join(name), arguments, &[], folder);
        let [manager, snapshots, kwok] = ports;
        Ok(Self {
            processes: [
                start("kube-controller-manager", flags::controller_manager(folder, manager))?,
                start("snapshot-controller", flags::snapshot_controller(folder, snapshots))?,
                start("kwok", flags::kwok(folder, kwok))?,
            ],
        })
    }

    /// An error if one has ended by itself.
    pub(super) fn check(&self) -> Result<(), ProgramError> {
        self.processes.iter().try_for_each(Process::check)
    }
}
