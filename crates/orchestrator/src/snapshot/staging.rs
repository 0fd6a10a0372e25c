//! The folder in which the parts wait between capture and vault: written at disk speed, so that the pause is short.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::run_id::RunId;

/// A folder of one run, readable by its user only, removed with the value.
pub(super) struct Staging {
    folder: tempfile::TempDir,
}

impl Staging {
    /// Makes the run's folder under `parent`.
    pub(super) fn create(parent: &Path, run: &RunId) -> Result<Self> {
        let failed = |cause| {
            Error::new(ErrorKind::Configuration, format!("the staging folder {} can't be used", parent.display()))
                .because(cause)
                .advise("choose another with staging in [snapshot]; it needs room for etcd's database and the stream")
        };
        fs::create_dir_all(parent).map_err(failed)?;
        let folder = tempfile::Builder::new().prefix(&format!("pachsnap-{run}-")).tempdir_in(parent).map_err(failed)?;
        Ok(Self { folder })
    }

    /// Path of a file in it.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A sub-folder, made if it is missing.
    pub(super) fn folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.folder.path().join(name);
        fs::create_dir_all(&path)
            .map_err(|cause| Error::new(ErrorKind::Failed, "making a staging folder").because(cause))?;
        Ok(path)
    }
}
