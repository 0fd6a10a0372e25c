//! `pachsnap demo`: the whole job on this machine, against a recorded cluster that is served on loopback sockets.

mod damage;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Parser as _};
use orchestrator::outcome::exit_code;
use orchestrator::{Error, ErrorKind};
use sandbox::cluster::{ClusterOptions, NAMESPACE, RecordedCluster};

use self::damage::BreakablePart;
use crate::cli::{Cli, Ended, Session};
use crate::config::Environment;
use crate::render::{stderr_line, stdout_text};

/// How long the served pipeline master takes for each state of each pipeline; a real one takes over a second.
const MASTER_INTERVAL: Duration = Duration::from_millis(100);
/// Folder for the recovery point, unless another one is named.
const FOLDER: &str = "pachsnap-demo";

/// The bucket that is there for drills.
const DRILL_BUCKET: &str = "pachyderm-drill";
/// What the environment of the demo's commands holds: the keys of the sandbox's store.
const KEYS: [(&str, &str); 2] = [("DEMO_KEY_ID", "sandbox"), ("DEMO_SECRET_KEY", "sandbox-secret-key")];

/// Options of `demo`.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Folder for the recovery point, made by the demo; pachsnap-demo if not given, with a number if that exists
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Only serve the cluster, until Ctrl-C, to try commands on it by hand
    #[arg(long)]
    serve: bool,
    /// Damage a part of the recovery point in the end, and watch verify name it
    #[arg(long, value_enum, value_name = "PART", conflicts_with = "serve")]
    r#break: Option<BreakablePart>,
}

impl Demo {
    /// Serves the cluster, then runs the same commands that a person would.
    ///
    /// # Errors
    /// When the cluster can't be served, and those of the commands.
    pub(crate) async fn run(self, session: &Session) -> Result<u8, Ended> {
        let folder = make_folder(self.folder)?;
        say(
            "Serving the recorded cluster alpha on loopback: pachd 1.13.4 with its etcd, its bucket in S3, Kubernetes with CSI volumes.",
        );
        let cluster = session.reading(serve()).await?;
        let access = tempfile::tempdir().map_err(unusable)?;
        let kubeconfig = access.path().join("kubeconfig");
        cluster.kubernetes.write_kubeconfig(&kubeconfig).map_err(unusable)?;
        let config = folder.join("pachsnap.toml");
        std::fs::write(&config, configuration(&folder, &cluster.s3.endpoint())).map_err(unusable)?;
        say(
            "One commit was left open by a user when it was recorded (raw@master). pachsnap refuses to lose that silently:",
        );
        say("open-commits = \"record\" in the configuration accepts it, and the recovery point names it.");

        if self.serve {
            let flags = format!("--config {} --kubeconfig {}", config.display(), kubeconfig.display());
            say(&format!("\nTry `pachsnap discover {flags}`, or any other command. Ctrl-C stops the servers."));
            session.interruption.token().cancelled().await;
            return Ok(exit_code::OK);
        }
        for command in [&["discover"][..], &["plan"], &["snapshot"], &["verify", "latest", "--deep"]] {
            let code = run_command(session, command, &config, &kubeconfig).await?;
            if code != exit_code::OK {
                return Ok(code);
            }
        }
        if let Some(part) = self.r#break {
            let done = part.damage(&folder).map_err(unusable)?;
            say(&format!("\n{done}"));
            let verify = ["verify", "latest", "--deep", "--contents", "all"];
            let code = run_command(session, &verify, &config, &kubeconfig).await?;
            if code != exit_code::DAMAGED {
                let message = format!("verify ended with {code}: it did not find what was damaged");
                return Err(Error::new(ErrorKind::Failed, message).into());
            }
            say("\nThat is what verify is for. The recovery point is damaged now; `pachsnap demo` makes another one.");
            return Ok(exit_code::OK);
        }
        say(
            "\nA recovery point that was never restored is a hope: rehearse it by both paths, in a cluster that is made for it.",
        );
        for way in ["etcd", "metadata"] {
            let report = folder.join(format!("drill-by-{way}.html")).display().to_string();
            let drill = ["drill", "latest", "--from", way, "--contents", "all", "--report", &report];
            let code = run_command(session, &drill, &config, &kubeconfig).await?;
            if code != exit_code::OK {
                return Ok(code);
            }
        }
        drop(cluster);
        say("\nThe servers are stopped. The recovery point stays, and needs no cluster to be looked at:");
        let program = std::env::current_exe().map_or_else(|_| "pachsnap".to_owned(), |path| path.display().to_string());
        for command in ["show latest", "verify latest --deep", "list -o json"] {
            say(&format!("    {program} {command} --config {}", config.display()));
        }
        say(&format!("Its files, the manifest among them: {}", folder.join("vault").display()));
        say(&format!("What the drills found, as pages: {}", folder.join("drill-by-etcd.html").display()));
        Ok(exit_code::OK)
    }
}

/// Starts the servers and waits until their pods are ready.
async fn serve() -> Result<RecordedCluster, Error> {
    let failed = || Error::new(ErrorKind::Failed, "the recorded cluster can't be served");
    let options = ClusterOptions { master_interval: MASTER_INTERVAL, ..ClusterOptions::default() };
    let cluster = RecordedCluster::alpha(options).await.map_err(|cause| failed().because(cause))?;
    drop(cluster.s3.bucket(DRILL_BUCKET));
    for _ in 0..600 {
        let pods = cluster.kubernetes.objects("pods", Some(NAMESPACE));
        if !pods.is_empty() && pods.iter().all(|pod| pod["status"]["phase"] == "Running") {
            return Ok(cluster);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(failed().because("its pods did not become ready"))
}

/// Runs one command exactly as if it had been typed, and shows it.
async fn run_command(session: &Session, words: &[&str], config: &Path, kubeconfig: &Path) -> Result<u8, Ended> {
    let (config, kubeconfig) = (config.display().to_string(), kubeconfig.display().to_string());
    say(&format!("\n$ pachsnap {} --config {config}", words.join(" ")));
    let arguments = ["pachsnap"].iter().chain(words).copied();
    let arguments = arguments.chain(["--config", &config, "--kubeconfig", &kubeconfig]);
    let cli = Cli::try_parse_from(arguments)
        .map_err(|cause| Error::new(ErrorKind::Failed, "a command of the demo can't be read").because(cause))?;
    let mut global = cli.global;
    global.verbose = session.global.verbose;
    let environment = Environment::of(KEYS);
    let session = Session { global, environment, interruption: session.interruption.clone() };
    Box::pin(cli.command.run(&session)).await
}

fn configuration(folder: &Path, store: &str) -> String {
    let url = |name: &str| toml::Value::String(format!("file://{}", folder.join(name).display()));
    let staging = toml::Value::String(folder.join("staging").display().to_string());
    format!(
        "[cluster]\nname = \"alpha\"\nnamespace = \"{NAMESPACE}\"\n\n[vault]\nurl = {}\n\n[clone]\nurl = {}\n\n\
         [snapshot]\nopen-commits = \"record\"\nstaging = {staging}\npoll = \"200ms\"\n\
         volume = \"require\"\n\n\
         [drill]\nurl = \"s3://{DRILL_BUCKET}\"\nendpoint = \"{store}\"\nstore = \"minio\"\n\
         access-key-id-env = \"{}\"\nsecret-access-key-env = \"{}\"\n",
        url("vault"),
        url("clones"),
        KEYS[0].0,
        KEYS[1].0,
    )
}

/// Makes the folder: the named one, which must not exist, or the first free one of the usual names.
fn make_folder(named: Option<PathBuf>) -> Result<PathBuf, Error> {
    let here = std::env::current_dir().map_err(unusable)?;
    let numbered = (2..).map(|number| PathBuf::from(format!("{FOLDER}-{number}")));
    let names: Box<dyn Iterator<Item = PathBuf>> = match named {
        Some(named) => Box::new(std::iter::once(named)),
        None => Box::new(std::iter::once(PathBuf::from(FOLDER)).chain(numbered)),
    };
    let mut taken = unusable(io::ErrorKind::AlreadyExists.into());
    for name in names.take(1000) {
        let folder = here.join(name);
        match std::fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                taken = unusable(error).advise(format!("{} exists: name another folder", folder.display()));
            }
            Err(error) => return Err(unusable(error)),
        }
    }
    Err(taken)
}

fn unusable(cause: io::Error) -> Error {
    Error::new(ErrorKind::Configuration, "the demo's folder can't be used").because(cause)
}

fn say(line: &str) {
    if let Err(error) = stdout_text(&format!("{line}\n")) {
        stderr_line(&format!("warning: can't write to stdout: {error}"));
    }
}
