//! The runs of a cluster in a vault, and their files.

use std::collections::BTreeMap;

use provider::{Key, ListRequest, ObjectMeta};

use super::{Result, Vault, layout};
use crate::retry::retrying;
use crate::run_id::RunId;

/// How far a run got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RunState {
    /// Neither captured nor committed: nothing can be restored from it.
    Incomplete,
    /// Captured, without a manifest: it can be finished from any machine.
    Captured,
    /// It has its manifest: a recovery point.
    Complete,
    /// It was a recovery point, whose clone a later run has taken over.
    Superseded,
    /// Its removal was begun.
    Deleting,
}

/// One run in the vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunEntry {
    /// The run.
    pub run: RunId,
    /// How far it got.
    pub state: RunState,
}

/// One file of a run, as listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// Name below the run's folder.
    pub name: String,
    /// Size in bytes.
    pub size: u64,
}

impl Vault {
    /// Every run of the cluster, oldest first. Folders whose name is no run id are not ours and are left out.
    ///
    /// # Errors
    /// [`VaultError::Store`](super::VaultError::Store).
    pub async fn list_runs(&self) -> Result<Vec<RunEntry>> {
        let mut runs = BTreeMap::new();
        let prefix = format!("{}/", self.cluster);
        self.each_object(&prefix, |name, _| {
            let Some((run, file)) = name.split_once('/') else { return };
            let Ok(run) = run.parse::<RunId>() else { return };
            let state = match file {
                layout::DELETING => RunState::Deleting,
                layout::SUPERSEDED => RunState::Superseded,
                layout::MANIFEST => RunState::Complete,
                layout::CAPTURED => RunState::Captured,
                _ => RunState::Incomplete,
            };
            let known = runs.entry(run).or_insert(state);
            *known = state.max(*known);
        })
        .await?;
        Ok(runs.into_iter().map(|(run, state)| RunEntry { run, state }).collect())
    }

    /// Every file of a run, sorted by name.
    ///
    /// # Errors
    /// [`VaultError::Store`](super::VaultError::Store).
    pub async fn list_files(&self, run: &RunId) -> Result<Vec<StoredFile>> {
        let mut files = Vec::new();
        self.each_object(self.key(run, "").as_str(), |name, object| {
            files.push(StoredFile { name: name.to_owned(), size: object.size });
        })
        .await?;
        Ok(files)
    }

    /// Calls back with every object under a prefix and the rest of its key.
    async fn each_object(&self, prefix: &str, mut each: impl FnMut(&str, &ObjectMeta)) -> Result<()> {
        let mut request = ListRequest { prefix: prefix.to_owned(), ..ListRequest::default() };
        loop {
            let page = retrying(self.retry, || self.bucket.list(&request))
                .await
                .map_err(|error| self.store(&Key::from(prefix), error))?;
            for object in &page.objects {
                each(object.key.as_str().strip_prefix(prefix).unwrap_or_default(), object);
            }
            match page.next {
                Some(token) => request.token = Some(token),
                None => return Ok(()),
            }
        }
    }
}
