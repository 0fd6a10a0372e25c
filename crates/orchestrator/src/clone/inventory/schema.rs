//! The columns of an inventory, and what a part says of itself.

use std::sync::Arc;

use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{FileMetaData, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{ColumnPath, TypePtr};
use provider::ObjectVersion;
use serde::{Deserialize, Serialize};

use super::{InventoryEntry, hexadecimal};
use crate::clone::range::KeyRange;

/// Rows in one group: what a writer or reader holds in memory at once.
pub(in crate::clone) const GROUP_ROWS: usize = 1024;
/// Name of the file's metadata that holds [`PartFacts`] as JSON.
pub(super) const FACTS: &str = "pachsnap.part";

const MESSAGE: &str = "message inventory {
    required binary source_key (STRING);
    required int64 size;
    optional fixed_len_byte_array(16) source_etag;
    optional binary source_version (STRING);
    optional int64 source_modified (TIMESTAMP(MILLIS,true));
    optional binary destination_key (STRING);
    optional fixed_len_byte_array(16) destination_etag;
    optional binary destination_version (STRING);
    optional binary checksum (STRING);
}";

/// What a part says of itself: which keys it speaks for, and what was done to them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartFacts {
    /// Every object of the clone in this range is in the part, as far as it is of the part's group.
    pub range: KeyRange,
    /// Which of the groups of keys that a pass goes through one after the other.
    pub group: u8,
    /// First and last key, absent when there is none.
    pub ends: Option<(String, String)>,
    /// Bytes of its objects.
    pub bytes: u64,
    /// Objects that the pass copied.
    pub copied: u64,
    /// Bytes of those.
    pub copied_bytes: u64,
    /// Objects that were in the clone already.
    pub skipped: u64,
    /// Objects that changed or vanished between listing and copy.
    pub changed: u64,
    /// Keys of the range that the clone has and the source lacks, as far as they are known.
    pub extra: u64,
    /// Rows for keys that the clone may have and the source lacks, or of which nothing is known: a pass that deletes comes
    /// later.
    pub kept: u64,
    /// Whether there may be more of them, which only a listing of the clone tells.
    pub maybe_more: bool,
}

pub(super) fn schema() -> Result<TypePtr> {
    parse_message_type(MESSAGE).map(Arc::new)
}

/// How a part is written that begins with these entries. What they have none of is not compressed: that costs more than it
/// saves, for each group of rows.
pub(super) fn properties(first: &[InventoryEntry]) -> Result<WriterPropertiesPtr> {
    let by_source_key = SortingColumn { column_idx: 0, descending: false, nulls_first: false };
    let column = |name: &str| ColumnPath::from(name);
    let is_text = |version: &ObjectVersion| hexadecimal::digest(&version.0).is_none();
    let has = |what: &dyn Fn(&InventoryEntry) -> bool| first.iter().any(what);
    let texts = [
        ("source_key", true),
        ("source_version", has(&|entry| is_text(&entry.source_version))),
        ("destination_key", has(&|entry| entry.renamed.is_some())),
        ("destination_version", has(&|entry| entry.own_version.as_ref().is_some_and(is_text))),
        ("checksum", has(&|entry| entry.checksum.is_some())),
    ];
    let mut properties = WriterProperties::builder()
        .set_created_by(concat!("pachsnap ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::UNCOMPRESSED)
        .set_dictionary_enabled(false)
        .set_encoding(Encoding::PLAIN)
        .set_column_encoding(column("source_key"), Encoding::DELTA_BYTE_ARRAY)
        .set_column_encoding(column("size"), Encoding::DELTA_BINARY_PACKED)
        .set_column_encoding(column("source_modified"), Encoding::DELTA_BINARY_PACKED)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_column_statistics_enabled(column("source_key"), EnabledStatistics::Chunk)
        .set_sorting_columns(Some(vec![by_source_key]));
    for (name, _) in texts.into_iter().filter(|(_, compressed)| *compressed) {
        properties = properties.set_column_compression(column(name), Compression::ZSTD(ZstdLevel::try_new(1)?));
    }
    Ok(Arc::new(properties.build()))
}

/// What a part says of itself, once its columns are known to be the right ones.
pub(super) fn check(metadata: &FileMetaData) -> Result<PartFacts> {
    let ours = schema()?;
    let theirs = metadata.schema_descr().columns();
    let same = theirs.len() == ours.get_fields().len()
        && theirs.iter().zip(ours.get_fields()).all(|(theirs, ours)| {
            theirs.path().string() == ours.name()
                && theirs.physical_type() == ours.get_physical_type()
                && theirs.max_rep_level() == 0
                && theirs.max_def_level() == i16::from(ours.is_optional())
        });
    if !same {
        return Err(ParquetError::General("other columns than an inventory has".to_owned()));
    }
    let facts = metadata
        .key_value_metadata()
        .and_then(|pairs| pairs.iter().find(|pair| pair.key == FACTS))
        .and_then(|pair| pair.value.as_deref())
        .ok_or_else(|| ParquetError::General(format!("{FACTS} is missing")))?;
    serde_json::from_str(facts).map_err(|error| ParquetError::External(Box::new(error)))
}
