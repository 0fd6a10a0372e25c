//! Entries as columns, and columns as entries.

use std::fs::File;

use bytes::BytesMut;
use jiff::Timestamp;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, FixedLenByteArray, FixedLenByteArrayType, Int64Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::RowGroupReader;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use provider::{Key, ObjectVersion};

use super::schema::GROUP_ROWS;
use super::{InventoryEntry, checksum_text, hexadecimal};
use crate::digest::DigestWriter;

/// Largest group of rows that is read: far above what is written, and small enough for any machine.
const LARGEST_GROUP: usize = 1 << 20;

type Group<'a> = SerializedRowGroupWriter<'a, DigestWriter<File>>;

/// Writes entries as one group of rows.
pub(super) fn write(file: &mut SerializedFileWriter<DigestWriter<File>>, entries: &[InventoryEntry]) -> Result<()> {
    let mut group = file.next_row_group()?;
    let keys: Vec<ByteArray> = cut(entries.iter().map(|entry| entry.source_key.as_str().as_bytes())).collect();
    column::<ByteArrayType>(&mut group, &keys, None)?;
    let sizes = entries.iter().map(|entry| i64::try_from(entry.size)).collect::<std::result::Result<Vec<_>, _>>();
    column::<Int64Type>(&mut group, &sizes.map_err(|error| ParquetError::External(Box::new(error)))?, None)?;
    versions(&mut group, entries.iter().map(|entry| Some(&entry.source_version)))?;
    let modified = |entry: &InventoryEntry| Some(entry.source_modified?.as_millisecond());
    optional::<Int64Type>(&mut group, entries.iter().map(modified))?;
    let renamed = entries.iter().map(|entry| entry.renamed.as_ref().map(|key| text(key.as_str())));
    optional::<ByteArrayType>(&mut group, renamed)?;
    versions(&mut group, entries.iter().map(|entry| entry.own_version.as_ref()))?;
    let checksum = |entry: &InventoryEntry| {
        entry.checksum.as_ref().map(|checksum| ByteArray::from(checksum_text::to_text(checksum).into_bytes()))
    };
    optional::<ByteArrayType>(&mut group, entries.iter().map(checksum))?;
    group.close()?;
    Ok(())
}

/// Reads one group of rows.
pub(super) fn read(group: &dyn RowGroupReader) -> Result<Vec<InventoryEntry>> {
    let rows = usize::try_from(group.metadata().num_rows()).unwrap_or(usize::MAX);
    if rows > LARGEST_GROUP {
        return Err(general(format!("a group of {rows} rows")));
    }
    let mut keys = values::<ByteArrayType>(group, 0, rows)?.into_iter();
    let mut sizes = values::<Int64Type>(group, 1, rows)?.into_iter();
    let mut source_etags = values::<FixedLenByteArrayType>(group, 2, rows)?.into_iter();
    let mut source_versions = values::<ByteArrayType>(group, 3, rows)?.into_iter();
    let mut modified = values::<Int64Type>(group, 4, rows)?.into_iter();
    let mut destination_keys = values::<ByteArrayType>(group, 5, rows)?.into_iter();
    let mut etags = values::<FixedLenByteArrayType>(group, 6, rows)?.into_iter();
    let mut versions = values::<ByteArrayType>(group, 7, rows)?.into_iter();
    let mut checksums = values::<ByteArrayType>(group, 8, rows)?.into_iter();
    let mut entries = Vec::with_capacity(rows);
    for _ in 0..rows {
        let short = || general("a column is shorter than the group".to_owned());
        let source_key = Key::new(string(keys.next().flatten().ok_or_else(short)?)?);
        let size = sizes.next().flatten().and_then(|size| u64::try_from(size).ok());
        let source_version = version(source_etags.next().flatten(), source_versions.next().flatten())?
            .ok_or_else(|| general("an object without a version".to_owned()))?;
        let own_version = version(etags.next().flatten(), versions.next().flatten())?;
        let renamed = destination_keys.next().flatten().map(string).transpose()?.map(Key::new);
        let millisecond = modified.next().flatten();
        let modified = millisecond.map(Timestamp::from_millisecond).transpose();
        let checksum = checksums.next().flatten().map(string).transpose()?;
        let checksum = checksum
            .map(|text| checksum_text::from_text(&text).ok_or_else(|| general(format!("{text:?} is no checksum"))));
        entries.push(InventoryEntry {
            size: size.ok_or_else(|| general("an object without a size, or one below zero".to_owned()))?,
            source_modified: modified.map_err(|error| ParquetError::External(Box::new(error)))?,
            renamed: renamed.filter(|key| *key != source_key),
            own_version: own_version.filter(|version| *version != source_version),
            checksum: checksum.transpose()?,
            source_key,
            source_version,
        });
    }
    Ok(entries)
}

fn text(text: &str) -> ByteArray {
    ByteArray::from(text)
}

/// Versions in two columns: 32 hexadecimal digits as their 16 bytes, everything else as text.
fn versions<'e>(
    group: &mut Group<'_>,
    versions: impl Iterator<Item = Option<&'e ObjectVersion>> + Clone,
) -> Result<()> {
    let digest = |version: Option<&ObjectVersion>| hexadecimal::digest(&version?.0);
    let digests: Vec<Option<[u8; 16]>> = versions.clone().map(digest).collect();
    let mut etags = cut(digests.iter().flatten().map(<[u8; 16]>::as_slice));
    let etags = digests.iter().map(|digest| digest.and_then(|_| etags.next()).map(FixedLenByteArray::from));
    optional::<FixedLenByteArrayType>(group, etags)?;
    let others = versions.zip(&digests);
    let others = others.map(|(version, digest)| version.filter(|_| digest.is_none()).map(|version| text(&version.0)));
    optional::<ByteArrayType>(group, others)
}

/// Values cut from one buffer: cheaper than a buffer for each.
fn cut<'v>(values: impl Iterator<Item = &'v [u8]> + Clone) -> impl Iterator<Item = ByteArray> {
    let mut all = BytesMut::with_capacity(values.clone().map(<[u8]>::len).sum());
    values.clone().for_each(|value| all.extend_from_slice(value));
    let mut all = all.freeze();
    values.map(move |value| ByteArray::from(all.split_to(value.len())))
}

fn version(etag: Option<FixedLenByteArray>, text: Option<ByteArray>) -> Result<Option<ObjectVersion>> {
    match (etag, text) {
        (Some(etag), None) => Ok(Some(ObjectVersion(hexadecimal::text(etag.data())))),
        (None, Some(text)) => string(text).map(|text| Some(ObjectVersion(text))),
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(general("an object with two versions".to_owned())),
    }
}

fn optional<T: DataType>(group: &mut Group<'_>, values: impl Iterator<Item = Option<T::T>>) -> Result<()> {
    let mut present = Vec::with_capacity(GROUP_ROWS);
    let values: Vec<T::T> = values.inspect(|value| present.push(i16::from(value.is_some()))).flatten().collect();
    column::<T>(group, &values, Some(&present))
}

fn column<T: DataType>(group: &mut Group<'_>, values: &[T::T], present: Option<&[i16]>) -> Result<()> {
    let mut column = group.next_column()?.ok_or_else(|| general("fewer columns than written".to_owned()))?;
    column.typed::<T>().write_batch(values, present, None)?;
    column.close()
}

/// The values of a column, `None` where a row has none.
fn values<T: DataType>(group: &dyn RowGroupReader, column: usize, rows: usize) -> Result<Vec<Option<T::T>>> {
    let optional = group.metadata().column(column).column_descr().max_def_level() > 0;
    let wrong = || general(format!("column {column} has another type"));
    let mut reader = T::get_column_reader(group.get_column_reader(column)?).ok_or_else(wrong)?;
    let (mut values, mut present) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
    let mut read = 0;
    while read < rows {
        let (records, _, _) = reader.read_records(rows - read, optional.then_some(&mut present), None, &mut values)?;
        if records == 0 {
            return Err(general("a column is shorter than the group".to_owned()));
        }
        read += records;
    }
    let mut values = values.into_iter();
    if !optional {
        return Ok(values.map(Some).collect());
    }
    Ok(present.into_iter().map(|present| if present > 0 { values.next() } else { None }).collect())
}

fn string(bytes: ByteArray) -> Result<String> {
    bytes.as_utf8().map(str::to_owned)
}

pub(super) fn general(what: String) -> ParquetError {
    ParquetError::General(what)
}
