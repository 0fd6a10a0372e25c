//! Why bytes are no hashtree.

use std::io;

use crate::layout::ReadError;
use crate::wire::WireError;

/// Why bytes are no hashtree, or a file can't be read from one. Only [`HashtreeError::Io`] may go away by a retry.
#[derive(Debug, thiserror::Error)]
pub enum HashtreeError {
    /// The bytes end inside a frame.
    #[error("hashtree ends inside the frame at byte {offset}")]
    Truncated {
        /// Where the frame begins.
        offset: u64,
    },
    /// A frame length below zero.
    #[error("hashtree has a negative length at byte {offset}")]
    NegativeLength {
        /// Where the frame begins.
        offset: u64,
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
    /// Where the tree is read from failed.
    #[error("hashtree can't be read")]
    Io(#[from] io::Error),
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
