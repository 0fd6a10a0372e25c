//! The inventory: every object of a clone, in sorted Parquet files.
//!
//! A part holds keys of one kind, sorted by their bytes; the parts of a kind follow one another. Columns: `source_key`,
//! `size`, `source_version`, `source_modified` (milliseconds, UTC), `destination_key`, `destination_version`, `checksum`
//! (as `sha256:…` in hexadecimal). The file's metadata names the kind under `pachsnap.kind`. Compressed with zstd.

mod checksum_text;
mod entries;
mod reader;
mod schema;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use provider::{Checksum, Key, ObjectMeta, ObjectVersion};

pub use entries::Entries;
pub(super) use writer::InventoryWriter;

use super::order::Kind;
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
    /// The key in the clone.
    pub destination_key: Key,
    /// ETag or generation of the copy.
    pub destination_version: ObjectVersion,
    /// A checksum of the content, if one is known.
    pub checksum: Option<Checksum>,
}

impl InventoryEntry {
    pub(super) fn new(
        source: &ObjectMeta,
        destination_key: Key,
        destination_version: ObjectVersion,
        checksum: Option<Checksum>,
    ) -> Self {
        let to_millisecond =
            |modified: Timestamp| Timestamp::from_millisecond(modified.as_millisecond()).unwrap_or(modified);
        Self {
            source_key: source.key.clone(),
            size: source.size,
            source_version: source.version.clone(),
            source_modified: source.modified.map(to_millisecond),
            destination_key,
            destination_version,
            checksum,
        }
    }
}

/// One file of an inventory on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InventoryPart {
    /// The file.
    pub path: PathBuf,
    /// The kind of all its keys.
    pub kind: Kind,
    /// Number of objects.
    pub objects: u64,
    /// Size of the file in bytes.
    pub size: u64,
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
}

/// An inventory on this machine: the parts in their order.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    parts: Arc<[InventoryPart]>,
}

impl Inventory {
    pub(super) fn of(parts: Vec<InventoryPart>) -> Self {
        Self { parts: parts.into() }
    }

    /// Opens the files of an inventory, given in their order (`part-00000` first), and reads their digests.
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

    /// The parts in their order.
    #[must_use]
    pub fn parts(&self) -> &[InventoryPart] {
        &self.parts
    }

    /// Number of objects.
    #[must_use]
    pub fn objects(&self) -> u64 {
        self.parts.iter().map(|part| part.objects).sum()
    }

    /// The objects of one kind, sorted by key, read in the background as they are taken.
    #[must_use]
    pub fn entries(&self, kind: Kind) -> Entries {
        let paths = self.parts.iter().filter(|part| part.kind == kind).map(|part| part.path.clone()).collect();
        Entries::of_files(paths)
    }

    /// All objects, sorted by key across the kinds.
    #[must_use]
    pub fn all_entries(&self) -> Entries {
        Entries::merged(Kind::ALL.map(|kind| self.entries(kind)).into())
    }
}

async fn open_part(path: &Path) -> Result<InventoryPart> {
    let digest =
        digest::of_file(path).await.map_err(|source| CloneError::InventoryFile { path: path.to_owned(), source })?;
    let owned = path.to_owned();
    let (kind, objects) = tokio::task::spawn_blocking(move || reader::kind_and_rows(&owned))
        .await
        .unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?;
    Ok(InventoryPart { path: path.to_owned(), kind, objects, size: digest.size, sha256: digest.sha256 })
}
