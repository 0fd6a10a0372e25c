//! The bytes of one file of a tree.

use super::{Content, HashtreeError, Node, Tree};
use crate::layout::{ObjectReader, read_block, read_object};

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
