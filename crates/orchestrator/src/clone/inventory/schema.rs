//! The columns of an inventory.

use std::sync::Arc;

use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{FileMetaData, KeyValue, SortingColumn};
use parquet::file::properties::{WriterProperties, WriterPropertiesPtr};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::TypePtr;

use crate::clone::order::Kind;

/// Rows in one group: what a writer or reader holds in memory at once.
pub(super) const GROUP_ROWS: usize = 8192;
/// Name of the file's metadata that holds the kind of its keys.
const KIND: &str = "pachsnap.kind";

const MESSAGE: &str = "message inventory {
    required binary source_key (STRING);
    required int64 size;
    required binary source_version (STRING);
    optional int64 source_modified (TIMESTAMP(MILLIS,true));
    required binary destination_key (STRING);
    required binary destination_version (STRING);
    optional binary checksum (STRING);
}";

pub(super) fn schema() -> Result<TypePtr> {
    parse_message_type(MESSAGE).map(Arc::new)
}

pub(super) fn properties(kind: Kind) -> Result<WriterPropertiesPtr> {
    let kind = KeyValue::new(KIND.to_owned(), kind.as_str().to_owned());
    let by_source_key = SortingColumn { column_idx: 0, descending: false, nulls_first: false };
    let properties = WriterProperties::builder()
        .set_created_by(concat!("pachsnap ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .set_dictionary_enabled(false)
        .set_encoding(Encoding::PLAIN)
        .set_key_value_metadata(Some(vec![kind]))
        .set_sorting_columns(Some(vec![by_source_key]))
        .build();
    Ok(Arc::new(properties))
}

/// The kind that a file is for, once its columns are known to be the right ones.
pub(super) fn check(metadata: &FileMetaData) -> Result<Kind> {
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
    metadata
        .key_value_metadata()
        .and_then(|pairs| pairs.iter().find(|pair| pair.key == KIND))
        .and_then(|pair| pair.value.as_deref())
        .and_then(Kind::from_name)
        .ok_or_else(|| ParquetError::General(format!("{KIND} is missing or unknown")))
}
