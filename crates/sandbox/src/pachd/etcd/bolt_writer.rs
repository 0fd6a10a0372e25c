//! Writes bolt database files, the file format of etcd's backend.
//!
//! A file is a row of 4,096-byte pages: two meta pages, a free list, then B+ tree pages. Every bucket is a tree of its
//! own whose root page the root bucket names.

use std::io::{self, Write};

const PAGE: usize = 4096;
const HEADER: usize = 16;
const ELEMENT: usize = 16;
const BRANCH: u16 = 0x01;
const LEAF: u16 = 0x02;
const META: u16 = 0x04;
const FREELIST: u16 = 0x10;
const BUCKET: u32 = 0x01;
const MAGIC: u32 = 0xED0C_DAED;
const VERSION: u32 = 2;

/// A bucket: its name and its pairs, which must be sorted by key without repeats.
#[derive(Debug, Clone, Default)]
pub struct Bucket {
    /// Name of the bucket.
    pub name: Vec<u8>,
    /// Sorted pairs of key and value.
    pub pairs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Bucket {
    /// A bucket with the given pairs.
    pub fn new(name: &str, pairs: Vec<(Vec<u8>, Vec<u8>)>) -> Self {
        Bucket { name: name.as_bytes().to_vec(), pairs }
    }
}

struct Element {
    flags: u32,
    key: Vec<u8>,
    value: Vec<u8>,
}

struct Pages {
    bytes: Vec<u8>,
}

impl Pages {
    fn next(&self) -> u64 {
        (self.bytes.len() / PAGE) as u64
    }

    /// Appends one page, with as many overflow pages as its body needs; returns its number.
    fn append(&mut self, flags: u16, count: usize, body: &[u8]) -> u64 {
        let id = self.next();
        let pages = (HEADER + body.len()).div_ceil(PAGE);
        self.bytes.extend_from_slice(&id.to_le_bytes());
        self.bytes.extend_from_slice(&flags.to_le_bytes());
        self.bytes.extend_from_slice(&(count as u16).to_le_bytes());
        self.bytes.extend_from_slice(&((pages - 1) as u32).to_le_bytes());
        self.bytes.extend_from_slice(body);
        self.bytes.resize((id as usize + pages) * PAGE, 0);
        id
    }

    /// Writes a tree over sorted elements and returns its root page.
    fn tree(&mut self, elements: &[Element]) -> u64 {
        let mut level: Vec<(Vec<u8>, u64)> = Vec::new();
        if elements.is_empty() {
            return self.append(LEAF, 0, &[]);
        }
        for group in grouped(elements, |element| element.key.len() + element.value.len()) {
            let body = leaf_body(group);
            level.push((group[0].key.clone(), self.append(LEAF, group.len(), &body)));
        }
        while level.len() > 1 {
            let mut above = Vec::new();
            for group in grouped(&level, |(key, _)| key.len()) {
                let body = branch_body(group);
                above.push((group[0].0.clone(), self.append(BRANCH, group.len(), &body)));
            }
            level = above;
        }
        level[0].1
    }
}

/// Splits items into runs that fit into a page each; an item that does not fit at all gets a run of its own.
fn grouped<T>(items: &[T], size: impl Fn(&T) -> usize) -> Vec<&[T]> {
    let mut groups = Vec::new();
    let (mut start, mut used) = (0, HEADER);
    for (at, item) in items.iter().enumerate() {
        let needed = ELEMENT + size(item);
        if at > start && used + needed > PAGE {
            groups.push(&items[start..at]);
            (start, used) = (at, HEADER);
        }
        used += needed;
    }
    groups.push(&items[start..]);
    groups
}

fn leaf_body(elements: &[Element]) -> Vec<u8> {
    let mut body = Vec::new();
    let mut data = Vec::new();
    for (at, element) in elements.iter().enumerate() {
        let position = (elements.len() - at) * ELEMENT + data.len();
        body.extend_from_slice(&element.flags.to_le_bytes());
        body.extend_from_slice(&(position as u32).to_le_bytes());
        body.extend_from_slice(&(element.key.len() as u32).to_le_bytes());
        body.extend_from_slice(&(element.value.len() as u32).to_le_bytes());
        data.extend_from_slice(&element.key);
        data.extend_from_slice(&element.value);
    }
    body.extend_from_slice(&data);
    body
}

fn branch_body(children: &[(Vec<u8>, u64)]) -> Vec<u8> {
    let mut body = Vec::new();
    let mut data = Vec::new();
    for (at, (key, page)) in children.iter().enumerate() {
        let position = (children.len() - at) * ELEMENT + data.len();
        body.extend_from_slice(&(position as u32).to_le_bytes());
        body.extend_from_slice(&(key.len() as u32).to_le_bytes());
        body.extend_from_slice(&page.to_le_bytes());
        data.extend_from_slice(key);
    }
    body.extend_from_slice(&data);
    body
}

fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

fn meta_page(id: u64, root: u64, freelist: u64, pages: u64) -> Vec<u8> {
    let mut meta = Vec::with_capacity(64);
    meta.extend_from_slice(&MAGIC.to_le_bytes());
    meta.extend_from_slice(&VERSION.to_le_bytes());
    meta.extend_from_slice(&(PAGE as u32).to_le_bytes());
    meta.extend_from_slice(&0u32.to_le_bytes());
    meta.extend_from_slice(&root.to_le_bytes());
    meta.extend_from_slice(&0u64.to_le_bytes());
    meta.extend_from_slice(&freelist.to_le_bytes());
    meta.extend_from_slice(&pages.to_le_bytes());
    // The page whose number is its transaction's lowest bit is the one bolt takes.
    meta.extend_from_slice(&(id + 2).to_le_bytes());
    let checksum = fnv1a(&meta);
    meta.extend_from_slice(&checksum.to_le_bytes());

    let mut page = Vec::with_capacity(PAGE);
    page.extend_from_slice(&id.to_le_bytes());
    page.extend_from_slice(&META.to_le_bytes());
    page.extend_from_slice(&[0; 6]);
    page.extend_from_slice(&meta);
    page.resize(PAGE, 0);
    page
}

/// Writes a bolt file with these buckets. `buckets` may come in any order; names must differ.
///
/// # Errors
/// Those of `out`.
pub fn write(mut buckets: Vec<Bucket>, out: &mut impl Write) -> io::Result<()> {
    // Pages 0 and 1 are the meta pages, written when everything else is known.
    let mut pages = Pages { bytes: vec![0; 2 * PAGE] };
    let freelist = pages.append(FREELIST, 0, &[]);
    buckets.sort_by(|a, b| a.name.cmp(&b.name));
    let mut roots = Vec::new();
    for bucket in buckets {
        let elements: Vec<Element> =
            bucket.pairs.into_iter().map(|(key, value)| Element { flags: 0, key, value }).collect();
        let root = pages.tree(&elements);
        let mut header = root.to_le_bytes().to_vec();
        header.extend_from_slice(&0u64.to_le_bytes());
        roots.push(Element { flags: BUCKET, key: bucket.name, value: header });
    }
    let root = pages.tree(&roots);
    let count = pages.next();
    for id in 0..2 {
        let page = meta_page(id, root, freelist, count);
        pages.bytes[id as usize * PAGE..][..PAGE].copy_from_slice(&page);
    }
    out.write_all(&pages.bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_whole_and_large_values_take_overflow_pages() {
        let pairs =
            (0..500u32).map(|n| (n.to_be_bytes().to_vec(), vec![7; if n == 250 { 20_000 } else { 40 }])).collect();
        let mut file = Vec::new();
        write(vec![Bucket::new("key", pairs), Bucket::new("empty", Vec::new())], &mut file).unwrap();
        assert_eq!(file.len() % PAGE, 0);
        let mut at = 0;
        let mut elements = 0;
        while at < file.len() {
            let id = u64::from_le_bytes(file[at..at + 8].try_into().unwrap());
            assert_eq!(id as usize * PAGE, at);
            let flags = u16::from_le_bytes(file[at + 8..at + 10].try_into().unwrap());
            let count = u16::from_le_bytes(file[at + 10..at + 12].try_into().unwrap());
            let overflow = u32::from_le_bytes(file[at + 12..at + 16].try_into().unwrap());
            if flags == LEAF {
                elements += usize::from(count);
            }
            at += (1 + overflow as usize) * PAGE;
        }
        assert_eq!(elements, 500 + 2);
    }

    #[test]
    fn fnv_is_the_published_one() {
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
    }
}
