//! Every `object/` value is read: where its bytes are, whether they are there, and whether they are what its name says.

use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use pachyderm::layout::{BlockRef, KeyKind, Layout};
use provider::{Bucket, ErrorKind as StoreErrorKind, GetRequest, Key};
use sha2::{Digest as _, Sha512};

use super::catalogue::{Blocks, Entry, Objects, ObjectsBuilder, short};
use super::findings::Findings;
use super::keys::{Wanted, keys_of};
use super::{Picked, on_disk};
use crate::clone::{Inventory, small_object};
use crate::error::Result;
use crate::retry::{RetryPolicy, retrying};
use crate::verify::{Check, Defect, Finding};

/// Values that are read at once.
const AT_ONCE: usize = 64;
/// Largest value that can be a place in a block, in bytes.
const LARGEST: usize = 64 << 10;

/// What one object's value and content say.
struct Looked {
    hash: String,
    entry: Entry,
    finding: Option<Finding>,
    hashed: Option<u64>,
}

/// Reads all of them, and the bytes of the picked ones. Answers what trees need of them, and two checks.
pub(super) async fn read(
    clone: &Arc<dyn Bucket>,
    inventory: &Inventory,
    layout: &Layout,
    blocks: &Blocks,
    picked: Picked,
) -> Result<(Objects, Vec<Check>)> {
    let mut builder = ObjectsBuilder::new().map_err(on_disk)?;
    let (entries, content) = (Findings::default(), Findings::default());
    let (mut read, mut hashed, mut bytes) = (0_u64, 0_u64, 0_u64);
    let keys = keys_of(inventory, layout, Wanted::Objects);
    let looked = keys.enumerate().map(|(number, key)| async move {
        let (key, kind) = key?;
        let KeyKind::Object { hash } = kind else { return Ok(None) };
        look(clone, layout, blocks, key, hash, picked.takes(number as u64)).await.map(Some)
    });
    let mut looked = std::pin::pin!(looked.buffer_unordered(AT_ONCE));
    while let Some(looked) = looked.try_next().await? {
        let Some(Looked { hash, entry, finding, hashed: its }) = looked else { continue };
        builder.add(&hash, entry).map_err(on_disk)?;
        read += 1;
        hashed += u64::from(its.is_some());
        bytes += its.unwrap_or_default();
        match finding {
            Some(finding) if finding.defect == Defect::WrongContent => content.add(finding),
            Some(finding) => entries.add(finding),
            None => {}
        }
    }
    let checks = vec![
        entries.into_check("object entries", format!("{read} read, each looked up in its block")),
        content.into_check("contents", format!("{hashed} of {read} objects hashed, {bytes} bytes")),
    ];
    Ok((builder.finish().map_err(on_disk)?, checks))
}

async fn look(
    clone: &Arc<dyn Bucket>,
    layout: &Layout,
    blocks: &Blocks,
    key: Key,
    hash: String,
    with_content: bool,
) -> Result<Looked> {
    let finding =
        |defect, detail: String| Some(Finding { defect, subject: format!("object {hash}"), detail, at_source: false });
    let Some(value) = small(clone.as_ref(), &key).await? else {
        // The listing has named it already.
        return Ok(Looked { hash, entry: Entry::Missing, finding: None, hashed: None });
    };
    let place = match BlockRef::decode(&value) {
        Ok(place) if place.lower <= place.upper && !place.block.is_empty() => place,
        Ok(_) => {
            let finding = finding(Defect::BadObject, "its value is no place in a block".to_owned());
            return Ok(Looked { hash, entry: Entry::Broken, finding, hashed: None });
        }
        Err(error) => {
            let finding = finding(Defect::BadObject, format!("its value can't be read: {error}"));
            return Ok(Looked { hash, entry: Entry::Broken, finding, hashed: None });
        }
    };
    if let Err(lack) = blocks.reach(&place.block, place.upper).map_err(on_disk)? {
        let finding = finding(Defect::DanglingObject, lack.what);
        return Ok(Looked { hash, entry: Entry::Broken, finding, hashed: None });
    }
    let length = place.upper - place.lower;
    if !with_content {
        return Ok(Looked { hash, entry: Entry::Whole(length), finding: None, hashed: None });
    }
    let found = content_hash(clone.as_ref(), layout, &place).await?;
    let finding = if found.as_deref() == Some(&hash) {
        None
    } else {
        let found = found.as_deref().map_or("nothing".to_owned(), |found| format!("{}…", short(found)));
        finding(Defect::WrongContent, format!("the hash of its bytes in block {} is {found}", place.block))
    };
    Ok(Looked { hash, entry: Entry::Whole(length), finding, hashed: Some(length) })
}

/// A small value, if it is there. What is longer is no such value, and its beginning says so.
pub(super) async fn small(clone: &dyn Bucket, key: &Key) -> Result<Option<Vec<u8>>> {
    Ok(small_object::beginning(clone, key.as_str(), LARGEST).await?)
}

/// SHA-512 of a range of a block, as text; `None` when the block is gone meanwhile. In memory is one chunk.
async fn content_hash(clone: &dyn Bucket, layout: &Layout, place: &BlockRef) -> Result<Option<String>> {
    if place.lower == place.upper {
        return Ok(Some(hex::encode(Sha512::digest([]))));
    }
    let range = Some(place.lower..place.upper);
    let request = GetRequest { key: Key::new(layout.block(&place.block)), range, if_version: None };
    let read = || async {
        let mut hash = Sha512::new();
        let mut body = clone.get(&request).await?.body;
        while let Some(chunk) = body.try_next().await? {
            let chunk: Bytes = chunk;
            hash.update(&chunk);
        }
        Ok(hex::encode(hash.finalize()))
    };
    match retrying(RetryPolicy::default(), read).await {
        Ok(hash) => Ok(Some(hash)),
        Err(error) if error.kind() == StoreErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}
