//! Real servers, started as processes: on loopback, in a temporary folder, gone when their value or the test process is.

#[cfg(feature = "fake-gcs")]
pub mod fake_gcs;
mod folder;
#[cfg(feature = "programs")]
pub mod kubernetes;
mod log;
#[cfg(feature = "minio")]
pub mod minio;
#[cfg(feature = "moto")]
pub mod moto;
mod process;

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Why a server could not be started, or stopped serving. Its `Debug` is its text as well: logs are read in a test's panic.
#[derive(thiserror::Error)]
pub enum ProgramError {
    /// There is no such program, and what to install.
    #[error("{program} is missing: {advice}")]
    Missing {
        /// The program's name.
        program: String,
        /// What to do about it.
        advice: String,
    },
    /// The programs could not be built.
    #[error("the programs could not be built:\n{output}")]
    Build {
        /// What the build said.
        output: String,
    },
    /// A file, a folder or a process could not be made.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The process ended before it served.
    #[error("{program} ended before it served; the end of its log:\n{log}")]
    Ended {
        /// The program's name.
        program: String,
        /// The end of its log.
        log: String,
    },
    /// The process runs and doesn't serve.
    #[error("{program} does not serve after {} s; the end of its log:\n{log}", LONGEST.as_secs())]
    NotReady {
        /// The program's name.
        program: String,
        /// The end of its log.
        log: String,
    },
    /// Everything runs, and what was waited for does not come.
    #[error("after {} s: {what}\n{logs}", LONGEST.as_secs())]
    NeverCame {
        /// How things were when last looked at.
        what: String,
        /// The ends of all logs, each under its name.
        logs: String,
    },
    /// A server refused what its start needs.
    #[cfg(feature = "programs")]
    #[error("the API server refuses {what}: {source}")]
    Api {
        /// What was asked of it.
        what: String,
        /// The client's error.
        source: Box<kube::Error>,
    },
}

impl fmt::Debug for ProgramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl ProgramError {
    /// Whether somebody else took a port between its choice and the start: another try chooses others.
    #[must_use]
    pub fn is_port_taken(&self) -> bool {
        // As Go's network says it, and as MinIO and moto do.
        let says_so = |log: &str| {
            let log = log.to_lowercase();
            log.contains("address already in use")
                || log.contains("port is already in use")
                || log.contains("is in use by another program")
        };
        matches!(self, Self::Ended { log, .. } if says_so(log))
    }

    fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { what: what.into(), source }
    }
}

/// How long a program may take for anything: nobody waits so long but on a machine that does much else, or for nothing.
const LONGEST: Duration = Duration::from_secs(180);

/// How often a start is tried while others take its ports.
const TRIES: usize = 3;

/// Ports that nobody listens on at this moment, all different.
fn free_ports<const COUNT: usize>() -> Result<[u16; COUNT], ProgramError> {
    let mut listeners = Vec::with_capacity(COUNT);
    let mut ports = [0; COUNT];
    for port in &mut ports {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(ProgramError::io("a free port can't be had"))?;
        *port = listener.local_addr().map_err(ProgramError::io("a free port can't be had"))?.port();
        listeners.push(listener);
    }
    Ok(ports)
}

/// Whether a plain HTTP server on this port answers a GET with 200.
async fn answers_ok(port: u16, path: &str) -> bool {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    matches!(exchange(port, &request).await, Ok((200, _)))
}

/// Sends a whole request, which asks for the connection to be closed, to this port; answers with the status and everything that came.
async fn exchange(port: u16, request: &str) -> io::Result<(u16, String)> {
    let asked = async {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        io::Result::Ok((status.ok_or(io::ErrorKind::InvalidData)?, answer))
    };
    tokio::time::timeout(Duration::from_secs(30), asked).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}
