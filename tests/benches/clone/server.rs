//! The sandbox's S3 server as a process.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The folder that cargo builds into, told from where this benchmark lies: `TARGET/PROFILE/deps/clone-…`.
fn target() -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned()
}

/// A program as it is released: so are the ones it is compared with.
pub(crate) fn released(program: &str) -> PathBuf {
    target().join("release").join(program)
}

/// Builds the server and the binary as they are now, optimized.
pub(crate) fn build() {
    let status = Command::new(env!("CARGO"))
        .args(["build", "--locked", "--release", "--workspace", "--bins", "--example", "s3_server", "--target-dir"])
        .arg(target())
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .status();
    assert!(status.unwrap().success(), "the server and the binary can't be built");
}

/// A running server. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    pub(crate) endpoint: String,
}

impl Server {
    /// Starts one with a bucket `source` of so many objects of 4 KiB, and an empty one, `clone`.
    pub(crate) fn start(objects: u64) -> Self {
        let mut child = Command::new(released("examples/s3_server"))
            .args(["--bucket", &format!("source={objects}x4096"), "--bucket", "clone"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut server = Self { child, stdin, stdout, endpoint: String::new() };
        let line = server.answer();
        line.strip_prefix("endpoint ").unwrap().clone_into(&mut server.endpoint);
        server
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "the server has ended");
        line.trim_end().to_owned()
    }

    /// Gives it a command.
    pub(crate) fn tell(&mut self, command: &str) -> String {
        let stdin = self.stdin.as_mut().unwrap();
        writeln!(stdin, "{command}").unwrap();
        stdin.flush().unwrap();
        let answer = self.answer();
        assert!(!answer.starts_with("error"), "{command}: {answer}");
        answer
    }

    /// CPU that it took so far, in seconds.
    pub(crate) fn cpu(&self) -> f64 {
        e2e::cpu_of(self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It ends when its stdin is closed.
        self.stdin = None;
        let _ = self.child.wait();
    }
}
