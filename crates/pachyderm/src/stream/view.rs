//! Ops looked at, without being changed.

use super::{OpKind, RawOp};
use crate::wire::{self, WireError};

/// A commit as ops name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CommitRef<'a> {
    /// Name of its repo.
    pub repo: &'a str,
    /// Its id; empty where an op names a repo only (the parent of a root commit).
    pub id: &'a str,
}

impl<'a> CommitRef<'a> {
    /// Decodes a `Commit` message.
    pub fn decode(message: &'a [u8]) -> Result<Self, WireError> {
        let repo = wire::bytes_of(message, 1)?.unwrap_or(&[]);
        Ok(Self { repo: wire::text_of(repo, 1)?, id: wire::text_of(message, 2)? })
    }
}

/// The part of an op that a summary or a check needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpView<'a> {
    /// A chunk of a block; an empty value ends the block.
    Block {
        /// Id of the block.
        id: &'a str,
        /// Bytes in this chunk.
        bytes: usize,
    },
    /// An object, as a range of a block.
    CreateObject {
        /// SHA-512 of the object, hex.
        hash: &'a str,
        /// Id of the block that holds it.
        block: &'a str,
    },
    /// Names for an object.
    Tag {
        /// SHA-512 of the object, hex.
        object: &'a str,
        /// The names.
        tags: Vec<&'a str>,
    },
    /// A repo.
    Repo {
        /// Its name.
        name: &'a str,
    },
    /// A commit.
    Commit {
        /// The commit; its repo is that of the parent field, which is always set.
        commit: CommitRef<'a>,
        /// Id of its parent, unless it is a root commit.
        parent: Option<&'a str>,
        /// Hash of the tree of a commit made by users.
        tree: Option<&'a str>,
        /// Hashes of the tree's shards of an output commit.
        trees: Vec<&'a str>,
        /// Hash of the list of datums of an output commit.
        datums: Option<&'a str>,
        /// Size in bytes.
        size_bytes: u64,
    },
    /// A branch.
    Branch {
        /// Its repo.
        repo: &'a str,
        /// Its name.
        name: &'a str,
        /// Its head, unless it is empty.
        head: Option<CommitRef<'a>>,
    },
    /// A pipeline.
    Pipeline {
        /// Its name.
        name: &'a str,
        /// The commit in `__spec__` that holds its specification (1.9.6 and later).
        spec_commit: Option<CommitRef<'a>>,
    },
    /// A job.
    Job {
        /// Its pipeline.
        pipeline: &'a str,
        /// The commit it wrote.
        output_commit: Option<CommitRef<'a>>,
    },
    /// Any other kind.
    Other(OpKind),
}

/// Looks into `op`. Fields of 1.9.6 and later are understood; an op of an older version shows what it has in common.
pub fn view(op: &RawOp) -> Result<OpView<'_>, WireError> {
    let request = op.request();
    Ok(match op.kind {
        OpKind::Block => OpView::Block {
            id: wire::text_of(wire::bytes_of(request, 1)?.unwrap_or(&[]), 1)?,
            bytes: wire::bytes_of(request, 2)?.map_or(0, <[u8]>::len),
        },
        OpKind::CreateObject => OpView::CreateObject {
            hash: hash_in(request, 1)?.unwrap_or(""),
            block: wire::text_of(wire::descend(request, &[2, 1])?.unwrap_or(&[]), 1)?,
        },
        OpKind::Tag => OpView::Tag { object: hash_in(request, 1)?.unwrap_or(""), tags: names_in(request, 2)? },
        OpKind::Repo => OpView::Repo { name: name_in(request, 1)? },
        OpKind::Commit => commit_view(request)?,
        OpKind::Branch => branch_view(request)?,
        OpKind::Pipeline => OpView::Pipeline { name: name_in(request, 1)?, spec_commit: commit_in(request, 34)? },
        OpKind::Job => OpView::Job { pipeline: name_in(request, 2)?, output_commit: commit_in(request, 25)? },
        other => OpView::Other(other),
    })
}

/// The hash of every object that `op` names: trees and datums of a commit, the object of a `create_object` or `tag`. Each
/// must have its `object/` key in the bucket for the stream to be of use.
pub fn object_hashes(op: &RawOp) -> Result<Vec<String>, WireError> {
    let hashes = match view(op)? {
        OpView::Commit { tree, trees, datums, .. } => tree.into_iter().chain(trees).chain(datums).collect(),
        OpView::CreateObject { hash, .. } => vec![hash],
        OpView::Tag { object, .. } => vec![object],
        _ => Vec::new(),
    };
    Ok(hashes.into_iter().filter(|hash| !hash.is_empty()).map(str::to_owned).collect())
}

fn commit_view(request: &[u8]) -> Result<OpView<'_>, WireError> {
    let parent = commit_in(request, 1)?.unwrap_or(CommitRef { repo: "", id: "" });
    Ok(OpView::Commit {
        commit: CommitRef { repo: parent.repo, id: wire::text_of(request, 5)? },
        parent: Some(parent.id).filter(|id| !id.is_empty()),
        tree: hash_in(request, 3)?,
        trees: names_in(request, 7)?,
        datums: hash_in(request, 8)?,
        size_bytes: wire::varint_of(request, 9)?,
    })
}

/// Streams of 1.9.5 and before name the branch in a field of its own, and its repo only in the head.
fn branch_view(request: &[u8]) -> Result<OpView<'_>, WireError> {
    let head = commit_in(request, 1)?;
    Ok(match wire::bytes_of(request, 3)? {
        Some(branch) => OpView::Branch { repo: name_in(branch, 1)?, name: wire::text_of(branch, 2)?, head },
        None => OpView::Branch { repo: head.map_or("", |head| head.repo), name: wire::text_of(request, 2)?, head },
    })
}

fn commit_in(message: &[u8], number: u32) -> Result<Option<CommitRef<'_>>, WireError> {
    wire::bytes_of(message, number)?.map(CommitRef::decode).transpose()
}

/// The hash of the `Object` message in field `number`.
fn hash_in(message: &[u8], number: u32) -> Result<Option<&str>, WireError> {
    wire::bytes_of(message, number)?.map(|object| wire::text_of(object, 1)).transpose()
}

/// The name of the `Repo` or `Pipeline` message in field `number`.
fn name_in(message: &[u8], number: u32) -> Result<&str, WireError> {
    Ok(hash_in(message, number)?.unwrap_or(""))
}

/// The first string of each message in the repeated field `number`: hashes of objects, names of tags.
fn names_in(message: &[u8], number: u32) -> Result<Vec<&str>, WireError> {
    let mut names = Vec::new();
    for field in wire::fields(message) {
        let field = field?;
        if field.number == number {
            names.push(wire::text_of(field.bytes()?, 1)?);
        }
    }
    Ok(names)
}
