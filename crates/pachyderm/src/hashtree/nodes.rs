//! A tree read node by node.

use std::io::{self, Read};

use super::{HashtreeError, Node};
use crate::wire;

/// Bytes that are reserved for a frame before they are there: a length may lie.
const RESERVED: u64 = 64 << 10;

/// How a tree is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Two buckets with headers and ends, as `CommitInfo.tree` names it.
    Serialised,
    /// Nodes alone, as `CommitInfo.trees` names them.
    NodeStream,
}

/// Path and node, one after the other, in the order of the tree: a directory before what is in it. Ends after an error.
#[derive(Debug)]
pub struct Nodes<R> {
    from: R,
    form: Form,
    /// Bytes that were read.
    at: u64,
    /// Whether the bucket that is being read holds nodes; `None` between buckets.
    bucket: Option<bool>,
    ended: bool,
}

impl<R: Read> Nodes<R> {
    /// Reads a tree. `from` is asked for small pieces: buffer it.
    pub fn new(form: Form, from: R) -> Self {
        Self { from, form, at: 0, bucket: (form == Form::NodeStream).then_some(true), ended: false }
    }

    /// What the tree is read from, wherever it is by now.
    pub fn into_inner(self) -> R {
        self.from
    }

    fn next_node(&mut self) -> Result<Option<(String, Node)>, HashtreeError> {
        loop {
            let Some(holds_nodes) = self.bucket else {
                let Some(header) = self.frame()? else { return Ok(None) };
                self.bucket = Some(wire::text_of(&header, 1)? == "fs");
                continue;
            };
            let key = match self.frame()? {
                None if self.form == Form::NodeStream => return Ok(None),
                None => return Err(HashtreeError::Incomplete { what: "a bucket" }),
                Some(end) if self.form == Form::Serialised && end == b"*" => {
                    self.bucket = None;
                    continue;
                }
                Some(key) => key,
            };
            let value = self.frame()?.ok_or(HashtreeError::Incomplete { what: "a node" })?;
            if holds_nodes {
                return Ok(Some((path_of(&key)?, Node::decode(&value)?)));
            }
        }
    }

    fn frame(&mut self) -> Result<Option<Vec<u8>>, HashtreeError> {
        let offset = self.at;
        let mut length = Vec::with_capacity(8);
        self.take(8, &mut length)?;
        if length.is_empty() {
            return Ok(None);
        }
        let length: [u8; 8] = length.try_into().map_err(|_| HashtreeError::Truncated { offset })?;
        let length = u64::try_from(i64::from_le_bytes(length)).map_err(|_| HashtreeError::NegativeLength { offset })?;
        let mut body = Vec::with_capacity(usize::try_from(length.min(RESERVED)).unwrap_or_default());
        self.take(length, &mut body)?;
        if (body.len() as u64) < length {
            return Err(HashtreeError::Truncated { offset });
        }
        Ok(Some(body))
    }

    fn take(&mut self, length: u64, into: &mut Vec<u8>) -> io::Result<()> {
        self.at += self.from.by_ref().take(length).read_to_end(into)? as u64;
        Ok(())
    }
}

impl<R: Read> Iterator for Nodes<R> {
    type Item = Result<(String, Node), HashtreeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.next_node().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

/// A key of the tree as a path: separators are zero bytes, and the root is a single one.
fn path_of(key: &[u8]) -> Result<String, HashtreeError> {
    let path = std::str::from_utf8(key).map_err(|_| HashtreeError::BadPath)?.replace('\0', "/");
    Ok(if path.starts_with('/') { path } else { format!("/{path}") })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::read_serialised;
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
        assert!(matches!(error(&i64::MAX.to_le_bytes()), HashtreeError::Truncated { offset: 0 }));
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
