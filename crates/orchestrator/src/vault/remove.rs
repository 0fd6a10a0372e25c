//! Removing files of a run.

use provider::Key;

use super::{Result, Vault};
use crate::retry::retrying;
use crate::run_id::RunId;

/// Files that are removed by one call.
const AT_ONCE: usize = 100;

impl Vault {
    /// Removes files of a run by their names below the run's folder. What is absent is removed.
    ///
    /// # Errors
    /// [`VaultError::Store`](super::VaultError::Store); some of them may be gone then.
    pub async fn remove_files(&self, run: &RunId, names: &[&str]) -> Result<()> {
        for names in names.chunks(AT_ONCE) {
            let keys: Vec<Key> = names.iter().map(|name| self.key(run, name)).collect();
            let remove = || async {
                for outcome in self.bucket.delete(&keys).await? {
                    outcome.result?;
                }
                Ok(())
            };
            retrying(self.retry, remove).await.map_err(|error| self.store(&keys[0], error))?;
        }
        Ok(())
    }
}
