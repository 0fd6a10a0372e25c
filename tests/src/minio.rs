//! A real MinIO with buckets, for vaults and clones.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

/// Name of the user who may do everything.
pub const MINIO_USER: &str = "pachsnap-test";
/// The user's secret.
pub const MINIO_SECRET: &str = "pachsnap-test-secret";

/// A running MinIO. It stops, and its data goes, when this is dropped.
#[derive(Debug)]
pub struct Minio {
    process: Child,
    _folder: TempDir,
    port: u16,
}

/// The MinIO program: `$MINIO`, on the path, or where `go install` puts it.
fn program() -> PathBuf {
    if let Some(named) = std::env::var_os("MINIO") {
        return named.into();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join("go/bin"));
    let mut found = std::env::split_paths(&path).chain(home).map(|folder| folder.join("minio"));
    found.find(|file| file.is_file()).expect("MinIO is needed: `./test.sh` installs it")
}

impl Minio {
    /// Starts one that has these buckets, and waits until it serves. Blocking.
    ///
    /// # Panics
    /// When there is no MinIO, or it doesn't serve within a minute.
    pub fn start(buckets: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for bucket in buckets {
            // A folder of the drive is a bucket.
            std::fs::create_dir(folder.path().join(bucket)).expect("a bucket can be made");
        }
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.expect("a free port").port();
        let process = Command::new(program())
            .args(["server", "--quiet", "--address", &format!("127.0.0.1:{port}")])
            .arg(folder.path())
            .env("MINIO_ROOT_USER", MINIO_USER)
            .env("MINIO_ROOT_PASSWORD", MINIO_SECRET)
            .env("MINIO_BROWSER", "off")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("MinIO can be started");
        let minio = Self { process, _folder: folder, port };
        let mut tries = 0;
        while !minio.is_ready() {
            tries += 1;
            assert!(tries < 600, "MinIO does not serve after a minute");
            std::thread::sleep(Duration::from_millis(100));
        }
        minio
    }

    /// Where it is, as a URL.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn is_ready(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else { return false };
        let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
        let mut answer = String::new();
        let asked =
            stream.write_all(b"GET /minio/health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        asked.is_ok() && stream.read_to_string(&mut answer).is_ok() && answer.contains(" 200 ")
    }
}

impl Drop for Minio {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
