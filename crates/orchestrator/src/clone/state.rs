//! What a vault keeps of a clone that is brought up to date again and again: the inventory of the last pass, and the ledger of
//! the one under way.
//!
//! ```text
//! clone.json                  what is cloned, and where to
//! pass-00007/part-….parquet   the inventory of a pass, or as far as it got
//! pass-00007/copy-….json      where a large copy is
//! pass-00007/plan.json        the shards that the pass is planned as
//! pass-00007/done.json        the pass is finished; earlier ones are deleted
//! ```

use std::path::PathBuf;
use std::sync::Arc;

use provider::{Bucket, ErrorKind, Key, PutMode, PutRequest};
use serde::{Deserialize, Serialize};

use super::known::Before;
use super::ledger::{Ledger, Store, Whose};
use super::plan::{CloneShard, Plan};
use super::report::CloneReport;
use super::{CloneError, KeyMap, Result, small_object};
use crate::retry::{RetryPolicy, retrying};

const CLONE: &str = "clone.json";
const DONE: &str = "done.json";
const PLAN: &str = "plan.json";
/// Largest small file that is read, in bytes.
const LARGEST: usize = 1 << 20;

/// What is cloned, where to, and how keys are renamed: another one of these is another clone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CloneIdentity {
    /// Where the source is.
    pub source: String,
    /// Where the clone is.
    pub destination: String,
    /// How keys are renamed.
    pub key_map: KeyMap,
    /// Which keys belong to the clone, as text; empty for all.
    pub filter: Vec<String>,
}

/// What is kept of one clone.
#[derive(Clone, Debug)]
pub struct CloneState {
    store: Arc<dyn Bucket>,
    prefix: String,
    folder: PathBuf,
    passes: Vec<PassState>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PassState {
    number: u32,
    done: bool,
}

impl CloneState {
    /// Opens what is kept under a prefix of a store, which ends in a slash, or begins it. `folder` on this machine holds copies
    /// of the inventories' parts.
    ///
    /// # Errors
    /// [`CloneError::OtherClone`] when something else is kept there; those of the store.
    pub async fn open(
        store: Arc<dyn Bucket>,
        prefix: impl Into<String>,
        folder: impl Into<PathBuf>,
        identity: &CloneIdentity,
    ) -> Result<Self> {
        let mut state = Self { store, prefix: prefix.into(), folder: folder.into(), passes: Vec::new() };
        match state.read::<CloneIdentity>(CLONE).await? {
            None => state.write(CLONE, identity).await?,
            Some(kept) if kept == *identity => {}
            Some(kept) => {
                let what = format!("{} to {}", kept.source, kept.destination);
                return Err(CloneError::OtherClone { state: state.location(), what });
            }
        }
        state.passes = state.list_passes().await?;
        Ok(state)
    }

    /// Where it is kept.
    #[must_use]
    pub fn location(&self) -> String {
        format!("{}/{}", self.store.location().trim_end_matches('/'), self.prefix.trim_end_matches('/'))
    }

    /// What is known of the clone: the inventory of the last finished pass. `look` when somebody else may have written to the
    /// clone since, so that it has to be listed too.
    ///
    /// # Errors
    /// Those of the store; a damaged part.
    pub async fn before(&self, look: bool) -> Result<Before> {
        let Some(last) = self.passes.iter().rfind(|pass| pass.done) else { return Ok(Before::Unknown) };
        let inventory = self.ledger_of(last.number).await?.finished();
        Ok(if look { Before::Touched(inventory) } else { Before::Recorded(inventory) })
    }

    /// The ledger of the pass under way, or of a new one.
    ///
    /// # Errors
    /// Those of the store; a damaged part.
    pub async fn ledger(&self) -> Result<Ledger> {
        self.ledger_of(self.under_way()).await
    }

    /// The same, looked at once more: somebody may have written to it since.
    pub(super) async fn again(&self) -> Result<Self> {
        Ok(Self { passes: self.list_passes().await?, ..self.clone() })
    }

    /// Keeps the plan of the pass under way. Shards of an earlier plan are refused from then on.
    pub(super) async fn keep_plan(&self, plan: &Plan) -> Result<()> {
        self.write(&format!("{}/{PLAN}", pass_name(self.under_way())), plan).await
    }

    /// The ledger for one shard of the pass under way.
    pub(super) async fn ledger_of_shard(&self, shard: &CloneShard) -> Result<Ledger> {
        let name = pass_name(self.under_way());
        let plan = self.read::<Plan>(&format!("{name}/{PLAN}")).await?.filter(|plan| plan.has(shard));
        let Some(plan) = plan else { return Err(CloneError::OtherPlan { state: self.location() }) };
        let whose = Whose::Shard { plan: plan.id, number: shard.shard, was_written: plan.was_written };
        let store = Store { bucket: Arc::clone(&self.store), prefix: format!("{}{name}/", self.prefix) };
        Ledger::open_as(self.folder.join(&name), store, &whose).await
    }

    /// Deletes the copies of parts that this machine has.
    pub(super) async fn clear_folder(&self) {
        // What stays is found and used again, or is in the way of nobody.
        let _ = tokio::fs::remove_dir_all(&self.folder).await;
    }

    fn under_way(&self) -> u32 {
        match self.passes.last() {
            Some(last) if !last.done => last.number,
            Some(last) => last.number + 1,
            None => 1,
        }
    }

    /// Notes that the pass under way is finished, and deletes what is kept of earlier ones.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn finish(&self, ledger: &Ledger, report: &CloneReport) -> Result<()> {
        let name = ledger.folder().file_name().and_then(|name| name.to_str()).unwrap_or_default();
        self.write(&format!("{name}/{DONE}"), report).await?;
        for pass in self.passes.iter().filter(|pass| pass_name(pass.number) != name) {
            let name = pass_name(pass.number);
            // Without its end first, a pass that is deleted in part is taken for one under way, never for a whole one.
            let keys = self.keys(&format!("{name}/")).await?;
            let (ends, parts): (Vec<_>, Vec<_>) = keys.into_iter().partition(|key| key.as_str().ends_with(DONE));
            for keys in [ends, parts] {
                self.delete(&keys).await?;
            }
            // What is left of it on this machine is only a copy.
            let _ = tokio::fs::remove_dir_all(self.folder.join(name)).await;
        }
        Ok(())
    }

    async fn ledger_of(&self, number: u32) -> Result<Ledger> {
        let name = pass_name(number);
        Ledger::open(self.folder.join(&name), Arc::clone(&self.store), format!("{}{name}/", self.prefix)).await
    }

    async fn list_passes(&self) -> Result<Vec<PassState>> {
        let mut passes: Vec<PassState> = Vec::new();
        for key in self.keys("pass-").await? {
            let Some(rest) = key.as_str().strip_prefix(&self.prefix).and_then(|key| key.strip_prefix("pass-")) else {
                continue;
            };
            let Some((number, name)) = rest.split_once('/') else { continue };
            let Ok(number) = number.parse() else { continue };
            if passes.last().is_none_or(|last| last.number != number) {
                passes.push(PassState { number, done: false });
            }
            if let Some(last) = passes.last_mut() {
                last.done |= name == DONE;
            }
        }
        passes.sort_by_key(|pass| pass.number);
        // An unfinished pass before a finished one is only left over.
        let last_done = passes.iter().rposition(|pass| pass.done);
        Ok(passes
            .into_iter()
            .enumerate()
            .filter(|(at, pass)| pass.done || last_done.is_none_or(|done| *at > done))
            .map(|(_, pass)| pass)
            .collect())
    }

    async fn keys(&self, prefix: &str) -> Result<Vec<Key>> {
        let prefix = format!("{}{prefix}", self.prefix);
        small_object::keys_below(self.store.as_ref(), &prefix).await.map_err(CloneError::at(self.store.location()))
    }

    async fn delete(&self, keys: &[Key]) -> Result<()> {
        let deleted = small_object::delete_all(self.store.as_ref(), keys);
        deleted.await.map_err(CloneError::at(self.store.location()))
    }

    async fn write(&self, name: &str, value: &impl Serialize) -> Result<()> {
        let key = format!("{}{name}", self.prefix);
        let text = serde_json::to_vec_pretty(value).map_err(|error| {
            CloneError::at(self.store.location())(
                provider::Error::new(ErrorKind::Invalid, "write", &key).with_source(error),
            )
        })?;
        let put = || self.store.put(PutRequest::bytes(key.as_str(), PutMode::Overwrite, text.clone()));
        retrying(RetryPolicy::default(), put).await.map(|_| ()).map_err(CloneError::at(self.store.location()))
    }

    async fn read<T: for<'de> Deserialize<'de>>(&self, name: &str) -> Result<Option<T>> {
        let key = format!("{}{name}", self.prefix);
        let at = || CloneError::at(self.store.location());
        let read = small_object::read(self.store.as_ref(), &key, LARGEST).await;
        let Some(bytes) = read.map_err(at())? else { return Ok(None) };
        let damaged =
            |error: serde_json::Error| at()(provider::Error::new(ErrorKind::Corrupt, "read", &key).with_source(error));
        serde_json::from_slice(&bytes).map(Some).map_err(damaged)
    }
}

fn pass_name(number: u32) -> String {
    format!("pass-{number:05}")
}
