//! The temporary folder of a server.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::ProgramError;

/// Waits until its standard input is closed, then removes the folder. What writes into it ends at the same time, so the
/// first try can fail.
const REMOVE: &str = r#"
read -r _
tries=0
until rm -rf "$1" 2>/dev/null || [ "$tries" -ge 100 ]; do tries=$((tries + 1)); sleep 0.1; done
"#;

/// A temporary folder that goes when this is dropped, and also when the test process ends without dropping it: a shell
/// that holds the other end of a pipe removes it. (A static is never dropped.)
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    remover: Child,
}

impl Folder {
    /// Makes one.
    pub(super) fn new() -> Result<Self, ProgramError> {
        let path = tempfile::Builder::new()
            .prefix("pachsnap-")
            .tempdir()
            .map_err(ProgramError::io("a temporary folder can't be made"))?;
        let remover = Command::new("/bin/sh")
            .args(["-c", REMOVE, "sh"])
            .arg(path.path())
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(ProgramError::io("a shell can't be started"))?;
        Ok(Self { path: path.keep(), remover })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a folder in it.
    #[cfg(feature = "minio")]
    pub(super) fn make(&self, name: &str) -> Result<PathBuf, ProgramError> {
        let path = self.path.join(name);
        std::fs::create_dir_all(&path).map_err(ProgramError::io(format!("{} can't be made", path.display())))?;
        Ok(path)
    }

    /// Writes a file in it.
    #[cfg(feature = "programs")]
    pub(super) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<PathBuf, ProgramError> {
        let path = self.path.join(name);
        std::fs::write(&path, content).map_err(ProgramError::io(format!("{} can't be written", path.display())))?;
        Ok(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(self.remover.stdin.take());
        let _ = self.remover.wait();
    }
}
