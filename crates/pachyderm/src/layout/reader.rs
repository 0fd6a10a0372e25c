//! Reading what a bucket's keys hold, without knowing the store.

use std::error::Error;
use std::ops::Range;

use sha2::{Digest, Sha512};

use super::{BlockRef, KeyKind};
use crate::wire::WireError;

/// A failure of whatever store is behind an [`ObjectReader`].
pub type StoreError = Box<dyn Error + Send + Sync>;

/// A bucket, seen through its layout. Any closure of the right shape is one.
pub trait ObjectReader {
    /// The value of the key that holds `kind`, or the part `range` of it. Nothing when there is no such key. Blocking.
    fn read(&self, kind: &KeyKind, range: Option<Range<u64>>) -> Result<Option<Vec<u8>>, StoreError>;
}

impl<F> ObjectReader for F
where
    F: Fn(&KeyKind, Option<Range<u64>>) -> Result<Option<Vec<u8>>, StoreError>,
{
    fn read(&self, kind: &KeyKind, range: Option<Range<u64>>) -> Result<Option<Vec<u8>>, StoreError> {
        self(kind, range)
    }
}

/// Why an object can't be read. Only [`ReadError::Store`] may go away by a retry.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The store failed.
    #[error("reading {kind:?} failed")]
    Store {
        /// What was read.
        kind: KeyKind,
        /// What the store says.
        #[source]
        source: StoreError,
    },
    /// A key that something points to is missing.
    #[error("{kind:?} is missing in the bucket")]
    Missing {
        /// What should be there.
        kind: KeyKind,
    },
    /// The value of an `object/` key isn't a reference to a block.
    #[error("object {hash} is no block reference")]
    BadRecord {
        /// SHA-512 of the object, hex.
        hash: String,
        /// What is wrong with the record.
        #[source]
        source: WireError,
    },
    /// A reference points beyond the end of its block.
    #[error("block {block} has no bytes {lower} to {upper}")]
    OutOfRange {
        /// Id of the block.
        block: String,
        /// First byte wanted.
        lower: u64,
        /// One past the last byte wanted.
        upper: u64,
    },
    /// The bytes aren't those that the object's name promises.
    #[error("object {hash} holds other bytes: their hash is {found}")]
    WrongContent {
        /// SHA-512 of the object, hex.
        hash: String,
        /// SHA-512 of what is there, hex.
        found: String,
    },
}

/// The bytes that `place` points to.
pub fn read_block(reader: &dyn ObjectReader, place: &BlockRef) -> Result<Vec<u8>, ReadError> {
    let BlockRef { block, lower, upper } = place;
    let out_of_range = || ReadError::OutOfRange { block: block.clone(), lower: *lower, upper: *upper };
    // A store is not to be asked for it: some would panic, some would answer with the whole block.
    let length = upper.checked_sub(*lower).ok_or_else(out_of_range)?;
    let bytes = read(reader, &KeyKind::Block { id: block.clone() }, Some(*lower..*upper))?;
    if bytes.len() as u64 == length { Ok(bytes) } else { Err(out_of_range()) }
}

/// The bytes of the object with this hash, checked against it.
pub fn read_object(reader: &dyn ObjectReader, hash: &str) -> Result<Vec<u8>, ReadError> {
    let record = read(reader, &KeyKind::Object { hash: hash.to_owned() }, None)?;
    let place = BlockRef::decode(&record).map_err(|source| ReadError::BadRecord { hash: hash.to_owned(), source })?;
    let bytes = read_block(reader, &place)?;
    let found = hex::encode(Sha512::digest(&bytes));
    if found == hash { Ok(bytes) } else { Err(ReadError::WrongContent { hash: hash.to_owned(), found }) }
}

fn read(reader: &dyn ObjectReader, kind: &KeyKind, range: Option<Range<u64>>) -> Result<Vec<u8>, ReadError> {
    match reader.read(kind, range) {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(ReadError::Missing { kind: kind.clone() }),
        Err(source) => Err(ReadError::Store { kind: kind.clone(), source }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_ranges_that_can_be_are_read() {
        let store = |_: &KeyKind, range: Option<Range<u64>>| {
            let range = range.unwrap();
            Ok(b"content".get(range.start as usize..7.min(range.end as usize)).map(<[u8]>::to_vec))
        };
        let inverted = |_: &KeyKind, range: Option<Range<u64>>| -> Result<Option<Vec<u8>>, StoreError> {
            unreachable!("the store was asked for {range:?}")
        };
        let place = |lower, upper| BlockRef { block: "ab".to_owned(), lower, upper };
        assert_eq!(read_block(&store, &place(3, 7)).unwrap(), b"tent");
        assert!(matches!(read_block(&store, &place(3, 8)), Err(ReadError::OutOfRange { lower: 3, upper: 8, .. })));
        assert!(matches!(read_block(&inverted, &place(5, 4)), Err(ReadError::OutOfRange { lower: 5, upper: 4, .. })));
    }
}
