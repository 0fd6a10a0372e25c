//! A throw-away etcd is started from etcd's snapshot: the proof that a real one takes it.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use pachyderm::client::{Address, ClientOptions};
use pachyderm::etcd::EtcdClient;
use tokio::process::{Child, Command};
use tokio::time::Instant;

use super::Check;
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::EtcdArtifact;

/// Name of the check.
const NAME: &str = "etcd boots";
/// Longest wait for a started etcd to answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks.
const POLL: Duration = Duration::from_millis(100);

/// The programs of an etcd 3.4 or later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EtcdPrograms {
    /// The server.
    pub etcd: PathBuf,
    /// The client, or `etcdutl`: whatever has `snapshot restore`.
    pub etcdctl: PathBuf,
}

/// Restores the snapshot into a temporary folder, starts an etcd on loopback there, and compares revision and number of keys.
///
/// # Errors
/// `Configuration` when a program can't be started; `Failed` for this machine's disk. An etcd that doesn't take the snapshot is an
/// answer.
pub(super) async fn check(programs: &EtcdPrograms, snapshot: &Path, recorded: &EtcdArtifact) -> Result<Check> {
    let folder = tempfile::tempdir().map_err(super::deep::on_disk)?;
    let data = folder.path().join("data");
    let restored = restore(programs, snapshot, &data).await?;
    if !restored.status.success() {
        return Ok(Check::failed(NAME, format!("`snapshot restore` refuses it: {}", last_line(&restored.stderr))));
    }
    let (client, peer) = (free_port()?, free_port()?);
    let mut etcd = start(programs, &data, client, peer)?;
    let found = answers(&mut etcd, client).await;
    // It is of no use any more, whatever it said.
    let _ = etcd.kill().await;
    Ok(match found {
        Ok((revision, keys)) if revision == recorded.revision && keys == recorded.keys => {
            Check::ok(NAME, format!("a real etcd serves {keys} keys at revision {revision} from it"))
        }
        Ok((revision, keys)) => {
            let EtcdArtifact { revision: of, keys: should, .. } = recorded;
            Check::failed(NAME, format!("{keys} keys at revision {revision}; recorded are {should} at {of}"))
        }
        Err(why) => Check::failed(NAME, why),
    })
}

async fn restore(programs: &EtcdPrograms, snapshot: &Path, data: &Path) -> Result<Output> {
    let mut command = Command::new(&programs.etcdctl);
    command.env("ETCDCTL_API", "3").args(["snapshot", "restore"]).arg(snapshot).arg("--data-dir").arg(data);
    command.stdin(Stdio::null()).kill_on_drop(true);
    command.output().await.map_err(|cause| unstartable(&programs.etcdctl, cause))
}

fn start(programs: &EtcdPrograms, data: &Path, client: u16, peer: u16) -> Result<Child> {
    let (client, peer) = (format!("http://127.0.0.1:{client}"), format!("http://127.0.0.1:{peer}"));
    let mut command = Command::new(&programs.etcd);
    command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
    command.args(["--listen-peer-urls", &peer, "--data-dir"]).arg(data);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    command.spawn().map_err(|cause| unstartable(&programs.etcd, cause))
}

/// Revision and number of keys, as soon as it tells; or why it doesn't.
async fn answers(etcd: &mut Child, port: u16) -> std::result::Result<(i64, u64), String> {
    let address = Address::plaintext("127.0.0.1", port);
    let options = ClientOptions { connect_timeout: POLL * 10, ..ClientOptions::default() };
    let ends = Instant::now() + PATIENCE;
    loop {
        let asked = async {
            let client = EtcdClient::connect(&address, &options).await?;
            let revision = client.revision().await?;
            Ok::<_, pachyderm::error::Error>((revision, client.count(revision).await?))
        };
        let error = match asked.await {
            Ok(found) => return Ok(found),
            Err(error) => error,
        };
        if let Ok(Some(status)) = etcd.try_wait() {
            return Err(format!("a real etcd ends at once with it ({status})"));
        }
        if Instant::now() >= ends {
            return Err(format!("a real etcd doesn't answer with it: {error}"));
        }
        tokio::time::sleep(POLL).await;
    }
}

fn free_port() -> Result<u16> {
    let free = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr();
    let free =
        free().map_err(|cause| Error::new(ErrorKind::Failed, "no port of this machine is free").because(cause))?;
    Ok(free.port())
}

fn unstartable(program: &Path, cause: io::Error) -> Error {
    Error::new(ErrorKind::Configuration, format!("{} can't be started", program.display())).because(cause)
}

fn last_line(output: &[u8]) -> String {
    String::from_utf8_lossy(output).lines().last().unwrap_or("it says nothing").trim().to_owned()
}
