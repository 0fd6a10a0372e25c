//! Writes an inventory: parts of bounded size, one group of rows in memory.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::schema::{GROUP_ROWS, properties, schema};
use super::{InventoryEntry, InventoryPart, checksum_text};
use crate::clone::order::Kind;
use crate::clone::{CloneError, Result};
use crate::digest::DigestWriter;

/// Rows in one part.
const PART_ROWS: u64 = 1_000_000;

/// What a writer is told.
enum Instruction {
    Entry(Kind, Box<InventoryEntry>),
    Finish,
}

/// Writes entries into the parts of an inventory, on a thread of its own.
#[derive(Debug)]
pub(in crate::clone) struct InventoryWriter {
    instructions: mpsc::Sender<Instruction>,
    thread: JoinHandle<Result<Vec<InventoryPart>>>,
}

impl InventoryWriter {
    /// Begins an inventory in a folder, which is made if absent. Existing parts are never replaced.
    pub(in crate::clone) fn start(folder: &Path) -> Self {
        let (instructions, received) = mpsc::channel(1024);
        let folder = folder.to_owned();
        let thread = tokio::task::spawn_blocking(move || write_parts(&folder, received));
        Self { instructions, thread }
    }

    /// Adds an entry. A kind's entries come together, sorted by key.
    pub(in crate::clone) async fn push(&mut self, kind: Kind, entry: InventoryEntry) -> Result<()> {
        if self.instructions.send(Instruction::Entry(kind, Box::new(entry))).await.is_ok() {
            return Ok(());
        }
        // The thread ends before it is told to only when it failed.
        joined(&mut self.thread).await.map(|_| ())
    }

    /// Ends the inventory.
    pub(in crate::clone) async fn finish(mut self) -> Result<Vec<InventoryPart>> {
        let _ = self.instructions.send(Instruction::Finish).await;
        joined(&mut self.thread).await
    }
}

async fn joined(thread: &mut JoinHandle<Result<Vec<InventoryPart>>>) -> Result<Vec<InventoryPart>> {
    thread.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

fn write_parts(folder: &Path, mut received: mpsc::Receiver<Instruction>) -> Result<Vec<InventoryPart>> {
    let mut parts = Vec::new();
    let mut open: Option<Part> = None;
    loop {
        match received.blocking_recv() {
            Some(Instruction::Entry(kind, entry)) => {
                if open.as_ref().is_some_and(|part| part.kind != kind || part.rows >= PART_ROWS)
                    && let Some(part) = open.take()
                {
                    parts.push(part.close()?);
                }
                let part = match &mut open {
                    Some(part) => part,
                    None => open.insert(Part::create(folder, parts.len(), kind)?),
                };
                part.push(*entry)?;
            }
            Some(Instruction::Finish) => {
                if let Some(part) = open.take() {
                    parts.push(part.close()?);
                }
                return Ok(parts);
            }
            // Given up: what is there lacks its end and can't be taken for a whole inventory.
            None => return Ok(Vec::new()),
        }
    }
}

struct Part {
    path: PathBuf,
    kind: Kind,
    rows: u64,
    group: Vec<InventoryEntry>,
    file: SerializedFileWriter<DigestWriter<File>>,
}

impl Part {
    fn create(folder: &Path, number: usize, kind: Kind) -> Result<Self> {
        std::fs::create_dir_all(folder)
            .map_err(|source| CloneError::InventoryFile { path: folder.to_owned(), source })?;
        let path = folder.join(format!("part-{number:05}.parquet"));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(|source| CloneError::InventoryFile { path: path.clone(), source })?;
        let start = || SerializedFileWriter::new(DigestWriter::new(file), schema()?, properties(kind)?);
        let file = start().map_err(|source| CloneError::InventoryFormat { path: path.clone(), source })?;
        Ok(Self { path, kind, rows: 0, group: Vec::with_capacity(GROUP_ROWS), file })
    }

    fn push(&mut self, entry: InventoryEntry) -> Result<()> {
        self.rows += 1;
        self.group.push(entry);
        if self.group.len() == GROUP_ROWS { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        if self.group.is_empty() {
            return Ok(());
        }
        let written = write_group(&mut self.file, &self.group);
        self.group.clear();
        written.map_err(|source| CloneError::InventoryFormat { path: self.path.clone(), source })
    }

    fn close(mut self) -> Result<InventoryPart> {
        self.flush()?;
        let Self { path, kind, rows, file, .. } = self;
        let writer = match file.into_inner() {
            Ok(writer) => writer,
            Err(source) => return Err(CloneError::InventoryFormat { path, source }),
        };
        let (file, digest) = writer.into_parts();
        if let Err(source) = file.sync_all() {
            return Err(CloneError::InventoryFile { path, source });
        }
        Ok(InventoryPart { path, kind, objects: rows, size: digest.size, sha256: digest.sha256 })
    }
}

type FileWriter = SerializedFileWriter<DigestWriter<File>>;

fn write_group(file: &mut FileWriter, entries: &[InventoryEntry]) -> ParquetResult<()> {
    let mut group = file.next_row_group()?;
    let required = |text: fn(&InventoryEntry) -> &str| -> Vec<ByteArray> {
        entries.iter().map(|entry| ByteArray::from(text(entry))).collect()
    };
    write_column::<ByteArrayType>(&mut group, &required(|entry| entry.source_key.as_str()), None)?;
    let sizes = entries.iter().map(|entry| i64::try_from(entry.size)).collect::<Result<Vec<_>, _>>();
    let sizes = sizes.map_err(|error| ParquetError::External(Box::new(error)))?;
    write_column::<Int64Type>(&mut group, &sizes, None)?;
    write_column::<ByteArrayType>(&mut group, &required(|entry| &entry.source_version.0), None)?;
    let modified: Vec<i64> =
        entries.iter().filter_map(|entry| entry.source_modified).map(|modified| modified.as_millisecond()).collect();
    let present: Vec<i16> = entries.iter().map(|entry| i16::from(entry.source_modified.is_some())).collect();
    write_column::<Int64Type>(&mut group, &modified, Some(&present))?;
    write_column::<ByteArrayType>(&mut group, &required(|entry| entry.destination_key.as_str()), None)?;
    write_column::<ByteArrayType>(&mut group, &required(|entry| &entry.destination_version.0), None)?;
    let checksums: Vec<ByteArray> = entries
        .iter()
        .filter_map(|entry| entry.checksum.as_ref())
        .map(|checksum| ByteArray::from(checksum_text::to_text(checksum).into_bytes()))
        .collect();
    let present: Vec<i16> = entries.iter().map(|entry| i16::from(entry.checksum.is_some())).collect();
    write_column::<ByteArrayType>(&mut group, &checksums, Some(&present))?;
    group.close()?;
    Ok(())
}

fn write_column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, DigestWriter<File>>,
    values: &[T::T],
    present: Option<&[i16]>,
) -> ParquetResult<()> {
    let mut column =
        group.next_column()?.ok_or_else(|| ParquetError::General("fewer columns than written".to_owned()))?;
    column.typed::<T>().write_batch(values, present, None)?;
    column.close()
}
