//! Bolt, the B+ tree file underneath etcd: pages of one size, the first two describing the rest.

use std::io::{Read, Seek, SeekFrom};

use super::SnapshotFileError as Error;

const MAGIC: u32 = 0xED0C_DAED;
const HEADER: usize = 16;
const META_LENGTH: usize = 64;
const BRANCH: u16 = 0x01;
const LEAF: u16 = 0x02;
const BUCKET: u32 = 0x01;
/// Deeper than any B+ tree that fits on a disk.
const MAX_DEPTH: usize = 64;

/// Where the entries of a bucket are.
pub(super) enum Bucket {
    /// In the tree under a page.
    Page(u64),
    /// In the page that is the bucket's own value.
    Inline(Vec<u8>),
}

/// The bucket behind the value of an entry of the bucket of buckets.
pub(super) fn bucket(value: &[u8]) -> Result<Bucket, Error> {
    let root = number::<8>(value, 0).map(u64::from_le_bytes);
    match (root, value.get(16..)) {
        (Some(0), Some(page)) => Ok(Bucket::Inline(page.to_vec())),
        (Some(root), Some(_)) => Ok(Bucket::Page(root)),
        _ => Err(Error::BadPage { page: 0, reason: "bucket header is too short" }),
    }
}

/// What is done with each entry: key, value, whether it is a bucket.
pub(super) type Visit<'a> = dyn FnMut(&[u8], &[u8], bool) -> Result<(), Error> + 'a;

/// A bolt database in a file.
pub(super) struct Database<R> {
    file: R,
    page_size: u64,
    root: u64,
    /// Number of pages.
    pages: u64,
}

impl<R: Read + Seek> Database<R> {
    /// Opens the database in the first `length` bytes of `file`.
    pub(super) fn new(mut file: R, length: u64) -> Result<Self, Error> {
        let first = meta(&mut file, 0)?;
        let second = meta(&mut file, first.page_size)?;
        let newest = if second.transaction > first.transaction { second } else { first };
        if newest.page_size != first.page_size || newest.pages.checked_mul(newest.page_size) != Some(length) {
            return Err(Error::BadMeta { reason: "its number of pages isn't that of the file" });
        }
        Ok(Self { file, page_size: newest.page_size, root: newest.root, pages: newest.pages })
    }

    /// The page with the bucket of buckets.
    pub(super) fn root(&self) -> u64 {
        self.root
    }

    /// Visits the entries of `bucket` in key order.
    pub(super) fn walk(&mut self, bucket: &Bucket, visit: &mut Visit<'_>) -> Result<(), Error> {
        let mut walk = Walk { seen: Pages::none_of(self.pages), last: None, visit };
        match bucket {
            Bucket::Inline(page) => self.walk_page(0, page, 0, &mut walk),
            Bucket::Page(root) => self.descend(*root, 0, &mut walk),
        }
    }

    fn descend(&mut self, id: u64, depth: usize, walk: &mut Walk<'_, '_>) -> Result<(), Error> {
        let bad = |reason| Error::BadPage { page: id, reason };
        if id < 2 || id >= self.pages {
            return Err(bad("there is no such page"));
        }
        if depth > MAX_DEPTH || !walk.seen.insert(id) {
            return Err(bad("it is part of a cycle"));
        }
        self.file.seek(SeekFrom::Start(id * self.page_size))?;
        let mut page = vec![0; self.page_size as usize];
        self.file.read_exact(&mut page)?;
        let overflow = u64::from(number::<4>(&page, 12).map_or(0, u32::from_le_bytes));
        if number::<8>(&page, 0).map(u64::from_le_bytes) != Some(id) {
            return Err(bad("it carries another page's number"));
        }
        if overflow >= self.pages - id {
            return Err(bad("it reaches beyond the end of the file"));
        }
        (&mut self.file).take(overflow * self.page_size).read_to_end(&mut page)?;
        self.walk_page(id, &page, depth, walk)
    }

    fn walk_page(&mut self, id: u64, page: &[u8], depth: usize, walk: &mut Walk<'_, '_>) -> Result<(), Error> {
        let bad = |reason| Error::BadPage { page: id, reason };
        let half = |at| number::<2>(page, at).map(u16::from_le_bytes).ok_or(bad("it is too short"));
        let (flags, count) = (half(8)?, half(10)?);
        for index in 0..usize::from(count) {
            let start = HEADER + index * 16;
            let word = |at: usize| {
                let bytes = number::<4>(page, start + at).ok_or(bad("its entries reach beyond its end"));
                bytes.map(u32::from_le_bytes)
            };
            match flags {
                BRANCH => {
                    let child = number::<8>(page, start + 8).map(u64::from_le_bytes);
                    self.descend(child.ok_or(bad("its entries reach beyond its end"))?, depth + 1, walk)?;
                }
                LEAF => {
                    let key_start = start + word(4)? as usize;
                    let value_start = key_start + word(8)? as usize;
                    let end = value_start + word(12)? as usize;
                    let (Some(key), Some(value)) = (page.get(key_start..value_start), page.get(value_start..end))
                    else {
                        return Err(bad("an entry reaches beyond its end"));
                    };
                    if walk.last.as_deref().is_some_and(|last| last >= key) {
                        return Err(bad("its keys are out of order"));
                    }
                    walk.last = Some(key.to_vec());
                    (walk.visit)(key, value, word(0)? & BUCKET != 0)?;
                }
                _ => return Err(bad("it is neither a branch nor a leaf")),
            }
        }
        Ok(())
    }
}

struct Walk<'a, 'b> {
    seen: Pages,
    last: Option<Vec<u8>>,
    visit: &'a mut Visit<'b>,
}

/// A set of pages, a bit for each: 32 KiB for each GiB of a database with pages of 4 KiB.
struct Pages(Vec<u64>);

impl Pages {
    fn none_of(pages: u64) -> Self {
        Self(vec![0; usize::try_from(pages / 64 + 1).unwrap_or(usize::MAX)])
    }

    /// Whether page `id` wasn't in the set before.
    fn insert(&mut self, id: u64) -> bool {
        let bit = 1 << (id % 64);
        let word = usize::try_from(id / 64).ok().and_then(|at| self.0.get_mut(at));
        word.is_some_and(|word| std::mem::replace(word, *word | bit) & bit == 0)
    }
}

#[derive(Clone, Copy)]
struct Meta {
    page_size: u64,
    root: u64,
    pages: u64,
    transaction: u64,
}

/// Reads the description of the database in the page at `offset`.
fn meta<R: Read + Seek>(file: &mut R, offset: u64) -> Result<Meta, Error> {
    let mut page = [0; HEADER + META_LENGTH];
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(&mut page).map_err(|_| Error::BadMeta { reason: "the file is too short" })?;
    let meta = &page[HEADER..];
    let word = |at| number::<4>(meta, at).map_or(0, u32::from_le_bytes);
    let long = |at| number::<8>(meta, at).map_or(0, u64::from_le_bytes);
    let checksum = meta[..56]
        .iter()
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    match (word(0), word(4), word(8)) {
        (MAGIC, 2, 512..=65_536) if !word(8).is_power_of_two() => Err(Error::BadMeta { reason: "odd page size" }),
        (MAGIC, 2, 512..=65_536) if checksum != long(56) => Err(Error::BadMeta { reason: "bad checksum" }),
        (MAGIC, 2, page_size @ 512..=65_536) => {
            Ok(Meta { page_size: page_size.into(), root: long(16), pages: long(40), transaction: long(48) })
        }
        _ => Err(Error::BadMeta { reason: "unknown magic number, version or page size" }),
    }
}

/// `N` bytes at `at`.
fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}
