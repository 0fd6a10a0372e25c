//! Hashtrees: which files a commit holds, and where their bytes are.
//!
//! A commit by users has one tree, *serialised* with two buckets of which only `fs` holds nodes. An output commit has several
//! shards, each a plain *node stream*. Both are frames of an 8-byte signed little-endian length and that many bytes, without
//! compression.

use std::collections::BTreeMap;

use crate::layout::{BlockRef, ObjectReader, ReadError, read_block, read_object};
use crate::wire::{self, WireError};

/// Why bytes are no hashtree, or a file can't be read from one.
#[derive(Debug, thiserror::Error)]
pub enum HashtreeError {
    /// The bytes end inside a frame.
    #[error("hashtree ends inside the frame at byte {offset}")]
    Truncated {
        /// Where the frame begins.
        offset: usize,
    },
    /// A frame length below zero.
    #[error("hashtree has a negative length at byte {offset}")]
    NegativeLength {
        /// Where the frame begins.
        offset: usize,
    },
    /// A key without a value, or a bucket without its end.
    #[error("hashtree ends in the middle of {what}")]
    Incomplete {
        /// What has no end.
        what: &'static str,
    },
    /// A node's path isn't text.
    #[error("hashtree holds a path that is not UTF-8")]
    BadPath,
    /// A bucket header or a node isn't the message it should be.
    #[error("hashtree holds a malformed message")]
    Wire(#[from] WireError),
    /// The tree has no such file.
    #[error("no file {path} in the tree")]
    NoFile {
        /// The path asked for.
        path: String,
    },
    /// The file's bytes can't be read.
    #[error("file {path} can't be read")]
    Read {
        /// The path asked for.
        path: String,
        /// What is wrong with them.
        #[source]
        source: ReadError,
    },
}

/// A file or directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Last part of its path.
    pub name: String,
    /// Hash of its content, raw. Comparable among user trees and among output trees, not between them.
    pub hash: Vec<u8>,
    /// Bytes in it and below it.
    pub subtree_size: i64,
    /// What it is.
    pub content: Content,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A file: the objects, or else the ranges of blocks, whose bytes it strings together.
    File {
        /// Hashes of objects.
        objects: Vec<String>,
        /// Ranges of blocks.
        blocks: Vec<BlockRef>,
        /// Whether header and footer of its directory surround its bytes.
        has_header_footer: bool,
    },
    /// A directory.
    Directory {
        /// Object put before every file in it that asks for it.
        header: Option<String>,
        /// Object put behind every file in it that asks for it.
        footer: Option<String>,
    },
}

/// The nodes of a tree by path: `/` is the root, `/a/b` a file or directory.
pub type Tree = BTreeMap<String, Node>;

/// Decodes a serialised tree, as `CommitInfo.tree` names it.
pub fn read_serialised(bytes: &[u8]) -> Result<Tree, HashtreeError> {
    let mut frames = Frames { bytes, at: 0 };
    let mut tree = Tree::new();
    while let Some(header) = frames.next_frame()? {
        let bucket = wire::text_of(header, 1)?;
        loop {
            match frames.next_frame()? {
                None => return Err(HashtreeError::Incomplete { what: "a bucket" }),
                Some(b"*") => break,
                Some(key) => {
                    let value = frames.next_frame()?.ok_or(HashtreeError::Incomplete { what: "a node" })?;
                    if bucket == "fs" {
                        tree.insert(path_of(key)?, Node::decode(value)?);
                    }
                }
            }
        }
    }
    Ok(tree)
}

/// Decodes a node stream, as `CommitInfo.trees` names them: one shard of a tree.
pub fn read_node_stream(bytes: &[u8]) -> Result<Tree, HashtreeError> {
    let mut frames = Frames { bytes, at: 0 };
    let mut tree = Tree::new();
    while let Some(key) = frames.next_frame()? {
        let value = frames.next_frame()?.ok_or(HashtreeError::Incomplete { what: "a node" })?;
        tree.insert(path_of(key)?, Node::decode(value)?);
    }
    Ok(tree)
}

/// The bytes of the file `path`, its directory's header and footer included. Holds them in memory: for small files.
pub fn read_file(reader: &dyn ObjectReader, tree: &Tree, path: &str) -> Result<Vec<u8>, HashtreeError> {
    let Some(Node { content: Content::File { objects, blocks, has_header_footer }, .. }) = tree.get(path) else {
        return Err(HashtreeError::NoFile { path: path.to_owned() });
    };
    let (mut header, mut footer) = (None, None);
    let parent = path.rsplit_once('/').map_or("/", |(parent, _)| if parent.is_empty() { "/" } else { parent });
    if let (true, Some(Node { content: Content::Directory { header: h, footer: f }, .. })) =
        (has_header_footer, tree.get(parent))
    {
        (header, footer) = (h.as_ref(), f.as_ref());
    }
    let failed = |source| HashtreeError::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    for hash in header.into_iter().chain(objects) {
        bytes.extend(read_object(reader, hash).map_err(failed)?);
    }
    for place in blocks {
        bytes.extend(read_block(reader, place).map_err(failed)?);
    }
    if let Some(hash) = footer {
        bytes.extend(read_object(reader, hash).map_err(failed)?);
    }
    Ok(bytes)
}

impl Node {
    fn decode(message: &[u8]) -> Result<Self, HashtreeError> {
        let content = match wire::bytes_of(message, 4)? {
            Some(file) => {
                let (mut objects, mut blocks) = (Vec::new(), Vec::new());
                for field in wire::fields(file) {
                    let field = field?;
                    match field.number {
                        4 => objects.push(wire::text_of(field.bytes()?, 1)?.to_owned()),
                        5 => blocks.push(BlockRef::decode(field.bytes()?)?),
                        _ => {}
                    }
                }
                Content::File { objects, blocks, has_header_footer: wire::varint_of(file, 6)? != 0 }
            }
            None => {
                let shared = |number| -> Result<Option<String>, WireError> {
                    let object = wire::descend(message, &[5, 4, number])?;
                    object.map(|object| wire::text_of(object, 1).map(str::to_owned)).transpose()
                };
                Content::Directory { header: shared(1)?, footer: shared(2)? }
            }
        };
        Ok(Self {
            name: wire::text_of(message, 1)?.to_owned(),
            hash: wire::bytes_of(message, 2)?.unwrap_or(&[]).to_vec(),
            subtree_size: wire::varint_of(message, 3)?.cast_signed(),
            content,
        })
    }
}

/// A key of the tree as a path: separators are zero bytes, and the root is a single one.
fn path_of(key: &[u8]) -> Result<String, HashtreeError> {
    let path = std::str::from_utf8(key).map_err(|_| HashtreeError::BadPath)?.replace('\0', "/");
    Ok(if path.starts_with('/') { path } else { format!("/{path}") })
}

struct Frames<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Frames<'a> {
    fn next_frame(&mut self) -> Result<Option<&'a [u8]>, HashtreeError> {
        let offset = self.at;
        let rest = self.bytes.get(offset..).unwrap_or(&[]);
        if rest.is_empty() {
            return Ok(None);
        }
        let (length, body) = rest.split_first_chunk::<8>().ok_or(HashtreeError::Truncated { offset })?;
        let length = i64::from_le_bytes(*length);
        let length = usize::try_from(length).map_err(|_| HashtreeError::NegativeLength { offset })?;
        let frame = body.get(..length).ok_or(HashtreeError::Truncated { offset })?;
        self.at = offset + 8 + length;
        Ok(Some(frame))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn frame(body: &[u8]) -> Vec<u8> {
        [&(body.len() as i64).to_le_bytes(), body].concat()
    }

    #[test]
    fn defects_are_told_apart() {
        assert!(read_serialised(b"").unwrap().is_empty());
        let header = frame(b"\x0a\x02fs");
        let error = |bytes: &[u8]| read_serialised(bytes).unwrap_err();
        assert!(matches!(error(&header), HashtreeError::Incomplete { what: "a bucket" }));
        assert!(matches!(error(&header[..9]), HashtreeError::Truncated { offset: 0 }));
        assert!(matches!(
            error(&[header.clone(), frame(b"\0a")].concat()),
            HashtreeError::Incomplete { what: "a node" }
        ));
        assert!(matches!(error(&(-1i64).to_le_bytes()), HashtreeError::NegativeLength { offset: 0 }));
        let bad_path = [header.clone(), frame(b"\0\xff"), frame(b"")].concat();
        assert!(matches!(error(&bad_path), HashtreeError::BadPath));
        assert!(read_serialised(&[header, frame(b"*")].concat()).unwrap().is_empty());
    }

    #[test]
    fn paths_are_read_from_keys() {
        assert_eq!(path_of(b"\0").unwrap(), "/");
        assert_eq!(path_of(b"\0a\0b").unwrap(), "/a/b");
        assert_eq!(path_of(b"").unwrap(), "/");
    }
}
