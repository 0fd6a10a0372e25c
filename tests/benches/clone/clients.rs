//! The programs that are compared, and how each is told to do the same.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use e2e::CloneCommand;
use tempfile::TempDir;

use crate::server::released;

/// A program in one of its ways to copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Client {
    Pachsnap,
    S5cmdCp,
    S5cmdSync,
    RcloneSync,
    AwsSync,
}

impl Client {
    const ALL: [Self; 5] = [Self::Pachsnap, Self::S5cmdCp, Self::S5cmdSync, Self::RcloneSync, Self::AwsSync];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pachsnap => "pachsnap clone",
            Self::S5cmdCp => "s5cmd cp",
            Self::S5cmdSync => "s5cmd sync",
            Self::RcloneSync => "rclone sync",
            Self::AwsSync => "aws s3 sync",
        }
    }

    /// The program, as `install.sh` names it.
    fn program(self) -> &'static str {
        match self {
            Self::Pachsnap => "pachsnap",
            Self::S5cmdCp | Self::S5cmdSync => "s5cmd",
            Self::RcloneSync => "rclone",
            Self::AwsSync => "aws",
        }
    }

    /// Whether a second run looks at what the first one did.
    pub(crate) fn updates(self) -> bool {
        self != Self::S5cmdCp
    }

    /// Whether it takes a minute where the others take seconds.
    pub(crate) fn is_slow(self) -> bool {
        self == Self::AwsSync
    }
}

/// Where a run reads and writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) endpoint: &'a str,
    /// In the bucket `clone`; ends in `/`.
    pub(crate) prefix: &'a str,
    /// Calls that a program may have under way, where it must be told.
    pub(crate) workers: usize,
}

/// The programs of this machine.
#[derive(Debug)]
pub(crate) struct Clients {
    programs: BTreeMap<String, PathBuf>,
    folder: TempDir,
}

impl Clients {
    /// Installs the peers and tells their versions, and which of them are missing.
    pub(crate) fn install(peers_only: bool) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/clone/install.sh");
        let output = Command::new(script).stderr(Stdio::inherit()).output().unwrap();
        let mut programs = BTreeMap::new();
        if !peers_only {
            programs.insert("pachsnap".to_owned(), released("pachsnap"));
        }
        for line in String::from_utf8(output.stdout).unwrap().lines() {
            match line.split_once(' ') {
                Some((name, path)) if path.starts_with('/') => drop(programs.insert(name.to_owned(), path.into())),
                _ => println!("NOT COMPARED: {line}"),
            }
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join("aws.ini"),
            "[default]\nregion = us-east-1\ns3 =\n  max_concurrent_requests = 32\n",
        )
        .unwrap();
        std::fs::write(folder.path().join("rclone.conf"), "").unwrap();
        let clients = Self { programs, folder };
        for name in clients.programs.keys() {
            println!("{name}: {}", clients.version(name));
        }
        clients
    }

    fn version(&self, program: &str) -> String {
        let argument = if matches!(program, "s5cmd" | "rclone") { "version" } else { "--version" };
        let mut command = self.command(program, "http://127.0.0.1:1");
        let output = command.arg(argument).stdout(Stdio::piped()).output().unwrap();
        String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned()
    }

    /// Those that are there.
    pub(crate) fn all(&self) -> Vec<Client> {
        Client::ALL.into_iter().filter(|client| self.programs.contains_key(client.program())).collect()
    }

    /// The program with the environment that it finds the server with, and no other.
    fn command(&self, program: &str, endpoint: &str) -> Command {
        let mut command = Command::new(&self.programs[program]);
        let config = |name: &str| self.folder.path().join(name);
        command
            .env_clear()
            .envs(CloneCommand::environment())
            .envs([("PATH", "/usr/bin:/bin"), ("LC_ALL", "C.UTF-8"), ("RCLONE_CONFIG_M_TYPE", "s3")])
            .envs([("RCLONE_CONFIG_M_PROVIDER", "Other"), ("RCLONE_CONFIG_M_ENDPOINT", endpoint)])
            .envs([("RCLONE_CONFIG_M_ENV_AUTH", "true"), ("RCLONE_CONFIG_M_REGION", "us-east-1")])
            .envs([("AWS_CONFIG_FILE", config("aws.ini")), ("RCLONE_CONFIG", config("rclone.conf"))])
            .env("HOME", self.folder.path())
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(self.errors()).unwrap());
        command
    }

    fn errors(&self) -> PathBuf {
        self.folder.path().join("errors")
    }

    /// The last line that the last program wrote to stderr.
    pub(crate) fn last_error(&self) -> String {
        let text = std::fs::read(self.errors()).unwrap_or_default();
        String::from_utf8_lossy(&text).lines().last().unwrap_or("no message").to_owned()
    }

    fn clone_command(&self, place: Place<'_>) -> CloneCommand {
        // Each server is another source.
        let server = place.endpoint.rsplit(':').next().unwrap_or_default();
        let state = self.folder.path().join("state").join(server).join(place.prefix);
        CloneCommand::new("source", &format!("clone/{}", place.prefix), place.endpoint, &state)
    }

    /// Copies the bucket `source` into a prefix, or brings that up to date.
    pub(crate) fn copy(&self, client: Client, place: Place<'_>) -> Command {
        let Place { endpoint, prefix, workers } = place;
        let workers = workers.to_string();
        let to = format!("s3://clone/{prefix}");
        let mut command = self.command(client.program(), endpoint);
        match client {
            Client::Pachsnap => command.args(self.clone_command(place).arguments()),
            Client::S5cmdCp | Client::S5cmdSync => {
                let verb = if client == Client::S5cmdCp { "cp" } else { "sync" };
                command.args(["--endpoint-url", endpoint, "--log", "error", "--numworkers", &workers, verb]);
                command.args(["s3://source/*", &to])
            }
            Client::RcloneSync => {
                command.args(["sync", "m:source", &format!("m:clone/{prefix}"), "--checksum", "--fast-list", "-q"]);
                command.args([
                    "--s3-no-check-bucket",
                    "--s3-no-head-object",
                    "--transfers",
                    &workers,
                    "--checkers",
                    &workers,
                ])
            }
            Client::AwsSync => {
                command.args(["--endpoint-url", endpoint, "s3", "sync", "s3://source", &to, "--only-show-errors"])
            }
        };
        command
    }

    /// Lists the bucket `source`.
    pub(crate) fn list(&self, client: Client, endpoint: &str) -> Option<(&'static str, Command)> {
        let mut command = self.command(client.program(), endpoint);
        let name = match client {
            Client::Pachsnap => {
                let place = Place { endpoint, prefix: "listing/", workers: 0 };
                command.args(self.clone_command(place).dry_run());
                "pachsnap clone --dry-run"
            }
            Client::S5cmdCp => {
                command.args(["--endpoint-url", endpoint, "ls", "s3://source/*"]);
                "s5cmd ls"
            }
            Client::RcloneSync => {
                command.args(["lsf", "-R", "--fast-list", "m:source"]);
                "rclone lsf -R --fast-list"
            }
            Client::AwsSync => {
                command.args(["--endpoint-url", endpoint, "s3", "ls", "--recursive", "s3://source"]);
                "aws s3 ls --recursive"
            }
            Client::S5cmdSync => return None,
        };
        Some((name, command))
    }
}
