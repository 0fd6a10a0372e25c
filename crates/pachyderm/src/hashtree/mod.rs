//! Hashtrees: which files a commit holds, and where their bytes are.
//!
//! A commit by users has one tree, *serialised* with two buckets of which only `fs` holds nodes. An output commit has several
//! shards, each a plain *node stream*. Both are frames of an 8-byte signed little-endian length and that many bytes, without
//! compression. [`Nodes`] reads them one node at a time, from trees of any size.

mod error;
mod file;
mod node;
mod nodes;

pub use error::HashtreeError;
pub use file::read_file;
pub use node::{Content, Node};
pub use nodes::{Form, Nodes};

use std::collections::BTreeMap;

/// The nodes of a tree by path: `/` is the root, `/a/b` a file or directory.
pub type Tree = BTreeMap<String, Node>;

/// Decodes a serialised tree, as `CommitInfo.tree` names it.
pub fn read_serialised(bytes: &[u8]) -> Result<Tree, HashtreeError> {
    Nodes::new(Form::Serialised, bytes).collect()
}

/// Decodes a node stream, as `CommitInfo.trees` names them: one shard of a tree.
pub fn read_node_stream(bytes: &[u8]) -> Result<Tree, HashtreeError> {
    Nodes::new(Form::NodeStream, bytes).collect()
}
