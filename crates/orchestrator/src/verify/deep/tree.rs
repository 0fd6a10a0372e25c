//! One tree, read node by node: every file in it is looked up.

use std::io::{self, BufReader, Read};

use pachyderm::hashtree::{Content, Form, HashtreeError, Node, Nodes};
use pachyderm::layout::{BlockRef, KeyKind, ObjectReader, ReadError};
use sha2::{Digest as _, Sha512};

use super::catalogue::{Catalogue, Lack, short};

/// Bytes of a tree in memory.
const CHUNK: u64 = 1 << 20;

/// A file of a tree.
#[derive(Debug)]
pub(super) struct TreeFile<'a> {
    pub(super) path: &'a str,
    /// Its bytes, headers and footers included; or what of it is not there.
    pub(super) bytes: Result<u64, Lack>,
    /// Bytes that its node claims, where they are others.
    pub(super) claimed: Option<u64>,
}

/// What a tree holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TreeSum {
    pub(super) files: u64,
    /// Bytes of its files.
    pub(super) bytes: u64,
    /// Bytes that its nodes claim.
    pub(super) claimed: u64,
}

/// Why a tree can't be read.
#[derive(Debug)]
pub(super) enum TreeError {
    /// The store failed, or this machine's disk.
    Unreachable(Box<dyn std::error::Error + Send + Sync>),
    /// The tree isn't there.
    Lacking(Lack),
    /// The tree isn't one.
    Damaged(String),
}

impl From<io::Error> for TreeError {
    fn from(error: io::Error) -> Self {
        Self::Unreachable(Box::new(error))
    }
}

/// Goes through a tree, the object `hash`, and tells of every file.
pub(super) fn walk(
    reader: &dyn ObjectReader,
    catalogue: &Catalogue,
    form: Form,
    hash: &str,
    visit: &mut dyn FnMut(TreeFile<'_>) -> io::Result<()>,
) -> Result<TreeSum, TreeError> {
    let place = place_of(reader, catalogue, hash)?;
    if form == Form::NodeStream {
        catalogue.blocks.have_index(&place.block)?.map_err(TreeError::Lacking)?;
    }
    let mut nodes = Nodes::new(form, BufReader::new(Bytes::new(reader, place)));
    let (mut sum, mut above) = (TreeSum::default(), Above::default());
    for node in &mut nodes {
        let (path, node) = node.map_err(failed)?;
        above.come_to(&path);
        let (objects, blocks, has_header_footer) = match node.content {
            Content::Directory { header, footer } => {
                above.enter(path, header, footer);
                continue;
            }
            Content::File { ref objects, ref blocks, has_header_footer } => (objects, blocks, has_header_footer),
        };
        let own = length(catalogue, objects, blocks)?;
        let shared: &[String] = if has_header_footer { above.shared() } else { &[] };
        let shared = length(catalogue, shared, &[])?;
        let claimed = claimed(&node, objects.is_empty() && blocks.is_empty(), own.as_ref().ok());
        let bytes = own.and_then(|own| Ok(own + shared?));
        sum.files += 1;
        sum.bytes += bytes.as_ref().map_or(0, |bytes| *bytes);
        sum.claimed += u64::try_from(node.subtree_size).unwrap_or_default();
        visit(TreeFile { path: &path, bytes, claimed })?;
    }
    let found = nodes.into_inner().into_inner().finish()?;
    if found == hash {
        Ok(sum)
    } else {
        Err(TreeError::Damaged(format!("the hash of its bytes is {}…", short(&found))))
    }
}

/// Statistics that workers write claim 0 bytes for logs, and their size for input files that they hold no bytes of.
fn claimed(node: &Node, is_empty: bool, own: Option<&u64>) -> Option<u64> {
    let claimed = u64::try_from(node.subtree_size).unwrap_or(u64::MAX);
    (!is_empty && claimed != 0 && own.is_some_and(|own| *own != claimed)).then_some(claimed)
}

fn place_of(reader: &dyn ObjectReader, catalogue: &Catalogue, hash: &str) -> Result<BlockRef, TreeError> {
    catalogue.object(hash)?.map_err(TreeError::Lacking)?;
    let value = reader.read(&KeyKind::Object { hash: hash.to_owned() }, None).map_err(TreeError::Unreachable)?;
    let gone = || TreeError::Lacking(Lack { what: format!("object {}… is missing", short(hash)), at_source: false });
    BlockRef::decode(&value.ok_or_else(gone)?).map_err(|error| TreeError::Damaged(error.to_string()))
}

/// Bytes of objects and ranges of blocks together; or what of them is not there.
fn length(catalogue: &Catalogue, objects: &[String], blocks: &[BlockRef]) -> io::Result<Result<u64, Lack>> {
    let mut length = 0;
    for hash in objects {
        match catalogue.object(hash)? {
            Ok(bytes) => length += bytes,
            Err(lack) => return Ok(Err(lack)),
        }
    }
    for place in blocks {
        match catalogue.range(place)? {
            Ok(bytes) => length += bytes,
            Err(lack) => return Ok(Err(lack)),
        }
    }
    Ok(Ok(length))
}

fn failed(error: HashtreeError) -> TreeError {
    match error {
        HashtreeError::Io(error) => match error.downcast::<ReadError>() {
            Ok(ReadError::Store { source, .. }) => TreeError::Unreachable(source),
            Ok(error) => TreeError::Damaged(error.to_string()),
            Err(error) => error.into(),
        },
        error => TreeError::Damaged(crate::error::chain(&error)),
    }
}

/// The directories above a node, each with what it shares with its files.
#[derive(Debug, Default)]
struct Above {
    directories: Vec<(String, Vec<String>)>,
}

impl Above {
    /// Leaves the directories that a path isn't in.
    fn come_to(&mut self, path: &str) {
        while self.directories.last().is_some_and(|(directory, _)| !is_in(path, directory)) {
            self.directories.pop();
        }
    }

    fn enter(&mut self, path: String, header: Option<String>, footer: Option<String>) {
        self.directories.push((path, header.into_iter().chain(footer).collect()));
    }

    /// Header and footer of the innermost one.
    fn shared(&self) -> &[String] {
        self.directories.last().map_or(&[], |(_, shared)| shared)
    }
}

fn is_in(path: &str, directory: &str) -> bool {
    let rest = path.strip_prefix(directory);
    rest.is_some_and(|rest| directory.ends_with('/') || rest.starts_with('/'))
}

/// The bytes of a range of a block, hashed as they pass.
struct Bytes<'a> {
    reader: &'a dyn ObjectReader,
    left: BlockRef,
    chunk: io::Cursor<Vec<u8>>,
    hash: Sha512,
}

impl<'a> Bytes<'a> {
    fn new(reader: &'a dyn ObjectReader, place: BlockRef) -> Self {
        Self { reader, left: place, chunk: io::Cursor::default(), hash: Sha512::new() }
    }

    /// SHA-512 of the range, as text.
    fn finish(mut self) -> io::Result<String> {
        io::copy(&mut self, &mut io::sink())?;
        Ok(hex::encode(self.hash.finalize()))
    }
}

impl Read for Bytes<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.chunk.position() == self.chunk.get_ref().len() as u64 && self.left.lower < self.left.upper {
            let upper = self.left.upper.min(self.left.lower + CHUNK);
            let place = BlockRef { upper, ..self.left.clone() };
            let bytes = pachyderm::layout::read_block(self.reader, &place).map_err(io::Error::other)?;
            self.left.lower = upper;
            self.chunk = io::Cursor::new(bytes);
        }
        let read = self.chunk.read(buffer)?;
        self.hash.update(&buffer[..read]);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_the_header_of_their_own_directory() {
        let mut above = Above::default();
        let mut shared = |path: &str, header: Option<&str>| {
            above.come_to(path);
            let shared = above.shared().to_vec();
            if let Some(header) = header {
                above.enter(path.to_owned(), (!header.is_empty()).then(|| header.to_owned()), None);
            }
            shared
        };
        shared("/", Some(""));
        shared("/a", Some("h"));
        assert_eq!(shared("/a/1", None), ["h"]);
        assert_eq!(shared("/a/b", Some("")), ["h"]);
        assert!(shared("/a/b/1", None).is_empty());
        assert_eq!(shared("/a/c", None), ["h"]);
        assert!(shared("/ab", None).is_empty());
        assert!(shared("/b", None).is_empty());
    }
}
