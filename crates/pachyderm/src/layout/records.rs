//! The small values behind `object/`, `tag/` and `index/` keys.

use std::collections::BTreeMap;

use crate::wire::{self, WireError};

/// Where an object's bytes are: the value of an `object/` key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockRef {
    /// Id of the block.
    pub block: String,
    /// First byte within the block.
    pub lower: u64,
    /// One past the last byte.
    pub upper: u64,
}

impl BlockRef {
    /// Decodes the value of an `object/` key.
    pub fn decode(message: &[u8]) -> Result<Self, WireError> {
        let block = wire::bytes_of(message, 1)?.unwrap_or(&[]);
        let range = wire::bytes_of(message, 2)?.unwrap_or(&[]);
        Ok(Self {
            block: wire::text_of(block, 1)?.to_owned(),
            lower: wire::varint_of(range, 1)?,
            upper: wire::varint_of(range, 2)?,
        })
    }
}

/// Objects and tags: the value of a `tag/` or `index/` key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectIndex {
    /// Where each object is, by its hash.
    pub objects: BTreeMap<String, BlockRef>,
    /// The hash of the object behind each tag.
    pub tags: BTreeMap<String, String>,
}

impl ObjectIndex {
    /// Decodes the value of a `tag/` or `index/` key.
    pub fn decode(message: &[u8]) -> Result<Self, WireError> {
        let mut index = Self::default();
        for field in wire::fields(message) {
            let field = field?;
            if field.number > 2 {
                continue;
            }
            let entry = field.bytes()?;
            let name = wire::text_of(entry, 1)?.to_owned();
            let value = wire::bytes_of(entry, 2)?.unwrap_or(&[]);
            if field.number == 1 {
                index.objects.insert(name, BlockRef::decode(value)?);
            } else {
                index.tags.insert(name, wire::text_of(value, 1)?.to_owned());
            }
        }
        Ok(index)
    }
}
