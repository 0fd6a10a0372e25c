//! The inventory: every object of a clone, in Parquet files that are sorted by the source's key.
//!
//! Columns: `source_key`, `size`, `source_etag` (16 bytes, for the usual versions of 32 hexadecimal digits) or
//! `source_version` (text, for all others), `source_modified` (milliseconds, UTC), and where they differ from the source's
//! `destination_key` and `destination_etag` or `destination_version`; `checksum` (as `sha256:…` in hexadecimal).
//! Columns of text are compressed with zstd, those of bytes are not, and those of numbers hold differences. The file's metadata
//! says under `pachsnap.part` which keys the part speaks for ([`PartFacts`]).

mod checksum_text;
mod columns;
mod entries;
mod hexadecimal;
mod part_writer;
mod schema;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use provider::{Checksum, Key, ObjectMeta, ObjectVersion};

pub use entries::Entries;
pub(super) use part_writer::PartWriter;
pub(super) use schema::GROUP_ROWS;
pub use schema::PartFacts;

use super::range::KeyRange;
use super::{CloneError, Result};
use crate::digest;

/// One object of a clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InventoryEntry {
    /// The key in the source.
    pub source_key: Key,
    /// Size in bytes.
    pub size: u64,
    /// ETag or generation of the source that was copied.
    pub source_version: ObjectVersion,
    /// Last change of the source, to the millisecond.
    pub source_modified: Option<Timestamp>,
    /// The key in the clone, where it is another one.
    renamed: Option<Key>,
    /// ETag or generation of the copy, where it is not the source's.
    own_version: Option<ObjectVersion>,
    /// A checksum of the content, if one is known.
    pub checksum: Option<Checksum>,
}

impl InventoryEntry {
    /// An entry for what the clone may have under a key, whatever it is: it is as no source's version is. `renamed` is the key in
    /// the clone, where it is another one.
    pub(super) fn unknown(source_key: Key, renamed: Option<Key>) -> Self {
        Self {
            size: 0,
            source_version: ObjectVersion(String::new()),
            source_modified: None,
            renamed: renamed.filter(|key| *key != source_key),
            own_version: None,
            checksum: None,
            source_key,
        }
    }

    /// The key in the clone.
    #[must_use]
    pub fn destination_key(&self) -> &Key {
        self.renamed.as_ref().unwrap_or(&self.source_key)
    }

    /// ETag or generation of the copy.
    #[must_use]
    pub fn destination_version(&self) -> &ObjectVersion {
        self.own_version.as_ref().unwrap_or(&self.source_version)
    }

    /// The key in the clone, and the ETag or generation of the copy.
    #[must_use]
    pub fn into_destination(self) -> (Key, ObjectVersion) {
        (self.renamed.unwrap_or(self.source_key), self.own_version.unwrap_or(self.source_version))
    }

    /// The keys in the source and in the clone.
    #[must_use]
    pub fn into_keys(self) -> (Key, Key) {
        let destination = self.renamed.unwrap_or_else(|| self.source_key.clone());
        (self.source_key, destination)
    }

    /// Whether nothing is said of an object, only that the clone may have one under this key which the source lacks.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.source_version.0.is_empty()
    }

    /// `renamed` is the key in the clone, where it is another one.
    pub(super) fn new(
        source: ObjectMeta,
        renamed: Option<Key>,
        destination_version: ObjectVersion,
        checksum: Option<Checksum>,
    ) -> Self {
        let to_millisecond =
            |modified: Timestamp| Timestamp::from_millisecond(modified.as_millisecond()).unwrap_or(modified);
        Self {
            renamed: renamed.filter(|key| *key != source.key),
            own_version: Some(destination_version).filter(|version| *version != source.version),
            source_key: source.key,
            size: source.size,
            source_version: source.version,
            source_modified: source.modified.map(to_millisecond),
            checksum,
        }
    }
}

/// One file of an inventory on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InventoryPart {
    /// The file.
    pub path: PathBuf,
    /// Number of objects.
    pub objects: u64,
    /// Size of the file in bytes.
    pub size: u64,
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    /// What it says of itself.
    pub facts: PartFacts,
}

impl InventoryPart {
    fn may_hold(&self, range: &KeyRange) -> bool {
        let Some((first, last)) = &self.facts.ends else { return false };
        let before = range.after.as_ref().is_some_and(|after| last.as_str() <= after.as_str())
            || last.as_str() < range.prefix.as_str();
        let behind = range.through.as_ref().is_some_and(|through| first.as_str() > through.as_str())
            || (first.as_str() > range.prefix.as_str() && !first.starts_with(&range.prefix));
        !before && !behind
    }
}

/// An inventory on this machine.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    parts: Arc<[InventoryPart]>,
}

impl Inventory {
    pub(super) fn of(mut parts: Vec<InventoryPart>) -> Self {
        parts.sort_by(|one, other| (one.facts.group, &one.facts.ends).cmp(&(other.facts.group, &other.facts.ends)));
        Self { parts: parts.into() }
    }

    /// Opens the files of an inventory, in any order, and reads their digests.
    ///
    /// # Errors
    /// [`CloneError::InventoryFile`], [`CloneError::InventoryFormat`].
    pub async fn open(paths: &[PathBuf]) -> Result<Self> {
        let mut parts = Vec::with_capacity(paths.len());
        for path in paths {
            parts.push(open_part(path).await?);
        }
        Ok(Self::of(parts))
    }

    /// The parts.
    #[must_use]
    pub fn parts(&self) -> &[InventoryPart] {
        &self.parts
    }

    /// Number of objects.
    #[must_use]
    pub fn objects(&self) -> u64 {
        self.parts.iter().map(|part| part.objects).sum()
    }

    /// Bytes of all objects.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.facts.bytes).sum()
    }

    /// All objects, sorted by the source's key.
    #[must_use]
    pub fn entries(&self) -> Entries {
        self.entries_in(&KeyRange::default())
    }

    /// The objects whose source's keys lie in a range, sorted by them. Only what is taken is read.
    #[must_use]
    pub fn entries_in(&self, range: &KeyRange) -> Entries {
        let parts = self.parts.iter().filter(|part| part.may_hold(range)).cloned().collect();
        Entries::new(parts, range.clone())
    }
}

/// Opens one part and reads its digest.
pub(super) async fn open_part(path: &Path) -> Result<InventoryPart> {
    let digest =
        digest::of_file(path).await.map_err(|source| CloneError::InventoryFile { path: path.to_owned(), source })?;
    let owned = path.to_owned();
    let (facts, objects) = tokio::task::spawn_blocking(move || entries::facts_and_rows(&owned))
        .await
        .unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?;
    Ok(InventoryPart { path: path.to_owned(), objects, size: digest.size, sha256: digest.sha256, facts })
}
