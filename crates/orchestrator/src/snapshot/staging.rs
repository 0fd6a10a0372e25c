//! The folder in which the parts wait between capture and vault: written at disk speed, so that the pause is short.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::run_id::RunId;

/// What the name of a run's folder begins with.
const PREFIX: &str = "pachsnap-";
/// The file in it that its run keeps locked for as long as it lives.
const LOCK: &str = "lock";

/// A folder of one run, readable by its user only, removed with the value. What a killed run left is removed by the next one:
/// it is secret, and it is large.
pub(crate) struct Staging {
    folder: tempfile::TempDir,
    _lock: File,
}

impl Staging {
    /// Makes the run's folder under `parent`.
    pub(crate) fn create(parent: &Path, run: &RunId) -> Result<Self> {
        Self::make(parent, run).map_err(|cause| {
            Error::new(ErrorKind::Configuration, format!("the staging folder {} can't be used", parent.display()))
                .because(cause)
                .advise("choose another with staging in [snapshot]; it needs room for etcd's database and the stream")
        })
    }

    fn make(parent: &Path, run: &RunId) -> io::Result<Self> {
        fs::create_dir_all(parent)?;
        remove_abandoned(parent)?;
        let folder = tempfile::Builder::new().prefix(&format!("{PREFIX}{run}-")).tempdir_in(parent)?;
        let lock = File::create_new(folder.path().join(LOCK))?;
        lock.lock()?;
        Ok(Self { folder, _lock: lock })
    }

    /// Path of a file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A sub-folder, made if it is missing.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.folder.path().join(name);
        fs::create_dir_all(&path)
            .map_err(|cause| Error::new(ErrorKind::Failed, "making a staging folder").because(cause))?;
        Ok(path)
    }
}

/// Removes the folders of runs that have ended without doing so. One whose lock isn't made yet belongs to a run that begins.
fn remove_abandoned(parent: &Path) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let Ok(lock) = File::open(entry.path().join(LOCK)) else { continue };
        if lock.try_lock().is_ok()
            && let Err(error) = fs::remove_dir_all(entry.path())
        {
            tracing::warn!(folder = %entry.path().display(), %error, "a dead run's files stay in staging");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn what_a_dead_run_left_is_removed_and_a_living_one_is_left_alone() {
        let parent = tempfile::tempdir().unwrap();
        let run = RunId::new(Timestamp::now());
        let living = Staging::create(parent.path(), &run).unwrap();
        fs::write(living.file("metadata.pachd"), "secret").unwrap();
        let dead = parent.path().join("pachsnap-dead");
        fs::create_dir(&dead).unwrap();
        fs::write(dead.join(LOCK), "").unwrap();
        fs::write(dead.join("etcd.snapshot.db"), "secret").unwrap();
        let (beginning, foreign) = (parent.path().join("pachsnap-beginning"), parent.path().join("theirs"));
        fs::create_dir(&beginning).unwrap();
        fs::create_dir(&foreign).unwrap();

        let next = Staging::create(parent.path(), &run).unwrap();
        assert!(!dead.exists());
        assert!(living.file("metadata.pachd").exists() && beginning.exists() && foreign.exists());
        let path = next.file("");
        drop(next);
        assert!(!path.exists());
    }
}
