//! One node of a tree.

use crate::layout::BlockRef;
use crate::wire::{self, WireError};

/// A file or directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Last part of its path.
    pub name: String,
    /// Hash of its content, raw. Comparable among user trees and among output trees, not between them.
    pub hash: Vec<u8>,
    /// Bytes in it and below it, without headers and footers. In the statistics that workers write, logs have 0 here, and
    /// input files their size although the tree holds none of their bytes (source: recorded trees of 1.13.4).
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

impl Node {
    pub(super) fn decode(message: &[u8]) -> Result<Self, WireError> {
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
