//! The binary as a user runs it.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Longest time that a run may take before its test fails.
const LIMIT: Duration = Duration::from_secs(180);

/// The binary that was built beside this test: by cargo itself in a run of the whole workspace, else by `test.sh` before
/// the tests, or by `cargo build -p pachsnap`.
///
/// # Panics
/// When it isn't there.
pub fn pachsnap() -> PathBuf {
    let mut path = std::env::current_exe().expect("a test knows its own path");
    path.pop();
    if path.ends_with("deps") {
        path.pop();
    }
    let binary = path.join("pachsnap");
    assert!(binary.exists(), "{} is missing: run `cargo build -p pachsnap` first", binary.display());
    binary
}

/// A run that has ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

impl Ended {
    /// The steps that it started, in order, of a run with `--output json`.
    ///
    /// # Panics
    /// When a whole line is no JSON.
    pub fn steps(&self) -> Vec<String> {
        let events = self.events();
        let started = events.iter().filter(|event| event["event"] == "step-started");
        started.filter_map(|event| event["step"].as_str()).map(str::to_owned).collect()
    }

    /// The events that it wrote, of a run with `--output json`.
    ///
    /// # Panics
    /// When a whole line is no JSON.
    pub fn events(&self) -> Vec<serde_json::Value> {
        // A killed run may leave half a line.
        let whole = self.stdout.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().map(|line| serde_json::from_str(line).expect("every line is an event")).collect()
    }
}

/// A run that is under way. Both of its outputs are read all the time, so that it never waits for a test.
#[derive(Debug)]
pub struct Running {
    child: Child,
    lines: mpsc::UnboundedReceiver<String>,
    seen: String,
    stdout: JoinHandle<()>,
    stderr: JoinHandle<String>,
}

/// Starts the binary in a folder, with nothing in its environment but what is given and a `HOME` there. Dropping the run
/// kills it.
///
/// # Panics
/// When it can't be started.
pub fn start<'a, I, S>(
    folder: &std::path::Path,
    environment: impl IntoIterator<Item = (&'a str, &'a str)>,
    arguments: I,
) -> Running
where
    I: IntoIterator<Item = S>,
    S: AsRef<OsStr>,
{
    let mut child = Command::new(pachsnap())
        .args(arguments)
        .env_clear()
        .envs(environment)
        .env("HOME", folder)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the binary can be started");
    let (sender, lines) = mpsc::unbounded_channel();
    let stdout = tokio::spawn(read_lines(child.stdout.take().expect("stdout is piped"), sender));
    let stderr = tokio::spawn(read_all(child.stderr.take().expect("stderr is piped")));
    Running { child, lines, seen: String::new(), stdout, stderr }
}

async fn read_lines(stdout: ChildStdout, lines: mpsc::UnboundedSender<String>) {
    let mut stdout = BufReader::new(stdout);
    let mut line = Vec::new();
    while stdout.read_until(b'\n', &mut line).await.is_ok_and(|length| length > 0) {
        let _ = lines.send(String::from_utf8_lossy(&line).into_owned());
        line.clear();
    }
}

async fn read_all(mut stderr: ChildStderr) -> String {
    let mut bytes = Vec::new();
    let _ = stderr.read_to_end(&mut bytes).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Running {
    /// Waits for its end.
    ///
    /// # Panics
    /// When it takes longer than any run may.
    pub async fn end(mut self) -> Ended {
        let status = tokio::time::timeout(LIMIT, self.child.wait()).await;
        let status = status.expect("the run ends in time").expect("the run can be waited for");
        while let Some(line) = self.lines.recv().await {
            self.seen.push_str(&line);
        }
        let stderr = self.stderr.await.expect("stderr can be read");
        Ended { code: code(status), stdout: self.seen, stderr }
    }

    /// Waits for the next event on stdout that satisfies the test, of a run with `--output json`.
    ///
    /// # Panics
    /// When the run ends before.
    pub async fn wait_for(&mut self, wanted: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        loop {
            let line = tokio::time::timeout(LIMIT, self.lines.recv()).await.expect("the run goes on in time");
            let line = line.expect("the event comes before the run ends");
            self.seen.push_str(&line);
            let Ok(event) = serde_json::from_str::<serde_json::Value>(&line) else { continue };
            if wanted(&event) {
                return event;
            }
        }
    }

    /// Waits for the start of a step, of a run with `--output json`.
    ///
    /// # Panics
    /// When the run ends before.
    pub async fn wait_for_step(&mut self, step: &str) {
        self.wait_for(|event| event["event"] == "step-started" && event["step"] == step).await;
    }

    /// Closes the end of stdout that is ours, as a pager does that was left.
    pub fn close_stdout(&self) {
        self.stdout.abort();
    }

    /// Whether it has ended by now.
    ///
    /// # Panics
    /// When the system can't tell.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child can be asked for").is_some()
    }

    /// Kills it at once, if it hasn't ended yet.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn kill(&mut self) {
        self.child.start_kill().expect("a child can be killed");
    }

    /// Sends a signal by its name, as `kill` does.
    ///
    /// # Panics
    /// When the process is gone.
    pub async fn signal(&self, name: &str) {
        let pid = self.child.id().expect("the run goes on").to_string();
        let status = Command::new("kill").args(["-s", name, &pid]).status().await.expect("kill can be started");
        assert!(status.success(), "signal {name} could not be sent");
    }
}

#[cfg(unix)]
fn code(status: ExitStatus) -> Option<i32> {
    status.code()
}
