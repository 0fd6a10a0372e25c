//! The stream that `pachctl extract` writes and `pachctl restore` reads.
//!
//! A dump file is the snappy framing format around frames: a signed 64-bit little-endian length and that many bytes of one
//! protobuf `Op`. It has no header, count, checksum or end mark of its own, so a file cut between two frames looks
//! complete: keep the [`Summary`] of what was written, and compare.
//!
//! ```
//! use pachyderm::stream::{Reader, Writer};
//!
//! // op1_13 { repo { repo { name: "__spec__" } } }
//! let op = b"\x3a\x0e\x22\x0c\x0a\x0a\x0a\x08__spec__";
//! let mut writer = Writer::new(Vec::new());
//! writer.write_op(op)?;
//! let (file, summary) = writer.finish()?;
//! assert_eq!(summary.ops.total(), 1);
//!
//! let mut reader = Reader::new(file.as_slice());
//! while let Some(op) = reader.next_op()? {
//!     println!("{} {}", op.version, op.kind);
//! }
//! # Ok::<(), pachyderm::stream::StreamError>(())
//! ```

mod error;
mod kind;
mod op;
mod reader;
mod restore_check;
mod snappy;
mod view;
mod writer;

pub use error::{OpError, StreamError};
pub use kind::{OpCounts, OpKind, OpVersion, UnknownName};
pub use op::RawOp;
pub use reader::Reader;
pub use restore_check::{RestoreCheck, RestoreDefect, is_valid_name};
pub use view::{CommitRef, OpView, object_hashes, view};
pub use writer::{Summary, Writer};

/// The largest op that is read or written, in bytes: Pachyderm's message limit of 20 MiB, and 1 MiB of slack.
pub const MAX_OP_BYTES: usize = 21 * 1024 * 1024;
