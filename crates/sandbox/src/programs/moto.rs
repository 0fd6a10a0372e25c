//! A real moto: EC2 and S3, written by others.

use std::path::PathBuf;

use super::folder::Folder;
use super::process::Process;
use super::{ProgramError, TRIES, answers_ok, free_ports};

/// A running moto. It stops, and all that it holds goes, when this is dropped. It takes every key pair.
#[derive(Debug)]
pub struct Moto {
    // Before the folder: fields are dropped in this order.
    _process: Process,
    _folder: Folder,
    port: u16,
}

/// The Python that has moto.
fn python() -> Result<PathBuf, ProgramError> {
    std::env::var_os("E2E_PYTHON").map(PathBuf::from).ok_or_else(|| ProgramError::Missing {
        program: "moto".to_owned(),
        advice: "E2E_PYTHON names no Python that has it; `./test.sh` makes one".to_owned(),
    })
}

impl Moto {
    /// Starts one and waits until it serves.
    ///
    /// # Errors
    /// When there is no moto, or it doesn't serve.
    pub async fn start() -> Result<Self, ProgramError> {
        let python = python()?;
        let mut tries = 1;
        loop {
            match Self::start_once(&python).await {
                Err(error) if error.is_port_taken() && tries < TRIES => tries += 1,
                result => return result,
            }
        }
    }

    async fn start_once(python: &std::path::Path) -> Result<Self, ProgramError> {
        let folder = Folder::new()?;
        let [port] = free_ports()?;
        let process = Process::start(
            "moto",
            python,
            ["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()],
            // Images that nobody asks for, each with snapshots, would make every listing slow.
            &[("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")],
            folder.path(),
        )?;
        process.wait_until(|| answers_ok(port, "/moto-api/data.json")).await?;
        Ok(Self { _process: process, _folder: folder, port })
    }

    /// Where it is, as a URL.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}
