//! What a pass has finished, kept so that another process can go on.
//!
//! There is no file of its own that could say something else than the inventory: a stretch of keys is finished when the part of
//! the inventory that speaks for it is in the store. Parts are written whole or not at all. Shards of one plan keep theirs side by
//! side, under names that no other shard has.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::StreamExt;
use provider::{Bucket, GetRequest, Key, ListRequest, ObjectMeta, PutMode, PutRequest};
use tokio::io::AsyncWriteExt;
use tokio_util::io::ReaderStream;

use super::inventory::{InventoryPart, open_part};
use super::kept_copies::{KeptCopies, is_copy};
use super::range::KeyRange;
use super::{CloneError, Inventory, Result};
use crate::retry::{RetryPolicy, retrying};

/// Says that a pass has begun to write.
const BEGUN: &str = "begun";
const PART: &str = "part-";
/// Bytes read from a part at once.
const CHUNK: usize = 256 << 10;

/// The finished work of one pass.
#[derive(Debug)]
pub struct Ledger {
    folder: PathBuf,
    store: Option<Store>,
    finished: Vec<InventoryPart>,
    copies: Arc<KeptCopies>,
    begun_before: bool,
    /// Says that this pass, or this shard of it, has begun; absent once it is said.
    to_begin: Option<String>,
    /// Ends the names of a shard's parts.
    label: String,
    attempt: u64,
    shards: AtomicU64,
}

/// Where a ledger is kept.
#[derive(Clone, Debug)]
pub(super) struct Store {
    pub(super) bucket: Arc<dyn Bucket>,
    pub(super) prefix: String,
}

/// Whose ledger it is, of those who write to one pass.
#[derive(Clone, Debug)]
pub(super) enum Whose {
    /// The whole pass's.
    Pass,
    /// That of a shard.
    Shard {
        /// The shard's plan.
        plan: String,
        /// The shard's number.
        number: u32,
        /// Whether something may have been written there before the plan was made.
        was_written: bool,
    },
}

impl Whose {
    fn label(&self) -> String {
        match self {
            Self::Pass => String::new(),
            Self::Shard { plan, number, .. } => format!(".{plan}.{number:05}"),
        }
    }

    /// Whether a part of this label may hold keys of the range: those of the plan's other shards don't.
    fn may_share(&self, label: &str) -> bool {
        match self {
            Self::Pass => true,
            Self::Shard { plan, .. } => label == self.label() || !label.starts_with(&format!(".{plan}.")),
        }
    }

    /// Whether this name tells that somebody may have written to the range.
    fn tells_of_writes(&self, name: &str) -> bool {
        let Some(label) = name.strip_prefix(BEGUN) else { return false };
        match self {
            Self::Pass => true,
            Self::Shard { .. } => label.is_empty() || label == self.label(),
        }
    }
}

impl Ledger {
    /// A ledger that ends with the process: the parts are in this folder, which must hold none yet.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            store: None,
            finished: Vec::new(),
            copies: Arc::default(),
            begun_before: false,
            to_begin: None,
            label: String::new(),
            attempt: 0,
            shards: AtomicU64::new(0),
        }
    }

    /// A ledger under a prefix of a store, with what an earlier process left there. `folder` is for this pass's parts
    /// on this machine; what it lacks is fetched, what the store lacks is not taken for finished.
    ///
    /// # Errors
    /// Those of the store and of the folder; a damaged part.
    pub async fn open(folder: impl Into<PathBuf>, bucket: Arc<dyn Bucket>, prefix: impl Into<String>) -> Result<Self> {
        Self::open_as(folder.into(), Store { bucket, prefix: prefix.into() }, &Whose::Pass).await
    }

    /// The same for one of those who write to the pass.
    pub(super) async fn open_as(folder: PathBuf, store: Store, whose: &Whose) -> Result<Self> {
        let io = |source| CloneError::InventoryFile { path: folder.clone(), source };
        tokio::fs::create_dir_all(&folder).await.map_err(io)?;
        let kept = store.list().await?;
        let mut there = tokio::fs::read_dir(&folder).await.map_err(io)?;
        while let Some(file) = there.next_entry().await.map_err(io)? {
            let name = file.file_name();
            let known = kept.iter().any(|(kept, _)| name == kept.as_str());
            if !known && name.to_string_lossy().starts_with(PART) {
                tokio::fs::remove_file(file.path()).await.map_err(io)?;
            }
        }
        let (mut finished, mut attempt, mut begun_before) = (Vec::new(), 0, false);
        let (mut copies, mut to_begin) = (BTreeSet::new(), Some(format!("{BEGUN}{}", whose.label())));
        for (name, object) in kept {
            begun_before |= whose.tells_of_writes(&name);
            if to_begin.as_ref() == Some(&name) {
                to_begin = None;
            }
            if is_copy(&name) {
                copies.insert(name);
                continue;
            }
            if !name.starts_with(PART) || !whose.may_share(label_of(&name)) {
                continue;
            }
            let path = folder.join(&name);
            if tokio::fs::metadata(&path).await.ok().map(|found| found.len()) != Some(object.size) {
                store.fetch(&object.key, &path).await?;
            }
            finished.push(open_part(&path).await?);
            attempt = attempt.max(attempt_of(&name) + 1);
        }
        if let Whose::Shard { was_written, .. } = whose {
            begun_before |= was_written;
        }
        Ok(Self {
            folder,
            copies: Arc::new(KeptCopies::of(store.clone(), copies)),
            store: Some(store),
            finished,
            begun_before,
            to_begin,
            label: whose.label(),
            attempt,
            shards: AtomicU64::new(0),
        })
    }

    /// Where the parts are on this machine.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether an earlier process began to write for this pass.
    #[must_use]
    pub fn is_resumed(&self) -> bool {
        self.begun_before
    }

    /// What an earlier process finished, as an inventory.
    #[must_use]
    pub fn finished(&self) -> Inventory {
        Inventory::of(self.finished.clone())
    }

    pub(super) fn finished_parts(&self) -> &[InventoryPart] {
        &self.finished
    }

    /// The stretches of a group of keys that are finished.
    pub(super) fn finished_ranges(&self, group: u8) -> Vec<KeyRange> {
        let parts = self.finished.iter().filter(|part| part.facts.group == group);
        parts.map(|part| part.facts.range.clone()).collect()
    }

    /// Large copies that are under way.
    pub(super) fn copies(&self) -> &Arc<KeptCopies> {
        &self.copies
    }

    /// Notes that the pass, or the shard, begins to write.
    pub(super) async fn begin(&self) -> Result<()> {
        match (&self.store, &self.to_begin) {
            (Some(store), Some(name)) => {
                store.put(name, || PutRequest::bytes(store.key(name), PutMode::Overwrite, "")).await
            }
            _ => Ok(()),
        }
    }

    /// Keeps a whole part: its stretch is finished from then on.
    pub(super) async fn keep(&self, part: &InventoryPart) -> Result<()> {
        let Some(store) = &self.store else { return Ok(()) };
        let Some(name) = part.path.file_name().and_then(|name| name.to_str()) else { return Ok(()) };
        let mut backoff = crate::retry::Backoff::new(RetryPolicy::default());
        loop {
            let file = tokio::fs::File::open(&part.path)
                .await
                .map_err(|source| CloneError::InventoryFile { path: part.path.clone(), source })?;
            let operation = |error: std::io::Error| {
                provider::Error::new(provider::ErrorKind::Other, "read", "a part").with_source(error)
            };
            let body = ReaderStream::with_capacity(file, CHUNK).map(move |chunk| chunk.map_err(operation)).boxed();
            let request = PutRequest {
                key: Key::new(store.key(name)),
                mode: PutMode::Overwrite,
                body,
                size: Some(part.size),
                sha256: Some(part.sha256),
                headers: provider::ContentHeaders::default(),
                metadata: std::collections::BTreeMap::new(),
            };
            match store.bucket.put(request).await {
                Ok(_) => return Ok(()),
                Err(error) => match backoff.wait_after(&error) {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => return Err(CloneError::at(store.bucket.location())(error)),
                },
            }
        }
    }

    /// A name for the parts of another shard, which no other shard of this pass has or had.
    pub(super) fn next_shard(&self) -> String {
        format!("{:03}-{:06}{}", self.attempt, self.shards.fetch_add(1, Ordering::Relaxed), self.label)
    }
}

/// `part-GROUP-ATTEMPT-RANGE[.PLAN.SHARD]-NUMBER.parquet`
fn attempt_of(name: &str) -> u64 {
    name.split('-').nth(2).and_then(|attempt| attempt.parse().ok()).unwrap_or(0)
}

/// What ends the name of a shard's range, with its dot; empty for others.
fn label_of(name: &str) -> &str {
    let range = name.split('-').nth(3).unwrap_or_default();
    range.find('.').map_or("", |at| &range[at..])
}

impl Store {
    pub(super) fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    async fn list(&self) -> Result<Vec<(String, ObjectMeta)>> {
        let mut request = ListRequest { prefix: self.prefix.clone(), ..ListRequest::default() };
        let mut found = Vec::new();
        loop {
            let page = retrying(RetryPolicy::default(), || self.bucket.list(&request));
            let page = page.await.map_err(CloneError::at(self.bucket.location()))?;
            for object in page.objects {
                if let Some(name) = object.key.as_str().strip_prefix(&self.prefix).filter(|name| !name.contains('/')) {
                    found.push((name.to_owned(), object));
                }
            }
            match page.next {
                Some(token) => request.token = Some(token),
                None => return Ok(found),
            }
        }
    }

    async fn put(&self, name: &str, request: impl Fn() -> PutRequest) -> Result<()> {
        let put = retrying(RetryPolicy::default(), || self.bucket.put(request())).await;
        put.map(|_| ()).map_err(CloneError::at(format!("{} ({name})", self.bucket.location())))
    }

    async fn fetch(&self, key: &Key, path: &Path) -> Result<()> {
        let at = || CloneError::at(self.bucket.location());
        let io = |source| CloneError::InventoryFile { path: path.to_owned(), source };
        let whole = GetRequest::whole(key.clone());
        let mut stream = retrying(RetryPolicy::default(), || self.bucket.get(&whole)).await.map_err(at())?;
        let unfinished = path.with_extension("unfinished");
        let mut file = tokio::fs::File::create(&unfinished).await.map_err(io)?;
        while let Some(chunk) = stream.body.next().await {
            file.write_all(&chunk.map_err(at())?).await.map_err(io)?;
        }
        file.sync_all().await.map_err(io)?;
        tokio::fs::rename(&unfinished, path).await.map_err(io)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_of_one_plan_leave_one_another_alone() {
        let shard = |plan: &str, number| Whose::Shard { plan: plan.to_owned(), number, was_written: false };
        let one = shard("b1", 3);
        let name = format!("part-4-002-000017{}-00000.parquet", one.label());
        assert_eq!((attempt_of(&name), label_of(&name)), (2, ".b1.00003"));
        assert_eq!(label_of("part-4-000-000000-00000.parquet"), "");
        for (label, shared) in [("", true), (".b1.00003", true), (".b1.00004", false), (".a9.00004", true)] {
            assert_eq!(one.may_share(label), shared, "{label}");
            assert!(Whose::Pass.may_share(label));
        }
        for (name, tells) in
            [("begun", true), ("begun.b1.00003", true), ("begun.b1.00004", false), ("plan.json", false)]
        {
            assert_eq!(one.tells_of_writes(name), tells, "{name}");
        }
        assert!(Whose::Pass.tells_of_writes("begun.b1.00004"));
    }
}
