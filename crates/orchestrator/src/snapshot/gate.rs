//! The gate: every object that the metadata stream names is in the clone's inventory, or there is no recovery point.
//!
//! pachd's own restore and fsck do not notice a missing object, so this is checked while the cluster is still paused.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use pachyderm::layout::{KeyKind, Layout};
use pachyderm::stream::{Reader, object_hashes};

use crate::clone::{Inventory, KeyRange};
use crate::error::{Error, ErrorKind, Result};

/// A hash, shortened to what tells any two of them apart: 16 bytes keep the set small.
type Short = [u8; 16];

/// How many missing objects are named.
const NAMED: usize = 20;

/// Checks the stream at `stream` against the inventory. Answers with the number of distinct objects that it names.
pub(super) async fn check(stream: &Path, inventory: &Inventory, layout: &Layout) -> Result<u64> {
    let path = stream.to_owned();
    let mut missing = blocking(move || wanted(&path)).await?;
    let named = missing.len() as u64;
    // Reversed, the keys of objects lie among all others.
    let prefix = if layout.is_reversed() { String::new() } else { layout.object("") };
    let mut objects = inventory.entries_in(&KeyRange::with_prefix(prefix));
    while let Some(entry) = objects.next().await? {
        if let KeyKind::Object { hash } = layout.classify(entry.source_key.as_str())
            && let Some(short) = shorten(&hash)
        {
            missing.remove(&short);
        }
    }
    if missing.is_empty() {
        return Ok(named);
    }
    let (path, count) = (stream.to_owned(), missing.len());
    let names = blocking(move || name_missing(&path, &missing)).await?;
    Err(Error::new(
        ErrorKind::Incomplete,
        format!("the bucket lacks {count} objects that the metadata names: {}", names.join(", ")),
    )
    .advise(
        "the source itself is damaged, or garbage collection ran (`pachctl fsck` does not see this): find the commits \
         that name them, and delete or repair those",
    ))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|cause| Error::new(ErrorKind::Failed, "the check of the stream ended early").because(cause))?
}

fn open(path: &Path) -> Result<Reader<BufReader<File>>> {
    let file = File::open(path).map_err(|cause| Error::new(ErrorKind::Failed, "opening the stream").because(cause))?;
    Ok(Reader::new(BufReader::new(file)))
}

fn each_hash(path: &Path, mut visit: impl FnMut(usize, String)) -> Result<()> {
    let damaged = || Error::new(ErrorKind::Incomplete, "the metadata stream can't be read back");
    let mut reader = open(path)?;
    let mut index = 0;
    while let Some(op) = reader.next_op().map_err(|cause| damaged().because(cause))? {
        for hash in object_hashes(&op).map_err(|cause| damaged().because(cause))? {
            visit(index, hash);
        }
        index += 1;
    }
    Ok(())
}

fn wanted(path: &Path) -> Result<BTreeSet<Short>> {
    let mut wanted = BTreeSet::new();
    let mut malformed = None;
    each_hash(path, |index, hash| match shorten(&hash) {
        Some(short) => {
            wanted.insert(short);
        }
        None => {
            malformed.get_or_insert_with(|| format!("op {index} names object {hash:?}, which is no SHA-512"));
        }
    })?;
    match malformed {
        None => Ok(wanted),
        Some(what) => Err(Error::new(ErrorKind::Incomplete, what)),
    }
}

fn name_missing(path: &Path, missing: &BTreeSet<Short>) -> Result<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    each_hash(path, |index, hash| {
        let is_missing = shorten(&hash).is_some_and(|short| missing.contains(&short));
        if is_missing && names.len() < NAMED {
            names.push(format!("{hash} (op {index})"));
        }
    })?;
    Ok(names)
}

/// The first 16 bytes of a SHA-512 in hex.
fn shorten(hash: &str) -> Option<Short> {
    if hash.len() != 128 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    hex::decode(&hash[..32]).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sha512_names_are_hashes() {
        assert!(shorten(&"a".repeat(128)).is_some());
        assert!(shorten(&"a".repeat(127)).is_none());
        assert!(shorten(&"g".repeat(128)).is_none());
    }
}
