//! What can be wrong with a stream or an op.

use std::io;

use super::OpVersion;
use crate::wire::WireError;

/// Why bytes are no op of a stream. A retry never helps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpError {
    /// No bytes at all: an `Op` without a version, which no pachd writes and every restore refuses.
    #[error("op is empty")]
    ZeroLength,
    /// Larger than any message pachd can send.
    #[error("op of {length} bytes exceeds the limit of {limit} bytes")]
    TooLarge {
        /// Size of the op in bytes.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// Fields are present, but none that was ever declared: probably written by a newer Pachyderm.
    #[error("op has an unknown version (field {field}); it was written by a newer Pachyderm, or is no op")]
    UnknownVersion {
        /// The first field found.
        field: u32,
    },
    /// One op that sets two versions, or one version twice.
    #[error("op holds two versions at once: {first} and {second}")]
    SeveralVersions {
        /// The first version in the op.
        first: OpVersion,
        /// The second one.
        second: OpVersion,
    },
    /// One op that sets two kinds, or one kind twice: a restore would use only one of them.
    #[error("op holds two kinds at once (fields {first} and {second})")]
    SeveralKinds {
        /// Field number of the first kind.
        first: u32,
        /// Field number of the second one.
        second: u32,
    },
    /// Not protobuf, or a field of the wrong type.
    #[error("op is not valid protobuf")]
    Wire(#[from] WireError),
}

/// Why a stream can't be read or written. Ops are counted from 0. Only [`StreamError::Io`] may go away by a retry.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The file or connection underneath failed.
    #[error("reading or writing the stream failed")]
    Io(#[from] io::Error),
    /// The file doesn't begin with the stream identifier of the snappy framing format.
    #[error("not a snappy-framed stream: no stream identifier at byte {offset}")]
    NotSnappy {
        /// Position in the compressed file.
        offset: u64,
    },
    /// The file ends inside a snappy chunk.
    #[error("truncated: the file ends inside the snappy chunk at byte {offset}")]
    TruncatedChunk {
        /// Where the chunk begins in the compressed file.
        offset: u64,
    },
    /// The file holds a stream identifier and nothing else. Pachyderm writes the identifier with the first data only.
    #[error("truncated: the file ends after the snappy stream identifier")]
    TruncatedAfterIdentifier,
    /// A chunk's content doesn't have the checksum that was stored with it.
    #[error("bad checksum in the snappy chunk at byte {offset}: stored {stored:08x}, computed {computed:08x}")]
    BadChecksum {
        /// Where the chunk begins in the compressed file.
        offset: u64,
        /// The masked CRC-32C stored in the chunk.
        stored: u32,
        /// The masked CRC-32C of its content.
        computed: u32,
    },
    /// A chunk of a type that a reader must not skip.
    #[error("unknown snappy chunk type {chunk_type:#04x} at byte {offset}")]
    UnknownChunk {
        /// Where the chunk begins in the compressed file.
        offset: u64,
        /// The type found.
        chunk_type: u8,
    },
    /// A data chunk that is too short for its checksum or unpacks to more than 65,536 bytes.
    #[error("snappy chunk at byte {offset} has an impossible size of {length} bytes")]
    BadChunkSize {
        /// Where the chunk begins in the compressed file.
        offset: u64,
        /// The size found, compressed or unpacked, whichever is impossible.
        length: usize,
    },
    /// A compressed chunk that can't be unpacked.
    #[error("snappy chunk at byte {offset} is corrupt")]
    BadCompression {
        /// Where the chunk begins in the compressed file.
        offset: u64,
        /// What the decompressor says.
        #[source]
        source: snap::Error,
    },
    /// The stream ends inside the 8 bytes of a length.
    #[error("truncated: the stream ends after {got} of the 8 length bytes of op {op}")]
    TruncatedLength {
        /// Position of the op.
        op: u64,
        /// Bytes present.
        got: usize,
    },
    /// The stream ends inside an op.
    #[error("truncated: the stream ends after {got} of the {length} bytes of op {op}")]
    TruncatedBody {
        /// Position of the op.
        op: u64,
        /// Announced size in bytes.
        length: usize,
        /// Bytes present.
        got: usize,
    },
    /// A length below zero.
    #[error("op {op} has a negative length: {length}")]
    NegativeLength {
        /// Position of the op.
        op: u64,
        /// The length found.
        length: i64,
    },
    /// A length above [`MAX_OP_BYTES`](super::MAX_OP_BYTES).
    #[error("op {op} announces {length} bytes, more than any message of Pachyderm")]
    AbsurdLength {
        /// Position of the op.
        op: u64,
        /// The length found.
        length: i64,
    },
    /// An op of another version than the ops before it; a restore refuses such a stream.
    #[error("mixed versions: op {op} is of version {found}, the stream began with {first}")]
    MixedVersions {
        /// Position of the op.
        op: u64,
        /// Version of the first op.
        first: OpVersion,
        /// Version of this op.
        found: OpVersion,
    },
    /// The bytes of one frame are no op.
    #[error("op {op} can't be used")]
    Op {
        /// Position of the op.
        op: u64,
        /// What is wrong with it.
        #[source]
        source: OpError,
    },
}

impl StreamError {
    /// Whether the stream ends too early, in whatever place.
    pub fn is_truncation(&self) -> bool {
        matches!(
            self,
            Self::TruncatedChunk { .. }
                | Self::TruncatedAfterIdentifier
                | Self::TruncatedLength { .. }
                | Self::TruncatedBody { .. }
        )
    }
}
