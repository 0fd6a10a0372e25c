//! A real MinIO with buckets, for vaults and clones.

use std::path::PathBuf;

use super::folder::Folder;
use super::process::Process;
use super::{ProgramError, TRIES, answers_ok, free_ports};

/// Name of the user who may do everything.
pub const MINIO_USER: &str = "pachsnap-test";
/// The user's secret.
pub const MINIO_SECRET: &str = "pachsnap-test-secret";

/// A running MinIO. It stops, and its data goes, when this is dropped.
#[derive(Debug)]
pub struct Minio {
    // Before the folder: fields are dropped in this order.
    _process: Process,
    _folder: Folder,
    port: u16,
}

/// The MinIO program: `$MINIO`, on the path, or where `go install` puts it.
fn program() -> Result<PathBuf, ProgramError> {
    if let Some(named) = std::env::var_os("MINIO") {
        return Ok(named.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join("go/bin"));
    let mut found = std::env::split_paths(&path).chain(home).map(|folder| folder.join("minio"));
    found.find(|file| file.is_file()).ok_or_else(|| ProgramError::Missing {
        program: "minio".to_owned(),
        advice: "it is not in $MINIO, on the path or in ~/go/bin; `./test.sh` installs it".to_owned(),
    })
}

impl Minio {
    /// Starts one that has these buckets, and waits until it serves.
    ///
    /// # Errors
    /// When there is no MinIO, or it doesn't serve.
    pub async fn start(buckets: &[&str]) -> Result<Self, ProgramError> {
        let program = program()?;
        let mut tries = 1;
        loop {
            match Self::start_once(&program, buckets).await {
                Err(error) if error.is_port_taken() && tries < TRIES => tries += 1,
                result => return result,
            }
        }
    }

    async fn start_once(program: &std::path::Path, buckets: &[&str]) -> Result<Self, ProgramError> {
        let folder = Folder::new()?;
        let drive = folder.make("drive")?;
        for bucket in buckets {
            // A folder of the drive is a bucket.
            folder.make(&format!("drive/{bucket}"))?;
        }
        let [port] = free_ports()?;
        let address = format!("127.0.0.1:{port}");
        let drive = drive.display().to_string();
        let process = Process::start(
            "minio",
            program,
            ["server", "--quiet", "--address", &address, &drive],
            &[("MINIO_ROOT_USER", MINIO_USER), ("MINIO_ROOT_PASSWORD", MINIO_SECRET), ("MINIO_BROWSER", "off")],
            folder.path(),
        )?;
        process.wait_until(|| answers_ok(port, "/minio/health/ready")).await?;
        Ok(Self { _process: process, _folder: folder, port })
    }

    /// Where it is, as a URL.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}
