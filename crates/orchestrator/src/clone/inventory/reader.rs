//! Reads a part of an inventory, one group of rows in memory.

use std::fs::File;
use std::path::Path;

use jiff::Timestamp;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use provider::{Checksum, Key, ObjectVersion};
use tokio::sync::mpsc;

use super::schema::check;
use super::{InventoryEntry, checksum_text};
use crate::clone::order::Kind;
use crate::clone::{CloneError, Result};

/// Largest group of rows that is read: far above what is written, and small enough for any machine.
const LARGEST_GROUP: usize = 1 << 20;

/// The kind of a part's keys, and how many there are.
pub(super) fn kind_and_rows(path: &Path) -> Result<(Kind, u64)> {
    let (file, kind) = open(path)?;
    let rows = file.metadata().file_metadata().num_rows();
    Ok((kind, u64::try_from(rows).unwrap_or_default()))
}

/// Sends the groups of a part to whoever listens. `false` when nobody does any more.
pub(super) fn send_groups(
    path: &Path,
    last: &mut Option<Key>,
    groups: &mpsc::Sender<Vec<InventoryEntry>>,
) -> Result<bool> {
    let damaged = |source| CloneError::InventoryFormat { path: path.to_owned(), source };
    let (file, _) = open(path)?;
    for number in 0..file.num_row_groups() {
        let entries = file.get_row_group(number).and_then(|group| read_group(&*group)).map_err(damaged)?;
        for entry in &entries {
            if last.as_ref().is_some_and(|last| *last >= entry.destination_key) {
                return Err(damaged(general(format!("{:?} is out of order", entry.destination_key.as_str()))));
            }
            *last = Some(entry.destination_key.clone());
        }
        if groups.blocking_send(entries).is_err() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn open(path: &Path) -> Result<(SerializedFileReader<File>, Kind)> {
    let file = File::open(path).map_err(|source| CloneError::InventoryFile { path: path.to_owned(), source })?;
    let checked = || {
        let file = SerializedFileReader::new(file)?;
        let kind = check(file.metadata().file_metadata())?;
        Ok((file, kind))
    };
    checked().map_err(|source| CloneError::InventoryFormat { path: path.to_owned(), source })
}

fn read_group(group: &dyn RowGroupReader) -> ParquetResult<Vec<InventoryEntry>> {
    let rows = usize::try_from(group.metadata().num_rows()).unwrap_or(usize::MAX);
    if rows > LARGEST_GROUP {
        return Err(general(format!("a group of {rows} rows")));
    }
    let mut source_keys = required::<ByteArrayType>(group, 0, rows)?.into_iter();
    let mut sizes = required::<Int64Type>(group, 1, rows)?.into_iter();
    let mut source_versions = required::<ByteArrayType>(group, 2, rows)?.into_iter();
    let mut modified = optional::<Int64Type>(group, 3, rows)?.into_iter();
    let mut destination_keys = required::<ByteArrayType>(group, 4, rows)?.into_iter();
    let mut destination_versions = required::<ByteArrayType>(group, 5, rows)?.into_iter();
    let mut checksums = optional::<ByteArrayType>(group, 6, rows)?.into_iter();
    let short = || general("columns of different lengths".to_owned());
    let mut entries = Vec::with_capacity(rows);
    for _ in 0..rows {
        let size = sizes.next().ok_or_else(short)?;
        entries.push(InventoryEntry {
            source_key: Key::new(text(&source_keys.next().ok_or_else(short)?)?),
            size: u64::try_from(size).map_err(|error| ParquetError::External(Box::new(error)))?,
            source_version: ObjectVersion(text(&source_versions.next().ok_or_else(short)?)?),
            source_modified: modified.next().ok_or_else(short)?.map(timestamp).transpose()?,
            destination_key: Key::new(text(&destination_keys.next().ok_or_else(short)?)?),
            destination_version: ObjectVersion(text(&destination_versions.next().ok_or_else(short)?)?),
            checksum: checksums.next().ok_or_else(short)?.map(|value| checksum(&value)).transpose()?,
        });
    }
    Ok(entries)
}

fn required<T: DataType>(group: &dyn RowGroupReader, column: usize, rows: usize) -> ParquetResult<Vec<T::T>> {
    let mut values = Vec::with_capacity(rows);
    let mut reader = T::get_column_reader(group.get_column_reader(column)?).ok_or_else(|| wrong_type(column))?;
    reader.read_records(rows, None, None, &mut values)?;
    Ok(values)
}

fn optional<T: DataType>(group: &dyn RowGroupReader, column: usize, rows: usize) -> ParquetResult<Vec<Option<T::T>>> {
    let (mut values, mut present) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
    let mut reader = T::get_column_reader(group.get_column_reader(column)?).ok_or_else(|| wrong_type(column))?;
    reader.read_records(rows, Some(&mut present), None, &mut values)?;
    let mut values = values.into_iter();
    Ok(present.into_iter().map(|level| if level == 1 { values.next() } else { None }).collect())
}

fn text(value: &ByteArray) -> ParquetResult<String> {
    value.as_utf8().map(str::to_owned)
}

fn timestamp(millisecond: i64) -> ParquetResult<Timestamp> {
    Timestamp::from_millisecond(millisecond).map_err(|error| ParquetError::External(Box::new(error)))
}

fn checksum(value: &ByteArray) -> ParquetResult<Checksum> {
    let text = value.as_utf8()?;
    checksum_text::from_text(text).ok_or_else(|| general(format!("{text:?} is not a checksum")))
}

fn wrong_type(column: usize) -> ParquetError {
    general(format!("column {column} has another type"))
}

fn general(message: String) -> ParquetError {
    ParquetError::General(message)
}
