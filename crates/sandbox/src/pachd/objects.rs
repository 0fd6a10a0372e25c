//! The bucket of the sandbox's pachd: raw values under `block/…`, `object/…`, `tag/…`, without the storage root.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use pachyderm::layout::{KeyKind, ObjectReader, StoreError};
use pachyderm::proto::pfs::{Block, BlockRef, ByteRange};
use prost::Message;
use sha2::{Digest, Sha512};

/// Where values are kept. Keys are relative to the storage root.
pub trait ObjectStore: Send + Sync + std::fmt::Debug {
    /// The value of a key.
    fn get(&self, key: &str) -> Option<Bytes>;
    /// Writes a value.
    fn put(&self, key: &str, value: Bytes);
    /// Deletes a key.
    fn delete(&self, key: &str);
    /// All keys that begin with `prefix`, sorted.
    fn list(&self, prefix: &str) -> Vec<String>;
}

/// Values in memory.
#[derive(Debug, Default)]
pub struct MemoryObjects(Mutex<BTreeMap<String, Bytes>>);

impl ObjectStore for MemoryObjects {
    fn get(&self, key: &str) -> Option<Bytes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn put(&self, key: &str, value: Bytes) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned(), value);
    }

    fn delete(&self, key: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    fn list(&self, prefix: &str) -> Vec<String> {
        let map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        map.range(prefix.to_owned()..).map(|(key, _)| key).take_while(|key| key.starts_with(prefix)).cloned().collect()
    }
}

/// Reads and writes objects as pachd does: a value under a random block id, and its location under its SHA-512.
#[derive(Clone, Debug)]
pub struct Objects(Arc<dyn ObjectStore>);

impl Objects {
    /// Objects of a bucket.
    pub fn new(bucket: Arc<dyn ObjectStore>) -> Self {
        Self(bucket)
    }

    /// Where an object lies.
    pub fn location(&self, hash: &str) -> Option<BlockRef> {
        self.0.get(&format!("object/{hash}")).and_then(|value| BlockRef::decode(value).ok())
    }

    /// The bytes of an object; `None` when its entry or its block is missing.
    pub fn content(&self, hash: &str) -> Option<Bytes> {
        let location = self.location(hash)?;
        let block = self.0.get(&format!("block/{}", location.block?.hash))?;
        let range = location.range.unwrap_or_default();
        let (lower, upper) = (usize::try_from(range.lower).ok()?, usize::try_from(range.upper).ok()?);
        (lower <= upper && upper <= block.len()).then(|| block.slice(lower..upper))
    }

    /// Stores bytes as an object of their own and answers with their SHA-512 in hex. Known content is not stored again.
    pub fn write(&self, bytes: Bytes) -> String {
        let hash = hex::encode(Sha512::digest(&bytes));
        let key = format!("object/{hash}");
        if self.0.get(&key).is_none() {
            let block = uuid::Uuid::new_v4().simple().to_string();
            let range = ByteRange { lower: 0, upper: bytes.len() as u64 };
            self.0.put(&format!("block/{block}"), bytes);
            let location = BlockRef { block: Some(Block { hash: block }), range: Some(range) };
            self.0.put(&key, location.encode_to_vec().into());
        }
        hash
    }
}

impl ObjectReader for Objects {
    fn read(&self, kind: &KeyKind, range: Option<Range<u64>>) -> Result<Option<Vec<u8>>, StoreError> {
        let key = match kind {
            KeyKind::Block { id } => format!("block/{id}"),
            KeyKind::Object { hash } => format!("object/{hash}"),
            KeyKind::Tag { name } => format!("tag/{name}"),
            other => return Err(format!("{other:?} is not read here").into()),
        };
        let Some(value) = self.0.get(&key) else { return Ok(None) };
        let Some(range) = range else { return Ok(Some(value.to_vec())) };
        let end = usize::try_from(range.end)?.min(value.len());
        let start = usize::try_from(range.start)?.min(end);
        Ok(Some(value[start..end].to_vec()))
    }
}
