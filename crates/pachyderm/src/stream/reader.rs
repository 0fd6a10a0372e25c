//! Reading a stream, one op in memory at a time.

use std::io::Read;

use bytes::Bytes;

use super::op::inspect;
use super::snappy::SnappyReader;
use super::{MAX_OP_BYTES, OpVersion, RawOp, StreamError};

/// Reads the ops of a dump file. Blocking; hand it a buffered reader, since it reads small headers.
pub struct Reader<R> {
    snappy: SnappyReader<R>,
    version: Option<OpVersion>,
    ops: u64,
    failed: bool,
}

impl<R: Read> Reader<R> {
    /// A reader of the compressed file `inner`.
    pub fn new(inner: R) -> Self {
        Self { snappy: SnappyReader::new(inner), version: None, ops: 0, failed: false }
    }

    /// The next op, or nothing when the file ends exactly after a frame and a snappy chunk. After an error the stream
    /// can't be read on, and nothing more is returned.
    pub fn next_op(&mut self) -> Result<Option<RawOp>, StreamError> {
        if self.failed {
            return Ok(None);
        }
        let next = self.read_op();
        self.failed = next.is_err();
        next
    }

    /// Number of ops returned so far.
    pub fn ops(&self) -> u64 {
        self.ops
    }

    /// Version of the stream, known after the first op.
    pub fn version(&self) -> Option<OpVersion> {
        self.version
    }

    /// The reader underneath, at whatever position it is.
    pub fn into_inner(self) -> R {
        self.snappy.into_inner()
    }

    fn read_op(&mut self) -> Result<Option<RawOp>, StreamError> {
        let op = self.ops;
        let Some(length) = self.read_length()? else { return Ok(None) };
        let length = match usize::try_from(length) {
            Err(_) if length < 0 => return Err(StreamError::NegativeLength { op, length }),
            Ok(bytes) if bytes <= MAX_OP_BYTES => bytes,
            _ => return Err(StreamError::AbsurdLength { op, length }),
        };
        let mut body = Vec::with_capacity(length.min(65_536));
        while body.len() < length {
            let bytes = self.snappy.next_bytes(length - body.len())?;
            if bytes.is_empty() {
                return Err(StreamError::TruncatedBody { op, length, got: body.len() });
            }
            body.extend_from_slice(bytes);
        }
        let (version, kind) = inspect(&body).map_err(|source| StreamError::Op { op, source })?;
        let first = *self.version.get_or_insert(version);
        if first != version {
            return Err(StreamError::MixedVersions { op, first, found: version });
        }
        self.ops += 1;
        Ok(Some(RawOp { bytes: Bytes::from(body), version, kind }))
    }

    fn read_length(&mut self) -> Result<Option<i64>, StreamError> {
        let mut length = [0; 8];
        let mut got = 0;
        while got < length.len() {
            let bytes = self.snappy.next_bytes(length.len() - got)?;
            if bytes.is_empty() {
                let op = self.ops;
                return if got == 0 { Ok(None) } else { Err(StreamError::TruncatedLength { op, got }) };
            }
            length[got..got + bytes.len()].copy_from_slice(bytes);
            got += bytes.len();
        }
        Ok(Some(i64::from_le_bytes(length)))
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<RawOp, StreamError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_op().transpose()
    }
}
