//! A real moto: EC2 and S3, written by others.

use std::path::PathBuf;

use super::folder::Folder;
use super::process::Process;
use super::{ProgramError, TRIES, answers_ok, exchange, free_ports};

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

    /// Makes a bucket.
    ///
    /// # Errors
    /// When moto doesn't.
    pub async fn create_bucket(&self, name: &str) -> Result<(), ProgramError> {
        self.ask("s3", &format!("PUT /{name}"), "").await.map(drop)
    }

    /// Sets a lifecycle that deletes everything below a prefix after a day.
    ///
    /// # Errors
    /// When moto doesn't.
    pub async fn expire(&self, bucket: &str, prefix: &str) -> Result<(), ProgramError> {
        let rule = format!(
            "<LifecycleConfiguration><Rule><ID>daily</ID><Filter><Prefix>{prefix}</Prefix></Filter><Status>Enabled</Status>\
             <Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>"
        );
        self.ask("s3", &format!("PUT /{bucket}?lifecycle"), &rule).await.map(drop)
    }

    /// Makes a volume of 10 GiB in a zone; answers its id.
    ///
    /// # Errors
    /// When moto doesn't.
    pub async fn create_volume(&self, zone: &str) -> Result<String, ProgramError> {
        let wanted = format!("Action=CreateVolume&Version=2016-11-15&AvailabilityZone={zone}&Size=10&VolumeType=gp3");
        let answer = self.ask("ec2", "POST /", &wanted).await?;
        let id = answer.split_once("<volumeId>").and_then(|(_, rest)| rest.split_once("</volumeId>"));
        id.map(|(id, _)| id.to_owned()).ok_or(ProgramError::NeverCame { what: answer, logs: String::new() })
    }

    /// The ids of all snapshots that were made of volumes.
    ///
    /// # Errors
    /// When moto doesn't tell.
    pub async fn snapshots(&self) -> Result<Vec<String>, ProgramError> {
        let answer = self.ask("ec2", "POST /", "Action=DescribeSnapshots&Version=2016-11-15&Owner.1=self").await?;
        let ids = answer.split("<snapshotId>").skip(1).filter_map(|rest| rest.split_once("</snapshotId>"));
        Ok(ids.map(|(id, _)| id.to_owned()).collect())
    }

    /// One request to a service, which moto tells by the scope of the signature and not by the signature.
    async fn ask(&self, service: &str, target: &str, body: &str) -> Result<String, ProgramError> {
        let request = format!(
            "{target} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\nContent-Length: {}\r\n\
             Content-Type: {}\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=sandbox/20260101/us-east-1/{service}/aws4_request, \
             SignedHeaders=host, Signature=none\r\n\r\n{body}",
            self.port,
            body.len(),
            if service == "s3" { "application/xml" } else { "application/x-www-form-urlencoded" },
        );
        let (status, answer) = exchange(self.port, &request).await.map_err(ProgramError::io("moto doesn't answer"))?;
        if status == 200 { Ok(answer) } else { Err(ProgramError::NeverCame { what: answer, logs: String::new() }) }
    }
}
