//! Writing a stream, hashed and counted as it goes.

use std::io::{self, Write};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use snap::write::FrameEncoder;

use super::op::inspect;
use super::{OpCounts, OpVersion, StreamError};

/// What was written: enough to notice later that a file was cut or changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// Size of the file in bytes.
    pub bytes: u64,
    /// SHA-256 of the file, in lower-case hex.
    pub sha256: String,
    /// Number of ops by kind.
    pub ops: OpCounts,
    /// Version of all ops; absent in a stream without ops.
    pub version: Option<OpVersion>,
    /// Size of the largest op in bytes.
    pub largest_frame: u64,
}

/// Writes ops as a dump file that `pachctl restore` reads. A stream without ops is a file of 0 bytes, as Pachyderm writes it.
///
/// The file is whole only after [`Writer::finish`]; a writer that is dropped leaves a truncated one.
pub struct Writer<W: Write> {
    encoder: FrameEncoder<Tally<W>>,
    ops: OpCounts,
    written: u64,
    version: Option<OpVersion>,
    largest_frame: u64,
    failed: bool,
}

impl<W: Write> Writer<W> {
    /// A writer of a compressed file to `inner`, which gets pieces of up to about 64 KiB.
    pub fn new(inner: W) -> Self {
        Self {
            encoder: FrameEncoder::new(Tally { inner, bytes: 0, hash: Sha256::new() }),
            ops: OpCounts::default(),
            written: 0,
            version: None,
            largest_frame: 0,
            failed: false,
        }
    }

    /// Appends one encoded `Op` message, byte for byte. Refuses, before anything is written, what no restore would take:
    /// no op at all, one of unknown version, or of another version than the first.
    pub fn write_op(&mut self, op: &[u8]) -> Result<(), StreamError> {
        let index = self.written;
        let (version, kind) = inspect(op).map_err(|source| StreamError::Op { op: index, source })?;
        match self.version {
            Some(first) if first != version => {
                return Err(StreamError::MixedVersions { op: index, first, found: version });
            }
            _ => self.version = Some(version),
        }
        self.intact()?;
        self.failed = true;
        self.encoder.write_all(&(op.len() as i64).to_le_bytes())?;
        self.encoder.write_all(op)?;
        self.failed = false;
        self.ops.add(kind);
        self.written += 1;
        self.largest_frame = self.largest_frame.max(op.len() as u64);
        Ok(())
    }

    fn intact(&self) -> Result<(), StreamError> {
        if self.failed {
            return Err(io::Error::other("an earlier write of this stream failed").into());
        }
        Ok(())
    }

    /// Ops written so far, by kind.
    pub fn counts(&self) -> &OpCounts {
        &self.ops
    }

    /// Compressed bytes handed to the file so far.
    pub fn bytes(&self) -> u64 {
        self.encoder.get_ref().bytes
    }

    /// Writes what is still held back, flushes the file and returns it with what was written.
    ///
    /// # Errors
    ///
    /// The file cannot be written, or could not be at an earlier op: a part of it is then missing.
    pub fn finish(self) -> Result<(W, Summary), StreamError> {
        self.intact()?;
        let tally = self.encoder.into_inner().map_err(|error| error.into_error())?;
        let Tally { mut inner, bytes, hash } = tally;
        inner.flush()?;
        let summary = Summary {
            bytes,
            sha256: hex::encode(hash.finalize()),
            ops: self.ops,
            version: self.version,
            largest_frame: self.largest_frame,
        };
        Ok((inner, summary))
    }
}

/// Counts and hashes what passes.
struct Tally<W> {
    inner: W,
    bytes: u64,
    hash: Sha256,
}

impl<W: Write> Write for Tally<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(buffer)?;
        self.hash.update(&buffer[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{stream::OpKind, wire};

    /// Fails once, at the second write.
    struct Hiccup(Vec<u8>, u32);

    impl Write for Hiccup {
        fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
            self.1 += 1;
            if self.1 == 2 {
                return Err(io::Error::other("no space"));
            }
            self.0.extend_from_slice(buffer);
            Ok(buffer.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stream_with_a_failed_write_never_counts_as_finished() {
        // Larger than what the encoder holds back.
        let (mut inner, mut op) = (Vec::new(), Vec::new());
        wire::put_bytes(&mut inner, OpKind::Block.field(), &[0; 300_000]);
        wire::put_bytes(&mut op, OpVersion::V1_13.field(), &inner);
        let mut writer = Writer::new(Hiccup(Vec::new(), 0));
        assert!(matches!(writer.write_op(&op), Err(StreamError::Io(error)) if error.to_string() == "no space"));
        assert!(matches!(writer.write_op(&op), Err(StreamError::Io(_))));
        assert_eq!(writer.counts().total(), 0);
        assert!(matches!(writer.finish(), Err(StreamError::Io(_))));
    }
}
