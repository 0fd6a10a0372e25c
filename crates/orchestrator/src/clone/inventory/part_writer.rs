//! Writes one part of an inventory, group by group.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use parquet::file::metadata::KeyValue;
use parquet::file::writer::SerializedFileWriter;

use super::schema::{FACTS, properties, schema};
use super::{InventoryEntry, InventoryPart, PartFacts, columns};
use crate::clone::{CloneError, Result};
use crate::digest::DigestWriter;

/// A part that is being written. What is given up lacks its end and can't be taken for a part.
///
/// Its calls block: they belong on a thread for that.
pub(in crate::clone) struct PartWriter {
    path: PathBuf,
    rows: u64,
    file: SerializedFileWriter<DigestWriter<File>>,
}

impl PartWriter {
    /// Begins a part under this name in a folder, which is made if absent; `first` are the first entries that it will have. An
    /// existing part is never replaced.
    pub(in crate::clone) fn create(folder: &Path, name: &str, first: &[InventoryEntry]) -> Result<Self> {
        std::fs::create_dir_all(folder)
            .map_err(|source| CloneError::InventoryFile { path: folder.to_owned(), source })?;
        let path = folder.join(name);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(|source| CloneError::InventoryFile { path: path.clone(), source })?;
        let start = || SerializedFileWriter::new(DigestWriter::new(file), schema()?, properties(first)?);
        let file = start().map_err(|source| CloneError::InventoryFormat { path: path.clone(), source })?;
        Ok(Self { path, rows: 0, file })
    }

    /// Adds entries, which are sorted and come after all others, as one group of rows.
    pub(in crate::clone) fn write(&mut self, entries: &[InventoryEntry]) -> Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        self.rows += entries.len() as u64;
        columns::write(&mut self.file, entries)
            .map_err(|source| CloneError::InventoryFormat { path: self.path.clone(), source })
    }

    /// Ends the part; it is on disk then.
    pub(in crate::clone) fn close(self, facts: PartFacts) -> Result<InventoryPart> {
        let Self { path, rows, mut file } = self;
        let damaged = |source| CloneError::InventoryFormat { path: path.clone(), source };
        let text = serde_json::to_string(&facts)
            .map_err(|error| damaged(parquet::errors::ParquetError::External(Box::new(error))))?;
        file.append_key_value_metadata(KeyValue::new(FACTS.to_owned(), text));
        let (file, digest) = file.into_inner().map_err(damaged)?.into_parts();
        file.sync_all().map_err(|source| CloneError::InventoryFile { path: path.clone(), source })?;
        Ok(InventoryPart { path, objects: rows, size: digest.size, sha256: digest.sha256, facts })
    }
}
